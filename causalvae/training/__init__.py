"""Trains the networks that this package ships."""
