"""Multi-camera vehicle tracking: scenarios, tracking, association, the pipeline and its command lines."""
