"""What only vector outcomes have: shares of the mean change, and how far an indirect effect turns away from the change.

- share of the mean change = <mean NIE, mean TE> / <mean TE, mean TE>, the ratio of means of a vector: changes of
  opposite pairs cancel, component by component, before they are compared;
- turned away = mean ||NIE - <NIE, TE> TE / ||TE||^2||, what an effect does across the total change, which no component
  along it shows.
"""

from __future__ import annotations

import numpy as np

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import FloatArray, Interval, PairedBootstrap
from causalvae.effects.mediation import PairEffects
from causalvae.effects.notes import UNCLEAR, Note, dropped
from causalvae.effects.outcomes import cancelling
from causalvae.effects.significance import mean_vector_test, t_test
from causalvae.effects.smooth_intervals import smooth_intervals
from causalvae.effects.types import Estimate


def vector_estimates(
    effects: PairEffects,
    bootstrap: PairedBootstrap,
    ablation: Ablation,
    unit: str,
    *,
    with_shares: bool = True,
    as_drawn: bool = False,
) -> list[Estimate]:
    """The estimates above; none where the outcome is no vector.

    Parameters
    ----------
    effects : PairEffects
        With two pairs or more.
    bootstrap : PairedBootstrap
        Over ``effects.n`` pairs.
    ablation : Ablation
    unit : str
        The outcome's own.
    with_shares : bool
        Whether the shares mean something: the treatment moves the outcome.
    as_drawn : bool
        Whether the pairs are in the order of drawing, so that means of the components may cancel.
    """
    parts = effects.parts
    if parts is None:
        return []
    left = dropped(effects.dropped)
    away = np.sqrt(np.maximum((parts.indirect**2).sum(axis=0) - effects.indirect**2, 0.0))[None]
    mean = bootstrap.ratio(away)
    estimates = [
        ablation.estimate(
            "indirect_effect_turned_away", effects.outcome, unit, effects.n, mean.value[0], mean.ends(0),
            direction="denoising", notes=(Note("across"), *left),
        )
    ]  # fmt: skip
    if not with_shares or not parts.total.mean(axis=1).any():
        return estimates
    unclear = mean_vector_test(parts.total) > 1 - bootstrap.confidence
    cancels = next(filter(None, (cancelling(part, as_drawn) for part in parts.total)), ())
    notes = (Note("by_component"), *left, *cancels, *((UNCLEAR,) if unclear else ()))
    for name, part, direction in (
        ("mediated_share_ratio_of_means", parts.indirect, "denoising"),
        ("necessity_ratio_of_means", parts.total_indirect, "noising"),
    ):
        share = share_of_mean(part, parts.total, bootstrap)
        estimates.append(
            ablation.estimate(
                name, effects.outcome, "share", effects.n, share.value[0], share.ends(0),
                _p_value(part, parts.total), direction=direction, notes=notes,
            )
        )  # fmt: skip
    return estimates


def share_of_mean(part: FloatArray, total: FloatArray, bootstrap: PairedBootstrap) -> Interval:
    """<mean part, mean total> / <mean total, mean total>.

    Parameters
    ----------
    part, total : float array, shape (components, n)
    bootstrap : PairedBootstrap
        Over n pairs.
    """
    return smooth_intervals(np.concatenate([part, total])[None], ShareOfMean(len(part)), bootstrap)


class ShareOfMean:
    """<p, t> / <t, t> of 2 k means: first the k of p, then the k of t."""

    limits = (-np.inf, np.inf)

    def __init__(self, components: int) -> None:
        self._k = components

    def value(self, means: FloatArray) -> FloatArray:
        """NaN where no component of t is other than zero."""
        part, total = means[:, : self._k], means[:, self._k :]
        square = (total**2).sum(axis=1)
        result = np.full(square.shape, np.nan)
        np.divide((part * total).sum(axis=1), square, out=result, where=square > 0)
        return result

    def gradient(self, means: FloatArray) -> FloatArray:
        """By p: t / <t, t>; by t: (p - 2 share t) / <t, t>."""
        part, total = means[:, : self._k], means[:, self._k :]
        square = (total**2).sum(axis=1, keepdims=True)
        slopes = np.concatenate([total, part - 2 * self.value(means)[:, None] * total], axis=1)
        return np.asarray(np.divide(slopes, square, out=np.zeros_like(slopes), where=square > 0))


def _p_value(part: FloatArray, total: FloatArray) -> float:
    """Of <mean part, mean total> = 0, to first order: a t-test of each pair's influence on that product."""
    mean_part, mean_total = part.mean(axis=1), total.mean(axis=1)
    influence = mean_total @ part + mean_part @ total - float(mean_part @ mean_total)
    return float(t_test(influence[None]).p_two_sided[0])
