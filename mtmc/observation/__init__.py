"""Observation: from videos to tracks and crops, one camera at a time."""
