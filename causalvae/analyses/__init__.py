"""Questions that a spec can ask of a network: one folder each."""
