"""Checks and timings of the engine on a GPU: ``make gpu-check``."""
