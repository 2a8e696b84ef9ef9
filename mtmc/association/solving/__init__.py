"""From probabilities of pairs to one identity a track."""
