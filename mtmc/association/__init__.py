"""Association of tracks across cameras into identities."""
