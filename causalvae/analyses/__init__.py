"""Analyses that a spec can ask for, one folder each."""
