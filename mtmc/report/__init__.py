"""The pages and videos that a person looks at after a run."""
