"""Runs a plan on a network and measures outcomes."""
