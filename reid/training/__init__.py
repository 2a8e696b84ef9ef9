"""Training of an extractor: batches, heads, losses, the averaged teacher and the training loop."""
