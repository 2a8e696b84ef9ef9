"""A variational auto-encoder of vehicle images, whose residual shows what tells a vehicle apart (SAVER, EVER)."""
