"""Solving: from the evidence of candidate pairs to one identity per track."""
