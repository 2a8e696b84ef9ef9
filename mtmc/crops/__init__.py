"""Crops: the best images of each track, chosen in the same pass that decodes the video."""

from mtmc.crops.quality import CropSettings
from mtmc.crops.selector import CropSelector, choose_frames
from mtmc.crops.table import Crops, read_crops, write_crops

__all__ = ["CropSelector", "CropSettings", "Crops", "choose_frames", "read_crops", "write_crops"]
