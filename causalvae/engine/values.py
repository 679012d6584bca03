"""What a patch puts in place: the source's value, and how it enters the clean one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.plan.passes.pack import FEWEST_ROWS
from causalvae.plan.types import Learning, Patch, Side, Subspace
from causalvae.spec.value_source import OTHER, DonorKey, ValueSource

# Batches are padded to a multiple of this many rows, because a value must not depend on how many rows are run
# together. Below 16 rows matrix products take other paths. Elementwise kernels compute the numbers beyond a multiple of
# two vector registers (32 numbers with AVX-512) by scalar code, whose sigmoid and exponential round differently.
MIN_ROWS = FEWEST_ROWS


class RelayKey(NamedTuple):
    """What tells one relayed value from another's: the side, the site that is read, and what is patched upstream."""

    side: Side
    site: str
    upstream: tuple[Patch, ...]


class BasisKey(NamedTuple):
    """What tells the learned directions at a site from others there: which part of it, and how they are learned."""

    units: tuple[int, ...] | None
    window: tuple[tuple[int, int], ...]
    dim: int
    learned: Learning


@dataclass(frozen=True)
class Statistics:
    """Facts about a site over a whole cohort, for sources that need them.

    Parameters
    ----------
    mean : Tensor or None, shape (1, *site_shape)
        Over the cohort's base side.
    observed : Tensor or None, shape (n, *site_shape)
        Values over the observed cohort, sorted along the first axis.
    observed_mean, observed_sd : Tensor or None, shape (1, *site_shape)
        Over the observed cohort; the standard deviation divides by n - 1.
    fitted : mapping
        Side and source -> what was fitted for it on pairs of its own, (1, *site_shape): the steering vector of an
        ``additive`` source, the constant of an ``optimal`` one.
    bases : mapping
        `basis_key` of a patch through a learned subspace -> its directions, float32, (units, dim), orthonormal.
    """

    mean: Tensor | None = None
    observed: Tensor | None = None
    observed_mean: Tensor | None = None
    observed_sd: Tensor | None = None
    fitted: Mapping[tuple[Side, ValueSource], Tensor] = field(default_factory=dict)
    bases: Mapping[BasisKey, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> Statistics:
        """The same facts on `device`."""
        fitted = {key: value.to(device) for key, value in self.fitted.items()}
        mean, observed, first, second = (None if value is None else value.to(device) for value in self._known)
        bases = {key: value.to(device) for key, value in self.bases.items()}
        return Statistics(mean, observed, first, second, fitted, bases)

    @property
    def _known(self) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
        return self.mean, self.observed, self.observed_mean, self.observed_sd

    def joined(self, other: Statistics) -> Statistics:
        """What either of the two knows, this one first."""
        pairs = zip(self._known, other._known, strict=True)
        mean, observed, first, second = (theirs if mine is None else mine for mine, theirs in pairs)
        fitted, bases = {**other.fitted, **self.fitted}, {**other.bases, **self.bases}
        return Statistics(mean, observed, first, second, fitted, bases)

    def known_mean(self) -> Tensor:
        """The mean; raises `LookupError` where it was not gathered."""
        if self.mean is None:
            raise LookupError("the mean of this site was not gathered")
        return self.mean

    def known_values(self) -> Tensor:
        """The observed values; raises `LookupError` where they were not gathered."""
        if self.observed is None:
            raise LookupError("the observed values of this site were not gathered")
        return self.observed

    def known_moments(self) -> tuple[Tensor, Tensor]:
        """Observed mean and standard deviation; raises `LookupError` where they were not gathered."""
        if self.observed_mean is None or self.observed_sd is None:
            raise LookupError("the observed moments of this site were not gathered")
        return self.observed_mean, self.observed_sd


@dataclass(frozen=True)
class CleanRuns:
    """The clean values of one shard.

    Parameters
    ----------
    sides : mapping
        Side -> node name -> tensor with one row a pair.
    rows : int
    donors : mapping
        `donor_key` of a source -> node name -> tensor whose row i is the value of pair i's donor.
    first : int
        Index of the first pair in its cohort: what is drawn for a pair alone is drawn by it.
    relayed : mapping
        What each ``relayed`` source reads: one row a pair, of the first few pairs alone where no arm covers more.
    numbers : tuple of int
        The index of each pair in its cohort, where they are not one after the other.
    """

    sides: Mapping[Side, Mapping[str, Tensor]]
    rows: int
    donors: Mapping[DonorKey, Mapping[str, Tensor]] = field(default_factory=dict)
    first: int = 0
    relayed: Mapping[RelayKey, Tensor] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class SiteRuns:
    """The runs of one shard at one site, from which a source computes what is put in place there.

    Parameters
    ----------
    site, node : str
        The site, and the node that holds its value.
    side : {"base", "counterfactual"}
        That is patched.
    clean : CleanRuns
    statistics : Statistics
        Of the site.
    """

    site: str
    node: str
    side: Side
    clean: CleanRuns
    statistics: Statistics

    @property
    def own(self) -> Tensor:
        """The clean value on the side that is patched, (rows, *site_shape)."""
        return self.clean.sides[self.side][self.node]

    @property
    def other(self) -> Tensor:
        """The clean value on the pair's other side, (rows, *site_shape)."""
        return self.clean.sides[OTHER[self.side]][self.node]

    def of_donors(self, source: ValueSource) -> Tensor:
        """The value of each pair's donor, (rows, *site_shape); raises `LookupError` for a source without donors."""
        key = source.donor_key(self.side)
        if key is None:
            raise LookupError(f"the source {source.label} has no donors")
        return self.clean.donors[key][self.node]

    def relayed(self, upstream: tuple[Patch, ...]) -> Tensor:
        """The value in the run with the patches `upstream`, (rows, *site_shape)."""
        return self.clean.relayed[RelayKey(self.side, self.site, upstream)]

    def fitted(self, source: ValueSource) -> Tensor:
        """What was fitted for a source, (1, *site_shape)."""
        return self.statistics.fitted[self.side, source]

    def draw(self, seed: int | None, draw: Callable[[np.random.Generator], npt.NDArray[np.float64]]) -> Tensor:
        """What `draw` gives for each pair with a generator of its own: float64, one row a pair.

        It depends on the seed, the pair and the site, and on nothing else.
        """
        mixed = [seed or 0, crc32(self.site.encode())]
        pairs = self.clean.numbers or range(self.clean.first, self.clean.first + self.clean.rows)
        return torch.from_numpy(np.stack([draw(np.random.default_rng([*mixed, pair])) for pair in pairs]))


def padding(rows: int) -> Tensor:
    """Positions of `rows` rows, repeated up to a multiple of `MIN_ROWS`: int tensor."""
    return torch.arange(padded_rows(rows)) % rows


def padded_rows(rows: int) -> int:
    """The least multiple of `MIN_ROWS` that holds `rows` rows."""
    return -(-rows // MIN_ROWS) * MIN_ROWS


def derangement(n: int, seed: int) -> npt.NDArray[np.int64]:
    """A permutation of n >= 2 positions that leaves none in place, seeded: a random cyclic order, each to the next.

    Raises
    ------
    CausalVAEError
        CV404 for fewer than two positions.
    """
    if n < 2:
        raise CausalVAEError(
            "CV404",
            "resampling takes another input's value, and here there is only one input.",
            "Give data.samples at least 2.",
            "data.samples",
        )
    order = np.random.default_rng([seed, n]).permutation(n)
    donors = np.empty(n, dtype=np.int64)
    donors[order] = np.roll(order, 1)
    return donors


def random_basis(subspace: Subspace, units: int) -> Tensor:
    """Orthonormal directions, uniform over all: float64, (units, dim)."""
    draw = np.random.default_rng(subspace.seed).standard_normal((units, subspace.dim))
    return torch.from_numpy(np.linalg.qr(draw)[0])


def basis_key(patch: Patch) -> BasisKey | None:
    """What tells the directions that a patch goes through from others at its site; None where none are learned."""
    subspace = patch.subspace
    if subspace is None or subspace.learned is None:
        return None
    return BasisKey(patch.units, patch.window, subspace.dim, subspace.learned)


def apply_patch(value: Tensor, patch: Patch, source: Tensor, statistics: Statistics | None = None) -> None:
    """Put `source` in place in `value`, in place; both have shape (rows, *site_shape).

    Through a subspace the projection is computed in float64, so that it does not depend on how many rows there are.
    """
    index = selection(patch, value.ndim)
    if patch.subspace is None:
        value[index] = source[index]
        return
    key, own = basis_key(patch), value[index]
    if key is None:
        basis = random_basis(patch.subspace, own.shape[1])
    elif statistics is None:
        raise LookupError("the directions of this subspace were not learned")
    else:
        basis = statistics.bases[key]
    value[index] = through_subspace(own, source[index], basis.to(own.device, torch.float64), patch.subspace.complement)


def through_subspace(own: Tensor, source: Tensor, basis: Tensor, complement: bool = False) -> Tensor:
    """Move `own` towards `source` within a subspace: a + R R^T (s - a), in the type of `basis`.

    With `complement` outside it: a + (I - R R^T) (s - a).

    Parameters
    ----------
    own, source : Tensor, shape (rows, units, ...)
    basis : Tensor, shape (units, dim)
        Orthonormal.
    complement : bool
    """
    start = own.to(basis.dtype)
    change = source.to(basis.dtype) - start
    moved = torch.einsum("ud,rd...->ru...", basis, torch.einsum("ud,ru...->rd...", basis, change))
    return (start + (change - moved if complement else moved)).to(own.dtype)


def selection(patch: Patch, ndim: int) -> tuple[slice | list[int], ...]:
    """The index of a patch's units and window in a value with a leading row axis and `ndim` axes in all."""
    units: slice | list[int] = slice(None) if patch.units is None else _contiguous(patch.units)
    window = [slice(start, stop) for start, stop in patch.window]
    return (slice(None), units, *window, *[slice(None)] * (ndim - 2 - len(window)))


def _contiguous(units: tuple[int, ...]) -> slice | list[int]:
    first, last = units[0], units[-1]
    return slice(first, last + 1) if last - first + 1 == len(units) else list(units)


def live_rows(
    patch: Patch, source: Tensor, clean: Tensor, activation: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Which rows a patch changes at all: bool tensor, (rows,).

    Where the value is read only through an elementwise `activation`, a change that it hides is none.
    """
    index = selection(patch, clean.ndim)
    new, old = source[index], clean[index]
    if activation is not None and patch.subspace is None:
        new, old = activation(new), activation(old)
    return (new != old).flatten(1).any(1)
