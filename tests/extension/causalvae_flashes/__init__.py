"""Kinds for causalvae: flashes of light on a line, a network that reads them, and what is measured of both."""
