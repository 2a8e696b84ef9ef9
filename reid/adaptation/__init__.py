"""Training an extractor on with the crops of a run, without labels, or with some answers."""

from reid.adaptation.adapt import Adapted, adapt
from reid.adaptation.pairs import AnsweredPairs, read_pairs
from reid.adaptation.settings import AdaptSettings
from reid.adaptation.tracks import TrackCrops, read_run

__all__ = ["AdaptSettings", "Adapted", "AnsweredPairs", "TrackCrops", "adapt", "read_pairs", "read_run"]
