"""A few rows of every kind, run and timed to tell what all will cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from causalvae.engine.clock import busy_seconds
from causalvae.engine.fitting import fit_sources
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.outcomes import OutcomeMeter
from causalvae.engine.relays import relay
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.statistics import gather_needed, merge
from causalvae.engine.subspaces.learning import standing_statistics
from causalvae.engine.suffix import Ledger
from causalvae.engine.values import MIN_ROWS, Statistics
from causalvae.plan.cost import Cost
from causalvae.plan.relays import with_inner
from causalvae.plan.types import OUTPUT, Arm

# Of a group whose rows come in parts that differ in cost, this many parts are timed.
_TIMED_PARTS = 3
_REPETITIONS = 3


@dataclass(frozen=True)
class Work(Cost):
    """What rows cost, with the seconds of one core that they take."""

    seconds: float = 0.0

    def scaled(self, rows: float) -> Work:
        """The same kind of work for another number of rows."""
        return self.times(rows / self.rows, rows) if self.rows else Work()

    def times(self, share: float, rows: float) -> Work:
        """A share of this work, spread over `rows` rows."""
        return Work(rows, self.forwards * share, self.flops * share, self.bytes * share, self.seconds * share)


@dataclass
class Allowance:
    """Seconds that may still be spent on timing."""

    left: float

    def time(self, run: Callable[[], object], device: torch.device) -> float:
        """Seconds of `run`, the least of a few where the allowance suffices for more than one."""
        times: list[float] = []
        while not times or (len(times) < _REPETITIONS and times[-1] <= self.left):
            began = busy_seconds(device)
            run()
            times.append(busy_seconds(device) - began)
            self.left -= times[-1]
        return min(times)


@dataclass(frozen=True)
class LiveRows:
    """Which rows of a sample must be run.

    Parameters
    ----------
    mask : Tensor, bool, shape (arms, pairs)
    share, error : float
        The share of covered rows that are live, and its standard error over pairs, which are what was drawn.
    """

    mask: Tensor
    share: float
    error: float


class Trial:
    """The first pairs of a cohort, with their clean runs.

    Parameters
    ----------
    runner : PlanRunner
    cohort : str
    arms : sequence of Arm
        The cohort's.
    pairs : int
        How many pairs are run.

    Attributes
    ----------
    cohort : str
        As given.
    input_seconds : float
        What one input took to make.
    """

    def __init__(self, runner: PlanRunner, cohort: str, arms: Sequence[Arm], pairs: int) -> None:
        self.cohort = cohort
        self._runner = runner
        self._graph, self._components = runner.graph, runner.components
        self._device = runner.device
        # Drawn before the clock starts: a cohort is drawn once, its images shard by shard.
        sides = len(runner.cohorts[cohort].rows)
        began = busy_seconds(self._device)
        self._inputs = runner.shard(cohort, 0, pairs)
        made = pairs * (sides + len(self._inputs.donors))
        self.input_seconds = (busy_seconds(self._device) - began) / made
        requested = tuple(dict.fromkeys((*runner.plan.outputs, OUTPUT)))
        keep = needed_values(self._graph, self._components, arms, Shortcuts(), requested)
        self._statistics = facts_of(runner, arms, self._inputs)
        clean = run_clean(self._graph, self._inputs, keep)
        size = BatchSize(runner.plan.batch_rows)
        self._clean, _ = relay(self._graph, self._components, arms, clean, self._statistics, Shortcuts(), size)
        outputs = {
            side: {name: values[self._graph.outputs[name]] for name in runner.plan.outputs}
            for side, values in self._clean.sides.items()
        }
        self._meter = OutcomeMeter(runner.measure, runner.plan, outputs["base"], outputs.get("counterfactual"))

    @property
    def pairs(self) -> int:
        """How many pairs are run."""
        return self._inputs.rows

    def whole_pass(self, batch_rows: int, allowance: Allowance) -> Work:
        """What whole forward passes cost, outcomes measured: of a full batch where the allowance suffices for it."""
        few = self._whole_rows(MIN_ROWS, allowance)
        if batch_rows <= MIN_ROWS or few.scaled(batch_rows).seconds * _REPETITIONS > allowance.left:
            return few
        return self._whole_rows(batch_rows, allowance)

    def _whole_rows(self, rows: int, allowance: Allowance) -> Work:
        index = torch.arange(rows, device=self._device) % self.pairs
        x, noise = self._inputs.sides["base"][index], self._inputs.noise[index]

        def run() -> None:
            found = self._graph.run(x, noise, keep=())
            self._meter({name: found[self._graph.outputs[name]] for name in self._runner.plan.outputs}, index)

        operations = self._components.operations
        flops = rows * self._components.flops
        moved = rows * sum(operation.bytes for operation in operations)
        return Work(rows, rows, flops, moved, allowance.time(run, self._device))

    def group(
        self, arms: Sequence[Arm], shortcuts: Shortcuts, requested: tuple[str, ...],
        ends: Mapping[str, str] | None = None,
    ) -> Group:  # fmt: skip
        """Arms that patch the same sites on the same side, on this sample; `requested` and `ends` as for `Group`."""
        covered = [min(arm.pairs, self.pairs) for arm in arms]
        return Group(
            self._graph, self._components, arms, self._clean, self._statistics, covered, shortcuts, requested, ends
        )  # fmt: skip

    def live(self, arms: Sequence[Arm], shortcuts: Shortcuts, ends: Mapping[str, str] | None = None) -> LiveRows:
        """The rows of `arms` that must be run."""
        mask = self.group(arms, shortcuts, self._runner.plan.outputs, ends).live()
        covered = self._covered(arms)
        share = float(mask.sum()) / float(covered.sum())
        per_pair = (mask.sum(0).double() / covered.sum(0).clamp(min=1)).cpu()
        drawn, of = len(per_pair), max(arm.pairs for arm in arms)
        # Where all pairs were looked at, nothing is left to err about.
        unseen = max(0.0, 1.0 - drawn / of)
        error = float(per_pair.std() * (unseen / drawn) ** 0.5) if drawn > 1 else 0.0
        return LiveRows(mask, share, error)

    def _covered(self, arms: Sequence[Arm]) -> Tensor:
        """All covered rows of every arm: bool, (arms, pairs)."""
        covered = torch.tensor([min(arm.pairs, self.pairs) for arm in arms], device=self._device)
        return torch.arange(self.pairs, device=self._device)[None] < covered[:, None]

    def time(
        self,
        arms: Sequence[Arm],
        live: LiveRows | None,
        shortcuts: Shortcuts,
        requested: tuple[str, ...],
        rows: int,
        allowance: Allowance,
        rng: np.random.Generator,
        ends: Mapping[str, str] | None = None,
    ) -> Work:
        """Run some live rows of `arms` and measure their outcomes; any rows where none of the sample is live.

        Parameters
        ----------
        arms : sequence of Arm
            A group.
        live : LiveRows or None
        shortcuts : Shortcuts
        requested : tuple of str
        rows : int
            Rows of a batch; this many are run of each of a few parts of the group.
        allowance : Allowance
        rng : Generator
            Chooses them.
        ends : mapping, optional
            Of inner runs, whose outcomes are not measured: the values that they are run for.
        """
        group = self.group(arms, shortcuts, requested, ends)
        mask = self._covered(arms) if live is None or not bool(live.mask.any()) else live.mask
        chosen = self._choose(group, mask, rows, rng)
        ledgers: list[Ledger] = []

        def run() -> None:
            ledgers.append(Ledger())
            for batch in group.batches(chosen, BatchSize(rows), ledgers[-1]):
                if ends is None:
                    self._meter(batch.values, batch.pairs)

        seconds = allowance.time(run, self._device)
        whole = self._components.flops
        count, ledger = float(chosen.sum()), ledgers[-1]
        # Rows that only fill a batch are run as well, and there are few of them in batches as full as a run's.
        real = count / ledger.rows
        forwards = ledger.flops / whole if whole else 0.0
        return Work(count, forwards * real, ledger.flops * real, ledger.bytes * real, seconds * real)

    def _choose(self, group: Group, mask: Tensor, rows: int, rng: np.random.Generator) -> Tensor:
        """A batch of rows of a few parts, each part as likely as it has rows."""
        chosen = torch.zeros_like(mask)
        parts = group.parts()
        counts = np.array([float(mask[members].sum()) for members in parts])
        few = min(_TIMED_PARTS, int((counts > 0).sum()))
        for number in rng.choice(len(parts), size=few, replace=False, p=counts / counts.sum()):
            left = rows
            for member in rng.permutation(parts[number]):
                places = mask[member].nonzero().flatten()[:left]
                chosen[member, places] = True
                left -= len(places)
                if left == 0:
                    break
        return chosen


def facts_of(runner: PlanRunner, arms: Sequence[Arm], inputs: ShardInputs) -> dict[str, Statistics]:
    """What the sources of `arms` need to know of a cohort, from a few inputs that stand for it.

    Which rows are live, and what they cost, depends little on the very value.
    """
    arms = with_inner(arms)
    fitted = [arm for arm in arms if any(patch.source.is_fitted for patch in arm.patches)]
    return merge(
        fit_sources(runner.graph, runner.components, fitted, inputs, runner.plan.outputs, inputs.rows, search=False),
        gather_needed(runner.graph, runner.components, arms, lambda _: [inputs], inputs.cohort),
        standing_statistics(arms, runner.components),
    )
