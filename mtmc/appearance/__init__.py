"""From crops to one feature a track."""
