"""What a person looks at after a run: the report page, annotated videos, the mosaic; and progress while it runs."""
