"""Names that a spec cannot give, and the parts of a latent."""

from __future__ import annotations

from typing import Final

LATENT_PARTS: Final[tuple[str, ...]] = ("mean", "logvar", "noise")

# Columns of the tables that a run writes: an attribute is a column beside them.
RESERVED_ATTRIBUTES: Final[tuple[str, ...]] = ("arm", "pair", "live", "image", "image_sq", "image_dot")
# The cohort of untreated samples: an input intervention's cohort has the intervention's name.
RESERVED_INTERVENTIONS: Final[tuple[str, ...]] = ("observed",)
