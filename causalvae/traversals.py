"""What setting a latent to quantiles of its values does to outputs and attributes, on a few observed samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from causalvae.effects.context import EffectContext
from causalvae.effects.outcomes import difference
from causalvae.engine.execute import choose_device
from causalvae.engine.runner import PlanRunner
from causalvae.engine.traversals import decode_steps, quantile_values
from causalvae.plan.cost import arm_cost
from causalvae.plan.types import Arm, Patch, Plan, Traversal
from causalvae.results import DoseResponse, TraversalStrip
from causalvae.session import Session
from causalvae.shown_outputs import TRAVERSAL_BYTES, FloatArray, focused, output_facts
from causalvae.spec.picture import Datum, Picture, picture_of
from causalvae.spec.value_source import make_source

Numbers = npt.NDArray[np.float64]

# Samples whose latents are set, and what all may cost.
_MOST_SAMPLES: Final = 16
_MOST_FLOPS: Final = 2e10
# Latents with curves, the strongest first.
_MOST_CURVES: Final = 32


@dataclass(frozen=True)
class _Swept:
    """One latent: its values, the outputs of the first sample, and changes over samples.

    `changes` has shape (samples, steps, attributes).
    """

    traversal: Traversal
    values: Numbers
    outputs: FloatArray
    changes: Numbers
    strength: float


@torch.inference_mode()
def traversal_strips(session: Session, context: EffectContext) -> tuple[TraversalStrip, ...]:
    """All latents of a plan's traversals, the one that changes outputs most first.

    Parameters
    ----------
    session : Session
    context : EffectContext
        Of the run.
    """
    traversals = context.plan.traversals
    if not traversals:
        return ()
    sweeper = _Sweeper(session, context)
    swept = sorted((sweeper.sweep(item) for item in traversals), key=lambda item: -item.strength)
    facts = output_facts(session)
    kind = picture_of(facts)
    facts = focused(facts, (item.outputs - item.outputs.mean(axis=0) for item in swept))
    # A sound's steps are seen and not heard.
    kept = [
        [replace(kind.keep(output, facts), wav="") for output in item.outputs] if kind.shows_steps else []
        for item in swept
    ]
    strips = []
    for rank, (item, steps) in enumerate(zip(swept, _within_budget(kept, kind), strict=True)):
        strips.append(
            TraversalStrip(
                item.traversal.label, item.traversal.latent, item.traversal.quantiles,
                tuple(datum.png for datum in steps if not kind.keeps_numbers),
                tuple(_short(value) for value in item.values),
                tuple(datum.numbers for datum in steps if kind.keeps_numbers), _short(item.strength), sweeper.samples,
                sweeper.responses(item) if rank < _MOST_CURVES else (),
            )
        )  # fmt: skip
    return tuple(strips)


def most_forwards(session: Session, plan: Plan) -> float:
    """What `traversal_strips` runs at most, in whole forward passes."""
    steps = sum(len(item.quantiles) for item in plan.traversals)
    components = session.model.components
    latent = Arm("", "base", (Patch("latent", None, make_source("zero")),), 1)
    samples = _affordable_samples(steps * components.flops)
    return samples * steps * arm_cost(latent, components, "suffix")


def _affordable_samples(flops: float) -> int:
    """How many samples' latents are set, where those of one take so many operations."""
    return int(min(_MOST_SAMPLES, max(1, _MOST_FLOPS // max(flops, 1.0))))


def _within_budget(strips: Sequence[Sequence[Datum]], kind: type[Picture]) -> list[tuple[Datum, ...]]:
    """The strips that there is room for, the first ones first; every second or fourth step where all would be too many.

    Steps that are omitted are empty.
    """
    sizes = [[kind.size(datum) for datum in steps] for steps in strips]
    stride = next((n for n in (1, 2, 4) if sum(sum(steps[::n]) for steps in sizes) <= TRAVERSAL_BYTES), 4)
    room, kept = TRAVERSAL_BYTES, []
    for steps in strips:
        chosen = tuple(datum if place % stride == 0 else Datum() for place, datum in enumerate(steps))
        size = sum(kind.size(datum) for datum in chosen)
        kept.append(chosen if size <= room else ())
        room -= size if size <= room else 0
    return kept


class _Sweeper:
    """Decodes latents of the first observed samples.

    Attributes
    ----------
    samples : int
    """

    def __init__(self, session: Session, context: EffectContext) -> None:
        plan, model = context.plan, session.model
        self._session, self._context, self._vae = session, context, model.vae
        self._device = choose_device(session.spec.execution.device)
        observed = context.measurements.observations
        columns = [f"latent:{latent}" for latent in range(model.vae.latent_dim)]
        self._latents = torch.from_numpy(observed[columns].to_numpy(np.float32, copy=True)).to(self._device)
        self._vae.to(self._device)
        steps = sum(len(item.quantiles) for item in plan.traversals)
        self.samples = min(_affordable_samples(steps * model.components.flops), len(observed))
        first = plan.traversals[0].sample
        # The sample that is shown comes first.
        chosen = [first, *(sample for sample in range(self.samples) if sample != first)][: self.samples]
        self._own = self._inputs(chosen)

    def _inputs(self, chosen: Sequence[int]) -> list[tuple[Tensor, Tensor | None]]:
        """Latents and, where the decoder reads it, input of each sample."""
        if not self._vae.decoder_reads_input and len(self._vae.latent_shape) == 1:
            return [(self._latents[sample : sample + 1], None) for sample in chosen]
        session = self._session
        runner = PlanRunner(self._context.plan, session.model, session.dataset, session.measure, self._device)
        return [runner.whole_latent(sample) for sample in chosen]

    def sweep(self, traversal: Traversal) -> _Swept:
        """One latent set to its quantiles, the others held; changes are from the middle one."""
        values = quantile_values(self._latents, traversal.latent, traversal.quantiles)
        outputs, changes, squares = [], [], []
        middle = len(values) // 2
        for own, x in self._own:
            found = decode_steps(self._vae, own, x, traversal.latent, values).float()
            measured = self._session.measure(found).cpu().numpy()
            changes.append(self._difference(measured, measured[middle]))
            squares.append(float((found - found[middle]).double().square().flatten(1).sum(1).mean()))
            outputs.append(found)
        strength = float(np.sqrt(np.mean(squares)))
        return _Swept(
            traversal, values.double().cpu().numpy(), outputs[0].cpu().numpy(), np.stack(changes), strength
        )  # fmt: skip

    def _difference(self, measured: Numbers, own: Numbers) -> Numbers:
        periods = self._session.periods
        columns = [
            difference(measured[:, column], own[column], periods.get(name))
            for column, name in enumerate(self._session.readouts)
        ]
        return np.stack(columns, axis=1) if columns else np.empty((len(measured), 0))

    def responses(self, swept: _Swept) -> tuple[DoseResponse, ...]:
        """The change of each attribute at each value: mean, lowest and highest over samples."""
        found = []
        for column, name in enumerate(self._session.readouts):
            changes = swept.changes[:, :, column]
            known = np.isfinite(changes)
            count = known.sum(axis=0)
            mean = np.where(known, changes, 0.0).sum(axis=0) / np.where(count, count, np.nan)
            ends = [
                np.where(count, pick(np.where(known, changes, blank), axis=0), np.nan)
                for pick, blank in ((np.min, np.inf), (np.max, -np.inf))
            ]
            curves = [tuple(_short(value) for value in curve) for curve in (mean, *ends)]
            found.append(DoseResponse(name, self._context.scale.unit(name), *curves))
        return tuple(found)


def _short(value: float) -> float:
    """A number with six digits: it is only drawn."""
    return float(f"{value:.6g}")
