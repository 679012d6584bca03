"""Runs circuits of a network: the counterfactual input with every candidate outside a circuit held.

Circuits are arms of the engine: rows are circuits times pairs, clean values of both sides are kept once, and only what
lies downstream of the first held site is run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from causalvae.analyses.discoveries.circuit_effects import BoolArray, CircuitEffects, Evaluate, FloatArray, IntArray
from causalvae.analyses.discoveries.section import IMAGE, HeldAt
from causalvae.circuits.types import Circuit
from causalvae.effects.outcomes import difference
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.outcomes import IMAGE_COLUMNS, OutcomeMeter
from causalvae.engine.relays import relay
from causalvae.engine.rerun import Group, Shortcuts, group_arms
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.values import CleanRuns, Statistics
from causalvae.engine.workers import run_tasks
from causalvae.models.components import ComponentRef
from causalvae.plan.resolve import in_network_order
from causalvae.plan.types import Arm, Patch, Side
from causalvae.spec.markers import Choice
from causalvae.spec.value_source import ValueSource, make_source, source_of
from causalvae.values.relayed import Relayed

INTERCHANGE = make_source("interchange")
_SIDES: tuple[Side, Side] = ("base", "counterfactual")
# Rows that one task of a worker runs.
_TASK_ROWS = 2048


class NetworkRuns:
    """Circuits of one network, on the pairs of one cohort.

    Parameters
    ----------
    runner : PlanRunner
        Of a plan with the cohort; its part says which pairs are taken.
    cohort : str
    parts : sequence of ComponentRef
        Disjoint parts of the network, in network order: the candidates.
    outcome : str
        An attribute of the plan, or ``image``.
    held_at : {"interchange", "mean", "resample"}
        What a candidate outside a circuit is held at: its value in the base run, its mean over base runs, or its value
        in the base run of another pair.
    period : float, optional
        Of the outcome, where it lies on a circle.
    workers : int
        Threads.

    Attributes
    ----------
    candidates : tuple of ComponentRef or EdgeRef
        What circuits are made of.
    rows : int
        Runs of one pair each so far.
    """

    def __init__(
        self,
        runner: PlanRunner,
        cohort: str,
        parts: Sequence[ComponentRef],
        outcome: str,
        held_at: HeldAt = "interchange",
        period: float | None = None,
        workers: int = 1,
    ) -> None:
        self.runner = runner
        self._cohort = cohort
        self.candidates: Circuit = tuple(parts)
        self.outcome = outcome
        self._source = source_of(Choice(held_at), runner.plan.seed)
        self._period = period
        self._workers = workers
        self._relayed: tuple[Arm, ...] = ()
        self.rows = 0
        shape = {site.name: position for position, site in enumerate(runner.model.components.sites)}
        self._order = sorted({ref.site for ref in parts}, key=shape.__getitem__)

    @property
    def parts(self) -> tuple[ComponentRef, ...]:
        """What is held in the network: the candidates themselves, or what edges join."""
        return tuple(part for part in self.candidates if isinstance(part, ComponentRef))

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return self.inputs.rows

    @cached_property
    def _held(self) -> Arm:
        """Everything held at once: what decides which values are kept, and which donors are drawn."""
        return self.arm(self.parts, "counterfactual", self._source)

    @cached_property
    def inputs(self) -> ShardInputs:
        """The inputs of all pairs."""
        runner = self.runner
        cohort = runner.cohorts[self._cohort].cohort
        held = Arm(self._cohort, "counterfactual", self._patches(self.parts, self._source), cohort.samples)
        drawn = replace(runner.plan, arms=(held,))
        # Donors are drawn for the arms of a plan.
        own = PlanRunner(drawn, runner.model, runner.dataset, runner.measure, runner.device)
        return (own if runner.part == "test" else own.on_part(runner.part)).shard(self._cohort, 0, cohort.samples)

    @cached_property
    def _statistics(self) -> dict[str, Statistics]:
        return self.runner.statistics(self._cohort, [self._held])

    @cached_property
    def _clean(self) -> CleanRuns:
        """The clean values that any circuit needs."""
        runner, held = self.runner, self._held
        # A circuit may leave the first sites free: what is re-run then begins further down, and reads other values.
        begun = [replace(held, patches=held.patches[first:]) for first in range(len(held.patches))]
        few = [replace(patch, units=(patch.units or (0,))[:1], source=INTERCHANGE) for patch in held.patches]
        alone = [replace(held, patches=(patch,), side=side) for patch in few for side in _SIDES]
        arms = [replace(arm, side=side) for arm in begun for side in _SIDES]
        arms += self._relayed
        keep = needed_values(runner.graph, runner.model.components, arms, _JOINT, runner.plan.outputs)
        single = needed_values(runner.graph, runner.model.components, alone, self._alone, runner.plan.outputs)
        sides = {side: keep.sides[side] | single.sides[side] for side in _SIDES}
        return run_clean(runner.graph, self.inputs, replace(keep, sides=sides), BatchSize(runner.plan.batch_rows))

    @cached_property
    def _alone(self) -> Shortcuts:
        return Shortcuts.of(self.runner.plan.options)

    @cached_property
    def _meter(self) -> OutcomeMeter:
        plan, graph = self.runner.plan, self.runner.graph
        outputs = {
            side: {name: values[graph.outputs[name]] for name in plan.outputs}
            for side, values in self._clean.sides.items()
        }
        return OutcomeMeter(self.runner.measure, plan, outputs["base"], outputs["counterfactual"])

    @cached_property
    def _outcomes(self) -> dict[Side, FloatArray]:
        """The clean outcomes of each side: (pairs, columns)."""
        plan, graph = self.runner.plan, self.runner.graph
        everyone = torch.arange(self.pairs, device=self.runner.device)
        return {
            side: self._meter({name: values[graph.outputs[name]] for name in plan.outputs}, everyone)
            for side, values in self._clean.sides.items()
        }

    def arm(self, parts: Sequence[ComponentRef], side: Side, source: ValueSource) -> Arm:
        """An arm in which `parts` take their values from `source`."""
        return Arm(self._cohort, side, self._patches(parts, source), self.pairs)

    def mixed_arm(self, parts: Sequence[tuple[ComponentRef, ValueSource]]) -> Arm:
        """An arm of the base run in which each part takes its value from a source of its own."""
        sources = dict.fromkeys(source for _, source in parts)
        patches = [
            patch
            for source in sources
            for patch in self._patches([part for part, own in parts if own == source], source)
        ]
        return Arm(self._cohort, "base", in_network_order(tuple(patches), self.runner.model.components), self.pairs)

    def _patches(self, parts: Sequence[ComponentRef], source: ValueSource) -> tuple[Patch, ...]:
        """One patch a site and window, in network order."""
        units: dict[tuple[str, tuple[tuple[int, int], ...]], set[int] | None] = {}
        for part in parts:
            key = part.site, part.window
            known = units.setdefault(key, set())
            units[key] = None if part.units is None or known is None else known | {*part.units}
        places = {name: position for position, name in enumerate(self._order)}
        return tuple(
            Patch(site, None if some is None else tuple(sorted(some)), source, window)
            for (site, window), some in sorted(units.items(), key=lambda item: (places[item[0][0]], item[0][1]))
        )

    @torch.inference_mode()
    def __call__(self, circuits: BoolArray, only: Tensor | None = None) -> CircuitEffects:
        """The effects of circuits, shape (circuits, candidates): everything outside them held.

        Pairs other than those of `only`, a bool tensor of shape (pairs,), are not run, and mean nothing.
        """
        parts = self.parts
        arms = [
            self.arm([parts[place] for place in np.flatnonzero(~circuit)], "counterfactual", self._source)
            for circuit in circuits
        ]
        return self.effects(arms, only)

    def on(self, pairs: IntArray) -> Evaluate:
        """The effects of circuits on some of the pairs, which alone are run."""
        only = self._mask(pairs)
        return lambda circuits: self(circuits, only).on(pairs)

    def patched_on(self, pairs: IntArray) -> Evaluate:
        """The same of sets of candidates that take their other value in the base run."""
        only = self._mask(pairs)
        return lambda sets: self.patched(sets, only).on(pairs)

    def _mask(self, pairs: IntArray) -> Tensor:
        only = torch.zeros(self.pairs, dtype=torch.bool, device=self.runner.device)
        only[torch.from_numpy(pairs)] = True
        return only

    @torch.inference_mode()
    def patched(self, sets: BoolArray, only: Tensor | None = None) -> CircuitEffects:
        """The effects of sets of candidates, (sets, candidates), that take their other value in the base run."""
        parts = self.parts
        arms = [self.arm([parts[place] for place in np.flatnonzero(chosen)], "base", INTERCHANGE) for chosen in sets]
        return self.effects(arms, only)

    @torch.inference_mode()
    def effects(self, arms: Sequence[Arm], only: Tensor | None = None) -> CircuitEffects:
        """The effects of arms, each over all pairs: what they change against the base run."""
        if any(isinstance(patch.source, Relayed) for arm in arms for patch in arm.patches):
            # Relayed values come from runs that read other clean values than circuits do.
            self._relayed = tuple(arms)
            self.__dict__.pop("_clean", None)
        if not arms:
            nothing = np.zeros((0, self.pairs))
            return CircuitEffects(nothing, nothing, self._total)
        return self._read(self._run(arms, only))

    @property
    def _total(self) -> FloatArray:
        return np.asarray(self._read(self._outcomes["counterfactual"][None]).square[0])

    def _read(self, outcomes: FloatArray) -> CircuitEffects:
        """From outcomes, (arms, pairs, columns), to effects."""
        base, other = self._outcomes["base"], self._outcomes["counterfactual"]
        if self.outcome == IMAGE:
            square, along = (outcomes[..., -len(IMAGE_COLUMNS) + column] for column in range(2))
            return CircuitEffects(along, square, other[:, -len(IMAGE_COLUMNS)])
        column = self.runner.plan.attributes.index(self.outcome)
        total = difference(other[:, column], base[:, column], self._period)
        done = difference(outcomes[..., column], base[:, column], self._period)
        known = np.isfinite(total)
        total = np.where(known, total, 0.0)
        done = np.where(np.isfinite(done) & known, done, 0.0)
        return CircuitEffects(done * total, done**2, total**2)

    def _run(self, arms: Sequence[Arm], only: Tensor | None) -> FloatArray:
        """Outcomes of arms: (arms, pairs, columns)."""
        values = np.stack([self._outcomes[arm.side] for arm in arms])
        tasks = []
        for positions in group_arms(arms):
            if not arms[positions[0]].patches:
                continue
            step = max(1, _TASK_ROWS // self.pairs)
            tasks += [
                partial(self._fill, values, arms, positions[first : first + step], only)
                for first in range(0, len(positions), step)
            ]
        # Made here, for a property that is made once must not be made by two threads.
        _ = self._clean, self._statistics, self._meter
        run_tasks(tasks, self._workers)
        self.rows += len(arms) * (self.pairs if only is None else int(only.sum()))
        return values

    def _fill(self, values: FloatArray, arms: Sequence[Arm], positions: Sequence[int], only: Tensor | None) -> None:
        """Write the outcomes of arms that patch the same sites into `values`."""
        runner = self.runner
        chosen = [arms[position] for position in positions]
        shortcuts = self._alone if len(chosen[0].patches) == 1 and chosen[0] not in self._relayed else _JOINT
        size = BatchSize(runner.plan.batch_rows)
        components = runner.model.components
        clean, _ = relay(runner.graph, components, chosen, self._clean, self._statistics, shortcuts, size)
        group = Group(
            runner.graph, components, chosen, clean, self._statistics, [self.pairs] * len(chosen), shortcuts,
            runner.plan.outputs,
        )  # fmt: skip
        owners = np.asarray(positions)
        live = group.live()
        for batch in group.batches(live if only is None else live & only, size):
            measured = self._meter(batch.values, batch.pairs)
            values[owners[batch.arms.cpu().numpy()], batch.pairs.cpu().numpy()] = measured


# Of many patches at once: telling which rows they leave as they are costs more than to run them.
_JOINT = Shortcuts(suffix=True, dead_rows=False, low_rank=False, windows=False)
