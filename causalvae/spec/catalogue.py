"""Reserved names, and the parts of a latent."""

from __future__ import annotations

from typing import Final

LATENT_PARTS: Final[tuple[str, ...]] = ("mean", "logvar", "noise")

# Columns of the tables that a run writes, in addition to one for each attribute.
RESERVED_ATTRIBUTES: Final[tuple[str, ...]] = ("arm", "pair", "live", "image", "image_sq", "image_dot")
# The cohort of untreated samples; the cohort of an input intervention has the intervention's name.
RESERVED_INTERVENTIONS: Final[tuple[str, ...]] = ("observed",)
