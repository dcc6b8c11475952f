"""What touches the disk: atomic writes, checkpoints, JSON, the cache."""
