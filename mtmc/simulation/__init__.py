"""A simulated city with traffic, filmed by several cameras."""
