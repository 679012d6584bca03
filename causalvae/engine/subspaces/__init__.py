"""Directions that are learned: distributed alignment search, and what is to be known of what it finds."""
