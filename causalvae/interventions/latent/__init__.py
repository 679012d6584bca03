"""Level 2: what a latent does, by setting it to values."""

from causalvae.interventions.latent.section import LatentIntervention

__all__ = ["LatentIntervention"]
