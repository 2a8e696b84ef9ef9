"""Appearance: from crops to one feature vector per track."""
