"""Training of the parts of a network that are trained before it: the auto-encoder and the parser."""
