"""Where clips are worked on: in turn, in processes of this machine, or on a Ray cluster."""
