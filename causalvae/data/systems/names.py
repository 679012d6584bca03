"""Names and levels of the factors and columns of the systems, for packages that must not make their data."""

SECTORS = ("up", "down")
SOURCES = ("sine", "square", "sawtooth")
LOUDNESSES = (0.5, 1.0)
MICROPHONES = ("left", "right")
