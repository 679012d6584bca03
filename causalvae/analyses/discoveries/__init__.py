"""Discoveries: the smallest circuit that carries a treatment's effect on an outcome, found and tested on other pairs."""

from causalvae.analyses.discoveries.section import Discoveries

__all__ = ["Discoveries"]
