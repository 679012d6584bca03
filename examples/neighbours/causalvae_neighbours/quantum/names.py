"""Names of levels, for modules that must not make the data."""

SECTORS = ("up", "down")
