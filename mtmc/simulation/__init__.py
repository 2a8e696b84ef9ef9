"""A simulated city road seen by several cameras."""
