"""Scenarios: cameras, clocks, calibrations, and how they are found on disk."""
