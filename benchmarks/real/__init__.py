"""The engine on networks of the structure that users have: ``make bench-networks``."""
