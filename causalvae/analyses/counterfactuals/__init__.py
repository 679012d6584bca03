"""Is a mapping a sound generator of counterfactuals?"""

from causalvae.analyses.counterfactuals.section import CounterfactualsAnalysis

__all__ = ["CounterfactualsAnalysis"]
