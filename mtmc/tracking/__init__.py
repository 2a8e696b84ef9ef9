"""Tracking of vehicles in one camera."""
