"""How often nominal 95 % intervals hold the truth, by simulation of networks whose effects are known exactly.

``python -m tests.effects.coverage docs/coverage.md`` simulates and writes the tables; `tests.effects.simulated` says
what is simulated, `tests.effects.engine_pairs` what is run through the engine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from causalvae.effects.bootstrap import FloatArray, Interval, PairedBootstrap, join_intervals
from causalvae.effects.modularity import EffectModularity
from causalvae.effects.smooth_intervals import smooth_intervals
from tests.effects.engine_pairs import KINDS, EngineRun, run_network, simulate_engine
from tests.effects.simulated import (
    Ratio,
    Simulated,
    Smooth,
    simulate_graph,
    simulate_means,
    simulate_mediation,
    simulate_units,
)

LEAST, MOST = 0.92, 0.98
REPORTED = "reported"
METHODS = ("percentile", "BCa", "expanded BCa", "bootstrap-t", REPORTED)
# Data sets that share one matrix of resamples: as the product shares them over outcomes.
_SHARED = 50
# Graphs are taken one by one, which is slow.
_FEW_GRAPHS = 500

Simulate = Callable[[int, int, np.random.Generator], Simulated]


class Unexpanded(PairedBootstrap):
    """The same resamples at the nominal level itself."""

    def _normal_ends(self, k: int, pairs: FloatArray | None) -> FloatArray:
        return super()._normal_ends(k, np.full(k, 1e9))


@dataclass(frozen=True)
class Coverage:
    """How often the intervals of a quantity held the truth, and how wide they were, by method.

    Parameters
    ----------
    design, quantity : str
    pairs, repetitions : int
    truth : float
    held, width : dict
        Method -> share of repetitions, and mean width.
    below, above : float
        How often the truth lay under and over the reported interval.
    """

    design: str
    quantity: str
    pairs: int
    repetitions: int
    truth: float
    held: dict[str, float]
    width: dict[str, float]
    below: float
    above: float

    @property
    def kept(self) -> bool:
        """Whether the reported interval is within the band."""
        return LEAST <= self.held[REPORTED] <= MOST


def designs(networks: Mapping[str, EngineRun]) -> dict[str, Simulate]:
    """What is simulated, by name; `networks` are those that the engine has run."""

    return {
        "means": simulate_means,
        "levels": partial(simulate_mediation, "levels"),
        "skewed": partial(simulate_mediation, "skewed"),
        "units, levels": partial(simulate_units, "levels"),
        "units, skewed": partial(simulate_units, "skewed"),
        "graph, levels": partial(simulate_graph, "levels"),
        "graph, skewed": partial(simulate_graph, "skewed"),
        **{f"engine, {kind}": partial(simulate_engine, run) for kind, run in networks.items()},
    }


def simulate_coverage(
    design: str,
    simulate: Simulate,
    pairs: int,
    repetitions: int,
    seed: int,
    resamples: int = 1000,
    methods: Sequence[str] = METHODS,
) -> list[Coverage]:
    """Draw data sets of `pairs` pairs again and again, and see which intervals hold the truth."""
    rng = np.random.default_rng([seed, pairs, *design.encode()])
    found: dict[str, list[dict[str, FloatArray]]] = {}
    truth: dict[str, float] = {}
    most = _FEW_GRAPHS if design.startswith("graph") else repetitions
    for _ in range(0, min(repetitions, most), _SHARED):
        drawn = simulate(_SHARED, pairs, rng)
        resampling = int(rng.integers(2**31))
        for name, quantity in drawn.items():
            truth[name] = quantity.truth
            found.setdefault(name, []).append(intervals_by_method(quantity, pairs, resampling, resamples, methods))
    rows = []
    for name, parts in found.items():
        ends = {method: np.concatenate([part[method] for part in parts]) for method in methods}
        true = truth[name]
        lies_under, lies_over = (true < ends[REPORTED][:, 0]), (ends[REPORTED][:, 1] < true)
        rows.append(
            Coverage(
                design, name, pairs, len(lies_under), true,
                {m: float(((e[:, 0] <= true) & (true <= e[:, 1])).mean()) for m, e in ends.items()},
                {m: float((e[:, 1] - e[:, 0]).mean()) for m, e in ends.items()},
                float(lies_under.mean()), float(lies_over.mean()),
            )
        )  # fmt: skip
    return rows


def intervals_by_method(
    quantity: Ratio | Smooth, pairs: int, seed: int, resamples: int, methods: Sequence[str] = METHODS
) -> dict[str, npt.NDArray[np.float64]]:
    """Ends of each data set's interval, shape (data sets, 2), all from the same resamples."""
    own, nominal = (kind(pairs, resamples, 0.95, seed) for kind in (PairedBootstrap, Unexpanded))
    # The weights are the same: made once.
    nominal.__dict__["weights"] = own.weights
    ends: dict[str, npt.NDArray[np.float64]] = {}
    for method, bootstrap in (("bootstrap-t", nominal), (REPORTED, own)):
        if method in methods:
            plain = method == REPORTED and isinstance(quantity, Ratio) and quantity.plain
            interval = _plain(quantity, bootstrap) if plain else _studentised(quantity, bootstrap)
            ends[method] = np.stack([interval.lower, interval.upper], axis=1)
    if set(methods) - set(ends):
        value, replicates, others = _replicates(quantity, own)
        for method, bootstrap in (("BCa", nominal), ("expanded BCa", own)):
            interval = bootstrap.interval(value, replicates, others)
            ends[method] = np.stack([interval.lower, interval.upper], axis=1)
        ends["percentile"] = np.nanquantile(replicates, (0.025, 0.975), axis=1).T
    if isinstance(quantity, Ratio) and quantity.rooted:
        ends = {method: np.sqrt(found) for method, found in ends.items()}
    return {method: ends[method] for method in methods}


