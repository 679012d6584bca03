"""Claims about hand-made decoders of six latents, judged on tables of all their subsets: no network is run.

A case draws latents before and after the treatment; every subset of the latents is then patched by indexing, and the
claim is judged by the package's own procedure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from causalvae.circuits.table import CircuitTable, MeasuredCircuits
from causalvae.circuits.types import Circuit, Measure
from causalvae.circuits.verdict import Evidence, decide, weigh
from causalvae.effects.bootstrap import paired_bootstrap
from causalvae.effects.claims import RatioColumns
from causalvae.models.components import ComponentRef
from causalvae.plan.types import ClaimDesign
from causalvae.spec.schema import Hypothesis
from tests.effects.synthetic import Array, make_hypothesis

LATENTS = 6
Draw = Callable[[np.random.Generator, int], tuple[Array, Array]]


@dataclass(frozen=True)
class Case:
    """A decoder, how the treatment moves its latents, a claim, and which verdict is right.

    `others` are verdicts that are right as well, where a property is not decided on few pairs.
    """

    decode: Callable[[Array], Array]
    draw: Draw
    circuit: tuple[int, ...]
    expect: dict[str, Any]
    right: str
    others: tuple[str, ...] = ()


def moved(correlation: float, still: tuple[int, ...] = ()) -> Draw:
    """Normal latents that the treatment moves, as far alike as `correlation` says; column 6 is a path beside them."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        z = rng.normal(size=(n, LATENTS + 1))
        own, shared = rng.normal(size=z.shape), rng.normal(size=(n, 1))
        step = 1.4 * (np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own)
        step[:, list(still)] = 0
        return z, z + step

    return draw


