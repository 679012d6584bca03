"""What is true of a trained network, by plain passes over many pairs: nothing of the package is used here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tests.trials.referee.networks import Trained

# A unit of a layer.
Unit = tuple[str, int]
Circuit = frozenset[Unit]
Floats = npt.NDArray[np.float64]
# From a generator and a number of rows to tables, shape (n, 4), and the same with t redrawn.
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats]]

LAYERS: Final = ("latent", "first", "second")


def independent(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Four uniform columns; t rises to another value."""
    x = rng.random((n, 4))
    pair = np.sort(rng.random((n, 2)), axis=1)
    base, other = x.copy(), x.copy()
    base[:, 0], other[:, 0] = pair[:, 0], pair[:, 1]
    return base, other


@torch.inference_mode()
def run(network: Trained, x: Tensor, values: Mapping[str, tuple[list[int], Tensor]]) -> dict[str, Tensor]:
    """Every layer and the output, some units of some layers being set to values."""

    def place(name: str, layer: Tensor) -> Tensor:
        if name in values:
            units, given = values[name]
            layer = layer.clone()
            layer[:, units] = given[:, units]
        return layer

    z = place("latent", network.encode(x)[0])
    if network.apart:
        first = place("first", torch.relu(network.first(torch.cat([z[:, :1], z[:, 2:]], 1))))
        second = place("second", torch.relu(network.second(torch.cat([first, z[:, 1:2]], 1))))
    else:
        first = place("first", torch.relu(network.first(z)))
        second = place("second", torch.relu(network.second(first)))
    return {"latent": z, "first": first, "second": second, "output": network.out(second)}


@dataclass(frozen=True)
class Effects:
    """Effects of circuits on all four outputs over the pairs of a population."""

    network: Trained
    base: Tensor
    other: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", run(self.network, self.base, {}))
        object.__setattr__(self, "end", run(self.network, self.other, {}))

    start: dict[str, Tensor] = None  # type: ignore[assignment]
    end: dict[str, Tensor] = None  # type: ignore[assignment]

    @property
    def total(self) -> Floats:
        """TE of every output."""
        return (self.end["output"] - self.start["output"]).double().numpy()

    def _patched(self, x: Tensor, source: Mapping[str, Tensor], circuit: Iterable[Unit]) -> Tensor:
        layers: dict[str, list[int]] = {}
        for layer, unit in circuit:
            layers.setdefault(layer, []).append(unit)
        return run(self.network, x, {name: (units, source[name]) for name, units in layers.items()})["output"]

    def carried(self, circuit: Iterable[Unit]) -> Floats:
        """NIE of every output."""
        return (self._patched(self.base, self.end, circuit) - self.start["output"]).double().numpy()

    def left(self, circuit: Iterable[Unit]) -> Floats:
        """NDE of every output: what remains where the circuit does not change."""
        return (self._patched(self.other, self.start, circuit) - self.start["output"]).double().numpy()


def population(network: Trained, draw: Draw, seed: int, n: int = 8_000) -> Effects:
    """So many pairs of the population."""
    base, other = draw(np.random.default_rng(seed), n)
    return Effects(network, torch.from_numpy(base).float(), torch.from_numpy(other).float())


@dataclass(frozen=True)
class Numbers:
    """What a circuit does to y."""

    share: float
    error: float
    necessity: float
    error_removed: float
    off_target: float
    failing: float
    difference: float


def numbers(effects: Effects, circuit: Circuit, at_least: float) -> Numbers:
    """Of a circuit in a population; pairs fail as they do for a claim of a share of `at_least`."""
    total, carried = effects.total, effects.carried(circuit)
    removed = effects.left(circuit)[:, 0]
    te, nie = total[:, 0], carried[:, 0]
    square = float((te**2).sum())
    deviations = effects.start["output"].double().numpy().std(0)
    moved = ((carried / deviations) ** 2).sum(0)
    floor = math.sqrt(square / len(te)) / 4
    return Numbers(
        share=float((nie * te).sum() / square),
        error=math.sqrt(((te - nie) ** 2).sum() / square),
        necessity=float(((te - removed) * te).sum() / square),
        error_removed=math.sqrt((removed**2).sum() / square),
        off_target=float(moved[1:].sum() / max(moved.sum(), 1e-300)),
        failing=float((abs(te - nie) > (1 - at_least / 2) * np.maximum(abs(te), floor)).mean()),
        difference=float((np.sign(te) * (nie - te)).mean()),
    )


