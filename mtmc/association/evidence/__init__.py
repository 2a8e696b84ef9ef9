"""Evidence: what is for and against two tracks being one vehicle."""
