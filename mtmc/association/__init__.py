"""Association: tracks of all cameras in, identities out."""
