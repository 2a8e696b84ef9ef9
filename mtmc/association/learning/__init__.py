"""The probabilities of pairs, learned from the run itself."""
