"""Studies, which train and compare networks, and comparisons of given networks and data."""
