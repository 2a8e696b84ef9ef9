"""Links: where vehicles go from one camera to another, and how long they take."""
