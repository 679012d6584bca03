"""Effects with intervals from measured tables; DoWhy stands behind one adapter here."""

from causalvae.effects.analysis import EffectsResult, claim_columns, estimate_effects
from causalvae.effects.context import EffectContext, open_context
from causalvae.effects.types import Estimate, Refutation

__all__ = [
    "EffectContext",
    "EffectsResult",
    "Estimate",
    "Refutation",
    "claim_columns",
    "estimate_effects",
    "open_context",
]
