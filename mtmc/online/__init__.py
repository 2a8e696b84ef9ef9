"""Live mode: cameras that are running, identities while they run."""
