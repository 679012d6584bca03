"""Effects with intervals from measured tables; DoWhy stands behind one adapter here."""

from causalvae.effects.analysis import EffectsResult, claim_columns, estimate_effects
from causalvae.effects.study import Study, open_study
from causalvae.effects.types import Estimate, Refutation

__all__ = ["EffectsResult", "Estimate", "Refutation", "Study", "claim_columns", "estimate_effects", "open_study"]
