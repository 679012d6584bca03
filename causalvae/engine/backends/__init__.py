"""Backends that run shards: on CPU cores or GPUs of this machine, or on a Ray cluster."""
