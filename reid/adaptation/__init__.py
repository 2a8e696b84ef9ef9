"""Training an extractor on with the crops of a run, without labels."""

from reid.adaptation.adapt import Adapted, adapt
from reid.adaptation.settings import AdaptSettings
from reid.adaptation.tracks import TrackCrops, read_run

__all__ = ["AdaptSettings", "Adapted", "TrackCrops", "adapt", "read_run"]
