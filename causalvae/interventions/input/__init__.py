"""Level 1: what a change of the input does to everything after it."""

from causalvae.interventions.input.section import InputIntervention

__all__ = ["InputIntervention"]
