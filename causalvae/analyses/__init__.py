"""Analyses: what a run may ask of a network beside its effects and claims."""
