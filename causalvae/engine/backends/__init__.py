"""Where shards are run: on this machine's cores, on its GPUs, or on a Ray cluster."""
