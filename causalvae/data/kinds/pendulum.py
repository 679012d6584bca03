"""The pendulum of CausalVAE: a structural causal model, drawn in RGB."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from causalvae.data.scm_checks import structural_factors
from causalvae.spec.data_section import DataSection
from causalvae.spec.entries import DataEntry
from causalvae.spec.scm_section import VariableSection

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


_STEP: Final = math.pi / 200
_COTANGENT: Final = "cos(light) / sin(light)"

PENDULUM_VARIABLES: Final[dict[str, dict[str, Any]]] = {
    "pendulum": {"levels": [step * _STEP for step in range(-40, 44)]},
    "light": {"levels": [step * _STEP for step in range(60, 148)]},
    "shade_length": {
        "equation": f"max(3, abs(9.5 * sin(pendulum) + 9.5 * cos(pendulum) * {_COTANGENT}))",
        "range": [3.0, 12.6],
    },
    "shade_position": {
        "equation": f"10 + 4.75 * sin(pendulum) - (11 - 4.75 * cos(pendulum)) * {_COTANGENT}",
        "range": [2.0, 19.7],
    },
}


class PendulumData(DataSection):
    """A pendulum, a light and the shade that they cast (Yang et al. 2021, CausalVAE), drawn in RGB."""

    kind: ClassVar[str] = "pendulum"

    source: Literal["pendulum"]
    side: Literal[64, 96] = Field(default=96, description="Pixels a side.")

    @property
    def variables(self) -> dict[str, VariableSection]:
        """The variables of its structural model."""
        return {name: VariableSection.model_validate(what) for name, what in PENDULUM_VARIABLES.items()}

    def facts(self) -> DataEntry | None:
        """Properties derived from its structural model."""
        factors = structural_factors(self.variables)
        return None if factors is None else DataEntry(factors, True, (3, self.side, self.side))

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.scm import open_pendulum

        return open_pendulum(self)
