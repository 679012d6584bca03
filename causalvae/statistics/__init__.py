"""Statistics of arrays, which know nothing of networks or data."""
