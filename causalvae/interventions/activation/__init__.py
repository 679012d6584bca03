"""Level 3: what single components do, by patching their activations."""

from causalvae.interventions.activation.section import ActivationIntervention

__all__ = ["ActivationIntervention"]
