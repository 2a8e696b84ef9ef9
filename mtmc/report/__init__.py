"""The results of a run on disk: its folder, the report page, annotated videos, the mosaic."""
