"""The page over a finished run or a live site: find vehicles, see traffic, correct identities."""