def _plain(quantity: Ratio | Smooth, bootstrap: PairedBootstrap) -> Interval:
    if not isinstance(quantity, Ratio):
        raise TypeError(quantity)
    return bootstrap.percentiles(quantity.numerator, quantity.denominator)


def _studentised(quantity: Ratio | Smooth, bootstrap: PairedBootstrap) -> Interval:
    if isinstance(quantity, Ratio):
        return bootstrap.ratio(quantity.numerator, quantity.denominator)
    if not isinstance(quantity.function, EffectModularity):
        return smooth_intervals(quantity.columns, quantity.function, bootstrap)
    # Its function is of one graph at a time.
    return join_intervals([smooth_intervals(one[None], quantity.function, bootstrap) for one in quantity.columns])


def _replicates(quantity: Ratio | Smooth, bootstrap: PairedBootstrap) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Estimates, resampled and without each pair."""
    if isinstance(quantity, Ratio):
        top, bottom = quantity.numerator, quantity.denominator
        value = top.mean(axis=1) if bottom is None else top.sum(axis=1) / bottom.sum(axis=1)
        return value, bootstrap.replicates(top, bottom), bootstrap.leave_one_out(top, bottom)
    sets, m, n = quantity.columns.shape
    flat = quantity.columns.reshape(sets * m, n)
    means = (quantity.columns.mean(axis=2)[:, :, None], bootstrap.replicates(flat), bootstrap.leave_one_out(flat))
    parts = [part.reshape(sets, m, -1) for part in means]
    if isinstance(quantity.function, EffectModularity):
        value, drawn, others = (np.stack([quantity.function.value(one[None])[0] for one in part]) for part in parts)
    else:
        value, drawn, others = (quantity.function.value(part) for part in parts)
    return value[:, 0], drawn, others


def write_tables(rows: Sequence[Coverage], seed: int, resamples: int, path: Path) -> None:
    """The document, with what it was made from."""
    error = np.sqrt(0.95 * 0.05 / rows[0].repetitions)
    counts = {"repetitions": f"{rows[0].repetitions:,}", "graphs": _FEW_GRAPHS, "resamples": f"{resamples:,}"}
    text = [_HEAD.format(**counts, seed=seed, error=f"{100 * error:.1f}")]
    for pairs in sorted({row.pairs for row in rows}):
        here = [row for row in rows if row.pairs == pairs]
        text += [f"## {pairs} pairs", "", _summary(here), ""]
        names = ["Quantity", "Design", "Truth", *(f"{m[0].upper()}{m[1:]}" for m in METHODS), "Truth below", "above"]
        text += [f"| {' | '.join(names)} |", f"|---|---|{'---:|' * (len(names) - 2)}"]
        text += [_line(row) for row in here]
        text.append("")
    path.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


def _line(row: Coverage) -> str:
    cells = [row.quantity, row.design, f"{row.truth:.4g}"]
    cells += [f"{100 * row.held[m]:.1f} ({row.width[m] / row.width['percentile']:.2f})" for m in METHODS]
    if not row.kept:
        cells[-1] = f"**{cells[-1]}**"
    return f"| {' | '.join([*cells, f'{100 * row.below:.1f}', f'{100 * row.above:.1f}'])} |"


def _summary(rows: Sequence[Coverage]) -> str:
    kept = {m: sum(LEAST <= row.held[m] <= MOST for row in rows) for m in METHODS}
    counts = ", ".join(f"{m} {kept[m]}" for m in METHODS)
    outside = "; ".join(f"{r.quantity} ({r.design}) {100 * r.held[REPORTED]:.1f} %" for r in rows if not r.kept)
    said = f"Outside it as reported: {outside}." if outside else "None is outside it as reported."
    return f"Within 92 to 98 %, of {len(rows)}: {counts}. {said}"


_HEAD = """# Coverage of nominal 95 % intervals