def switched(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """The first three latents go from about 0 to about 0.8 together, as the inputs of a gate."""
    z = 0.05 * np.abs(rng.normal(size=(n, LATENTS + 1)))
    z_cf = 0.3 * rng.normal(size=z.shape)
    z_cf[:, :3] = 0.6 + 0.4 * rng.random((n, 1)) + 0.05 * rng.normal(size=(n, 3))
    return z, z_cf


def leak(z: Array) -> Array:
    """What the latents that carry nothing do all the same."""
    return np.asarray(0.02 * z[:, 4:LATENTS].sum(axis=1))


def by_context(z: Array) -> Array:
    """Latent 0 or latent 1, as the sign of latent 3 has it, which the treatment leaves alone."""
    return np.where(z[:, 3] > 0, z[:, 0], z[:, 1])


SHARE = {"mediated_share": {"at_least": 0.7}}
NEEDED = {"necessity": {"at_least": 0.7}}
BOTH = {**SHARE, **NEEDED}
MINIMAL = {**SHARE, "minimal": True}
_half, _alike, _context = moved(0.5), moved(0.98), moved(0.5, still=(3,))

CASES: dict[str, Case] = {
    "carrier": Case(lambda z: z[:, 0] + leak(z), _half, (0,), SHARE, "supported"),
    "either, both claimed": Case(lambda z: np.maximum(z[:, 0], z[:, 1]) + leak(z), switched, (0, 1), BOTH, "supported"),
    "both": Case(lambda z: np.minimum(z[:, 0], z[:, 1]) + leak(z), switched, (0, 1), SHARE, "supported"),
    "both, both claimed": Case(lambda z: np.minimum(z[:, 0], z[:, 1]) + leak(z), switched, (0, 1), BOTH, "supported"),
    "both, one is necessary": Case(
        lambda z: np.minimum(z[:, 0], z[:, 1]) + leak(z), switched, (0,), NEEDED, "supported"
    ),
    "larger of two": Case(lambda z: np.maximum(z[:, 0], z[:, 1]) + leak(z), _half, (0, 1), SHARE, "supported"),
    "product": Case(lambda z: z[:, 0] * z[:, 1] + leak(z), _half, (0, 1), SHARE, "supported"),
    "spread": Case(lambda z: z[:, :4].sum(1) / 4 + leak(z) / 4, _alike, (0, 1, 2, 3), SHARE, "supported"),
    "promoter and inhibitor": Case(
        lambda z: z[:, 0] - 0.3 * z[:, 1] + leak(z) / 2, _alike, (0, 1), MINIMAL, "supported"
    ),
    "cancelling pair": Case(
        lambda z: z[:, 0] - 0.95 * z[:, 1] + leak(z) / 50, _alike, (0, 1), MINIMAL, "supported"
    ),
    "direct path": Case(
        lambda z: 0.8 * z[:, 0] + 0.2 * z[:, LATENTS] + leak(z) / 2, moved(0.9), (0,), SHARE, "supported"
    ),
    "by context": Case(lambda z: by_context(z) + leak(z), _context, (0, 1), SHARE, "supported"),
    "distractor": Case(lambda z: z[:, 0] + leak(z), moved(0.9), (1,), SHARE, "refuted"),
    "padded": Case(lambda z: z[:, 0] + leak(z), _half, (0, 3), MINIMAL, "refuted"),
    "padded, not claimed minimal": Case(lambda z: z[:, 0] + leak(z), _half, (0, 3), SHARE, "unspecific"),
    "either, one claimed": Case(
        lambda z: np.maximum(z[:, 0], z[:, 1]) + leak(z), switched, (0,), SHARE, "unspecific"
    ),
    "either, claimed minimal": Case(
        lambda z: np.maximum(z[:, 0], z[:, 1]) + leak(z), switched, (0, 1), MINIMAL, "unspecific", ("refuted",)
    ),
    "both, one claimed": Case(
        lambda z: np.minimum(z[:, 0], z[:, 1]) + leak(z), switched, (0,), SHARE, "refuted"
    ),
    "spread, one missing": Case(
        lambda z: z[:, :4].sum(1) / 4 + leak(z) / 4, _alike, (0, 1, 2), SHARE, "unspecific"
    ),
    "spread, one too many": Case(
        lambda z: z[:, :4].sum(1) / 4 + leak(z) / 4, _alike, (0, 1, 2, 3, 5), MINIMAL, "refuted"
    ),
    "spread, one of four": Case(
        lambda z: z[:, :4].sum(1) / 4 + leak(z) / 4, _alike, (0,),
        {"mediated_share": {"at_least": 0.2}, "special": True}, "unspecific",
    ),
    "promoter alone": Case(
        lambda z: z[:, 0] - 0.3 * z[:, 1] + leak(z) / 2, _alike, (0,), SHARE, "refuted", ("inconclusive",)
    ),
    "cancelled": Case(lambda z: z[:, 0] - 0.95 * z[:, 1] + leak(z) / 50, _alike, (0,), SHARE, "refuted"),
    "half of the context": Case(
        lambda z: by_context(z) + leak(z), _context, (0,), SHARE, "refuted", ("inconclusive",)
    ),
    "twice the effect in half of the pairs": Case(
        lambda z: 2 * by_context(z) + leak(z), _context, (0,), SHARE, "refuted", ("inconclusive",)
    ),
}  # fmt: skip


def judge_case(case: Case, n: int, seed: int, name: str = "claim") -> Evidence:
    """The evidence on a case's claim in one draw of `n` pairs."""
    rng = np.random.default_rng(seed)
    z, z_cf = case.draw(rng, n)
    claim = Hypothesis.model_validate(make_hypothesis(name, expect=case.expect))
    start = case.decode(z)
    total = case.decode(z_cf) - start
    own = tuple(case.circuit)
    every = [units for size in range(1, len(own) + 1) for units in combinations(range(LATENTS), size) if units != own]
    rows = [own, *every]

    def patched(units: tuple[int, ...], base: Array, source: Array) -> Array:
        latents = base.copy()
        latents[:, list(units)] = source[:, list(units)]
        return case.decode(latents) - start

    effects = np.stack([patched(units, z, z_cf) for units in rows])
    remaining = np.stack([patched(units, z_cf, z) for units in rows])
    measures: dict[Measure, MeasuredCircuits] = {}
    if claim.expect.bound("mediated_share") is not None:
        measures["sufficiency"] = MeasuredCircuits((total - effects) ** 2, effects * total)
    if claim.expect.bound("necessity") is not None:
        measures["necessity"] = MeasuredCircuits(remaining**2, (total - remaining) * total)
    parts = tuple(k for k, units in enumerate(rows) if k and set(units) < set(own))
    table = CircuitTable(
        tuple(map(circuit, rows)), total**2, measures, tuple(range(1, len(rows))), parts,
        tuple(k for k, units in enumerate(rows) if len(units) == 1), n,
    )  # fmt: skip
    members = tuple(ComponentRef("latent", (unit,)) for unit in own)
    columns = {
        "mediated_share": RatioColumns("mediated_share", effects[0] * total, total**2, "share"),
        "necessity": RatioColumns("necessity", (total - remaining[0]) * total, total**2, "share"),
        "pairwise_fit": RatioColumns("pairwise_fit", total**2 - (total - effects[0]) ** 2, total**2, "share"),
        "removal_fit": RatioColumns("removal_fit", total**2 - remaining[0] ** 2, total**2, "share"),
    }
    design = ClaimDesign(members, members, True, "every", "")
    return weigh(claim, design, columns, table, paired_bootstrap(n, 400, 0.95, 0), 1)


def circuit(units: tuple[int, ...]) -> Circuit:
    return (ComponentRef("latent", units),)


def count_verdicts(case: Case, n: int, runs: int, seed: int = 0) -> Counter[str]:
    """The verdicts over `runs` draws of `n` pairs."""
    return Counter(decide([judge_case(case, n, 1000 * seed + run)])[0].status for run in range(runs))
