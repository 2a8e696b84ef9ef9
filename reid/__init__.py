"""Crops to vectors: data sets, views, backbones, losses, SSBVER training, extraction, export, analysis."""
