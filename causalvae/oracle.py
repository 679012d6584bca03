"""What the metrics of latents are for the data's own factors: a code that is perfectly disentangled.

Each factor in turn takes another value in the true input, the others held, and the attributes are read on that input:
so would a network decode whose latents were the factors and whose reconstruction were the input.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from causalvae.data.pairs import draw_pairs, draw_samples
from causalvae.digest import digest
from causalvae.effects.bootstrap import paired_bootstrap
from causalvae.effects.effect_matrix import EffectMatrix, markers_of
from causalvae.effects.metric_rows import MetricFacts
from causalvae.effects.modularity import graph_modularity
from causalvae.effects.outcomes import difference, varies
from causalvae.effects.units import OutputChanges, classify_units
from causalvae.plan.owner import Owner
from causalvae.plan.targets import DataFactor
from causalvae.readouts import measure
from causalvae.session import Session
from causalvae.spec.whole_output import WholeOutput

ORACLE_PAIRS = 64
_SCALE_SAMPLES = 256
_LEAST_PAIRS = 2


@torch.inference_mode()
def measure_factors(session: Session, pairs: int = ORACLE_PAIRS) -> MetricFacts | None:
    """The facts of the factors as if they were latents; None where the data can set fewer than two of them.

    None also where the samples to test on make no two pairs of each of them.

    Parameters
    ----------
    session : Session
    pairs : int
        Pairs a factor, drawn with a seed that no cohort has; equal over factors.

    Notes
    -----
    A factor that is set takes another of its values, or another sample's, as the aggregate posterior of a latent that
    were this factor would have it: the change's length is its posterior-calibrated strength.
    """
    spec, dataset = session.spec, session.dataset
    factors = [factor.name for factor in dataset.space.factors if factor.settable]
    names = list(session.readouts)
    if len(factors) < 2 or not names:
        return None
    seed = int(digest(["oracle", spec.data.seed]), 16) % 2**62
    within = session.split.within(dataset, "test")
    inputs, samples = _read(session, draw_samples(dataset, _SCALE_SAMPLES, seed, within))
    output_sd = float(inputs.flatten(1).double().var(dim=0).sum().sqrt())
    sd = {
        name: float(_spread(column, session.periods.get(name))) for name, column in zip(names, samples.T, strict=True)
    }
    kept = [k for k, name in enumerate(names) if varies(sd[name], samples[:, k], session.affines.get(name, (0.0, 1.0)))]
    every = [draw_pairs(dataset, factor=factor, samples=pairs, seed=seed, within=within) for factor in factors]
    # Finite data may have fewer pairs of one factor than of another.
    pairs = min(map(len, every))
    if pairs < _LEAST_PAIRS:
        return None
    squares = np.empty((len(factors), len(kept), pairs))
    lengths, spreads = np.empty((len(factors), pairs)), np.empty((len(factors), pairs))
    for row, drawn in enumerate(every):
        before, base = _read(session, drawn.base[:pairs])
        after, other = _read(session, drawn.counterfactual[:pairs])
        for place, k in enumerate(kept):
            change = difference(other[:, k], base[:, k], session.periods.get(names[k]))
            squares[row, place] = (change / sd[names[k]]) ** 2
        moved = (after - before).flatten(1).double().abs()
        lengths[row] = moved.norm(dim=1).numpy()
        spreads[row] = torch.special.entr(moved / moved.sum(1, keepdim=True)).sum(1).numpy()
    matrix = EffectMatrix(
        Owner("control", "oracle"),
        "",
        "factors",
        "",
        tuple(map(DataFactor, factors)),
        ("unit",) * len(factors),
        tuple(names[k] for k in kept),
        squares,
    )
    estimation, graph = spec.estimation, spec.graph
    bootstrap = paired_bootstrap(
        pairs, estimation.bootstrap, estimation.confidence, spec.execution.seed, estimation.bca
    )
    gathered = matrix.over_factors(markers_of(graph.edge_pairs, tuple(graph.factors)))
    found = graph_modularity(matrix, bootstrap, spec.execution.seed)
    return MetricFacts(
        matrix=matrix,
        roles=tuple(
            classify_units(
                gathered,
                bootstrap,
                spec.alignment.tolerance,
                spec.alignment.alpha,
                OutputChanges(lengths**2, output_sd),
            )
        ),
        lengths=lengths,
        whole=WholeOutput.of(before.shape[1:]),
        calibrated=lengths,
        spreads=spreads,
        graph=None if found is None else (float(found[0].value[0]), None),
    )


def _read(session: Session, rows: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """What the network should give back of some samples, and the attributes measured on it."""
    target = session.model.vae.target(session.dataset.inputs(rows))
    return target, measure(session.readouts, target).numpy()


def _spread(values: np.ndarray, period: float | None) -> float:
    """Standard deviation; about the circular mean where there is a period."""
    if period is not None:
        angles = np.exp(2j * np.pi * values / period)
        centre = np.angle(np.nanmean(angles)) * period / (2 * np.pi)
        values = difference(values, np.full_like(values, centre), period)
    return float(np.nanstd(values, ddof=1))
