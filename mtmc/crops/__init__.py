"""Crops: the best images of each track, chosen in the same pass that decodes the video."""
