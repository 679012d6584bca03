"""All families of kinds that a spec can name."""

from __future__ import annotations

from typing import Any, Final

from causalvae.spec.architecture_section import ARCHITECTURES
from causalvae.spec.data_section import DATA
from causalvae.spec.model_section import MODELS
from causalvae.spec.objective_section import OBJECTIVES
from causalvae.spec.readout_section import READOUTS
from causalvae.spec.registry import Registry

FAMILIES: Final[tuple[Registry[Any], ...]] = (DATA, MODELS, READOUTS, ARCHITECTURES, OBJECTIVES)