@dataclass(frozen=True)
class Claim:
    """What is claimed of a circuit; bounds that are not claimed are None."""

    circuit: Circuit
    share: float | None = None
    necessity: float | None = None
    off_target: float | None = None
    failing: float | None = None
    equivalent: float | None = None
    minimal: bool = False
    special: bool = False


@dataclass(frozen=True)
class Right:
    """What is true of a claim: how far each bound is met (negative where it is broken), and each property."""

    bounds: Mapping[str, float]
    properties: Mapping[str, float]
    rival_meets: bool

    @property
    def is_true(self) -> bool:
        """Whether everything that is claimed is true."""
        return all(slack > 0 for slack in (*self.bounds.values(), *self.properties.values()))

    @property
    def refutable(self) -> bool:
        """Whether a bound or minimality is false: special alone is never refuted."""
        return any(v < 0 for v in self.bounds.values()) or self.properties.get("minimal", 1.0) < 0

    @property
    def slack(self) -> float:
        """The least distance from a bound or a margin."""
        return min(abs(v) for v in (*self.bounds.values(), *self.properties.values()))


def bounds_of(found: Numbers, claim: Claim) -> dict[str, float]:
    """How far each claimed bound is met."""
    slack = {}
    if claim.share is not None:
        slack["share"] = min(found.share - claim.share, 1 + min(1 - claim.share, 0.3) - found.share)
        slack["fit"] = 1 - found.error**2 - 0.7 * claim.share
    if claim.necessity is not None:
        slack["necessity"] = found.necessity - claim.necessity
    if claim.off_target is not None:
        slack["off_target"] = claim.off_target - found.off_target
    if claim.failing is not None:
        slack["failing"] = claim.failing - found.failing
    if claim.equivalent is not None:
        slack["equivalent"] = claim.equivalent - abs(found.difference)
    return slack


def right(effects: Effects, claim: Claim, sites: Mapping[str, int]) -> Right:
    """What is true of a claim; `sites` gives the number of units of each layer."""
    level = claim.share if claim.share is not None else 0.7
    cache: dict[Circuit, Numbers] = {}

    def known(circuit: Circuit) -> Numbers:
        if circuit not in cache:
            cache[circuit] = numbers(effects, circuit, level)
        return cache[circuit]

    own = known(claim.circuit)
    bounds = bounds_of(own, claim)

    def gap(circuit: Circuit) -> float:
        other, gaps = known(circuit), []
        if claim.share is not None:
            gaps.append(other.error - own.error)
        if claim.necessity is not None:
            gaps.append(other.error_removed - own.error_removed)
        return max(gaps)

    properties, meets = {}, False
    if claim.minimal and len(claim.circuit) > 1:
        size = len(claim.circuit)
        margin = min(0.05, max(0.02, 1 / (3 * size)))
        properties["minimal"] = min(gap(claim.circuit - {m}) for m in claim.circuit) - margin
    if claim.special:
        gaps = {rival: gap(rival) - 0.05 for rival in rivals(claim.circuit, sites)}
        properties["special"] = min(gaps.values()) if gaps else 1.0
        shares = Claim(claim.circuit, claim.share, claim.necessity, claim.off_target)
        meets = any(g < 0 and min(bounds_of(known(r), shares).values()) > 0 for r, g in gaps.items())
    return Right(bounds, properties, meets)


def rivals(circuit: Circuit, sites: Mapping[str, int]) -> list[Circuit]:
    """All other sets of at most as many units at each of the circuit's sites, but for the empty one."""
    found: list[Circuit] = [frozenset()]
    for layer in {layer for layer, _ in circuit}:
        most = sum(name == layer for name, _ in circuit)
        units = range(sites[layer])
        sets = [frozenset((layer, u) for u in s) for k in range(most + 1) for s in combinations(units, k)]
        found = [one | more for one in found for more in sets]
    return [one for one in found if one and one != circuit]


def addresses(circuit: Iterable[Unit]) -> Sequence[str]:
    """The circuit as a spec names it."""
    return [f"{layer}[{unit}]" for layer, unit in sorted(circuit)]
