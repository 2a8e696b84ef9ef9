"""Where vehicles go from one camera to another, and how long it takes them."""
