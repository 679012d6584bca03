"""Classical disentanglement scores: how well single latents stand for single factors."""

from causalvae.analyses.disentanglement.section import DisentanglementSection

__all__ = ["DisentanglementSection"]
