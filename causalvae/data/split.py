"""The division of a finite data set into samples to fit on, to select on and to test on."""

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
# Beyond so many samples a part to fit or to select on gains nothing, and the test part of a grid loses counterfactuals.
_MOST: Final = 25_000
# Code of a part with too few samples.
TOO_FEW: Final = "CV207"


class Counted(Protocol):
    """What a division needs of a data set; `causalvae.data.dataset.Dataset` has it."""

    @property
    def name(self) -> str:
        """The data set's name."""
        ...

    @property
    def size(self) -> int | None:
        """Number of samples; None where there is no end of them."""
        ...


@dataclass(frozen=True)
class SplitRule:
    """How every finite data set of a run is divided, once.

    Parameters
    ----------
    fit : float, default 0.3
        Share of the samples that predictors, subspaces, constants and the statistics of interventions are fitted on.
    select : float, default 0.2
        Share of the samples that latents and components are selected on.
    seed : int, default 0
        Of the random division. It does not depend on the seed of the draws, so other draws test on the same part.

    Notes
    -----
    Both shares are limited to 25,000 samples. The rest is the test part.
    """

    fit: float = 0.3
    select: float = 0.2
    seed: int = 0

    @classmethod
    def of(cls, section: SplitSection) -> SplitRule:
        """The division that a spec asks for."""
        return cls(section.fit, section.select, section.seed)

    def sizes(self, size: int) -> dict[Part, int]:
        """Number of samples of each part of a data set of `size` samples."""
        fit, select = (min(int(share * size), _MOST) for share in (self.fit, self.select))
        return {"fit": fit, "select": select, "test": size - fit - select}

    def part(self, size: int, part: Part) -> IntArray:
        """Numbers of the samples of one part, in rising order: int array; read-only."""
        return _divide(self, size)[PARTS.index(part)]

    def within(self, dataset: Counted, part: Part, least: int = 2) -> IntArray | None:
        """Numbers of the samples of one part of a data set; None for data without end, which are drawn anew.

        Raises
        ------
        CausalVAEError
            CV207 where the part has fewer than `least` samples.
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
        """Content hash of the division: which sample is in which part."""
        return digest([numbers.tolist() for numbers in _divide(self, size)])


@lru_cache(maxsize=4)
def _divide(rule: SplitRule, size: int) -> tuple[IntArray, IntArray, IntArray]:
    order = np.random.default_rng(rule.seed).permutation(size).astype(np.int64)
    sizes = rule.sizes(size)
    fit, select, test = (np.sort(part) for part in np.split(order, np.cumsum([sizes[part] for part in PARTS[:2]])))
    for part in (fit, select, test):
        part.flags.writeable = False
    return fit, select, test
