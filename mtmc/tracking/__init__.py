"""Boxes of one camera to tracks: the tracker, the repair of its tracks, and what reads them."""
