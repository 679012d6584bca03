"""Level 4: which part of a treatment's effect goes through given components, along a path, or through a subspace."""

from causalvae.interventions.mediation.section import MediationIntervention

__all__ = ["MediationIntervention"]
