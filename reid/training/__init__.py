"""What exists only while an extractor is trained: batches, heads, losses, the averaged teacher, the loop."""
