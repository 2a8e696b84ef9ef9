"""The page over a live site."""
