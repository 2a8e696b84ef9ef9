"""Association in shards: parts of a large scenario, solved one by one or on many machines, and stitched."""
