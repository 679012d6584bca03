"""Discoveries: the smallest circuits that carry effects, found on some pairs and tested on others."""

from causalvae.analyses.discoveries.section import Discoveries

__all__ = ["Discoveries"]
