"""Learning: the probabilities of candidate pairs, estimated from the run itself."""
