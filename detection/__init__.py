"""Pixels to boxes: video reading and the detectors."""
