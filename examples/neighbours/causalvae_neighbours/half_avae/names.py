"""Names and levels of factors and columns, for modules that must not make the data."""

SOURCES = ("sine", "square", "sawtooth")
LOUDNESSES = (0.5, 1.0)
MICROPHONES = ("left", "right")
