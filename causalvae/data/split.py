"""Division of finite data sets into parts for fitting, selection and tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, Protocol, get_args

import numpy as np

from causalvae.data.factors import IntArray
from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.spec.data_section import SplitSection

Part = Literal["fit", "select", "test"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
# Maximum size of the parts for fitting and selection; more is not needed, and reduces counterfactuals of the test part.
_MOST: Final = 25_000
# Code of the error for a part with too few samples.
TOO_FEW: Final = "CV207"


class Counted(Protocol):
    """The interface of data sets for divisions; implemented by `causalvae.data.dataset.Dataset`."""

    @property
    def name(self) -> str:
        """Name of the data set."""
        ...

    @property
    def size(self) -> int | None:
        """Number of samples; None if infinite."""
        ...


@dataclass(frozen=True)
class SplitRule:
    """The division of the finite data sets of a run.

    Parameters
    ----------
    fit : float, default 0.3
        Share of the samples for fitting predictors, subspaces, constants and statistics of interventions.
    select : float, default 0.2
        Share of the samples for selecting latents and components.
    seed : int, default 0
        Seed of the random division, independent of that of draws, so that all draws use the same test part.

    Notes
    -----
    Both shares are limited to 25,000 samples. The rest is the test part.
    """

    fit: float = 0.3
    select: float = 0.2
    seed: int = 0

    @classmethod
    def of(cls, section: SplitSection) -> SplitRule:
        """The division of a spec."""
        return cls(section.fit, section.select, section.seed)

    def sizes(self, size: int) -> dict[Part, int]:
        """Number of samples of each part of a data set of `size` samples."""
        fit, select = (min(int(share * size), _MOST) for share in (self.fit, self.select))
        return {"fit": fit, "select": select, "test": size - fit - select}

    def part(self, size: int, part: Part) -> IntArray:
        """Numbers of the samples of one part, in increasing order, int, read-only."""
        return _divide(self, size)[PARTS.index(part)]

    def within(self, dataset: Counted, part: Part, least: int = 2) -> IntArray | None:
        """Numbers of the samples of one part of a data set; None for data without end.

        Raises
        ------
        CausalVAEError
            CV207 if the part has fewer than `least` samples.
        """
        if dataset.size is None:
            return None
        numbers = self.part(dataset.size, part)
        if len(numbers) < least:
            raise CausalVAEError(
                TOO_FEW,
                f"Of the {dataset.size:,} samples of {dataset.name}, {len(numbers)} are there to {part} on, and "
                f"{least} are needed.",
                "Give more samples, or another data.split.",
                "data.split",
            )
        return numbers

    def digest(self, size: int) -> str:
        """Hash of the division of a data set of `size` samples."""
        return digest([numbers.tolist() for numbers in _divide(self, size)])


@lru_cache(maxsize=4)
def _divide(rule: SplitRule, size: int) -> tuple[IntArray, IntArray, IntArray]:
    order = np.random.default_rng(rule.seed).permutation(size).astype(np.int64)
    sizes = rule.sizes(size)
    fit, select, test = (np.sort(part) for part in np.split(order, np.cumsum([sizes[part] for part in PARTS[:2]])))
    for part in (fit, select, test):
        part.flags.writeable = False
    return fit, select, test
