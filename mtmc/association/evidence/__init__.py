"""Evidence: what speaks for and against two tracks being one vehicle."""