Made by `python -m tests.effects.coverage docs/coverage.md`; `make test-slow` checks the same with another seed.

{repetitions} repetitions for each number of pairs, {resamples} resamples each, seed {seed}. At 95 % the simulation's
own standard error is {error} points. Each cell is the share of repetitions in which the interval held the truth, in
percent, and in brackets the mean width, as a multiple of that of the percentile interval of the same resamples.
*Reported* is what reports print: the studentised interval (bootstrap-t) at the expanded level, BCa where that is not
defined, and of means of ratios the percentile interval at the expanded level; see "Intervals" in decisions.md. *Truth
below* and *above*: how often the truth lay under or over the reported interval, in percent (2.5 each would be even).
Bold: outside 92 to 98 %.

Designs (`tests/effects/simulated.py`, `tests/effects/engine_pairs.py`):

- *means*: columns of known shape;
- *levels*: a network with an interaction, a factor that steps between three levels, normal latents;
- *skewed*: the same with exponential steps, heavier in their tails than a factor with bounds can be;
- *units*: three latents by four attributes that share their steps, so that a few pairs weigh most in all of them;
- *graph*: the modularity of these three latents' effects, over {graphs} repetitions;
- *engine*: a network of linear maps, and one with a product of latents, run by the engine on pairs that it draws; the
  population's effects are exact polynomial integrals. Their pairs are drawn again from one large run.

Where few pairs hold most of a sum of squares, no bootstrap of these pairs knows what the next ones would bring: below
50 pairs reports say that intervals of skewed effects hold the truth less often than they claim.

Intervals are over draws of pairs. Where an intervention uses quantiles, standard deviations, means, constants or
directions that are estimated on other samples, they take these as given; reports say so and on how many samples.
"""


def main() -> None:
    """Simulate and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--pairs", type=int, nargs="+", default=[16, 32, 48, 128, 512])
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--resamples", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chosen = designs({kind: run_network(Path(folder), kind) for kind in KINDS})
    rows = []
    for pairs in given.pairs:
        for design, simulate in chosen.items():
            rows += simulate_coverage(design, simulate, pairs, given.repetitions, given.seed, given.resamples)
        # What is there so far: all of it takes half an hour.
        write_tables(rows, given.seed, given.resamples, given.path)


if __name__ == "__main__":
    main()
