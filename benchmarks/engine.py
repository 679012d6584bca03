"""This engine as a user runs it, pass by pass of the planner."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.arm import Outcomes
from benchmarks.workload import SweptSite, Workload
from causalvae.engine.packing import pack_for
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shard_run import ShardResult
from causalvae.engine.shards import ShardInputs, shard_bounds
from causalvae.plan.compile import compile_spec
from causalvae.plan.owner import Owner
from causalvae.plan.passes import PASSES
from causalvae.plan.types import Arm, Plan, Side
from causalvae.spec.schema import Spec

COHORT = "resize"
SWEEP = Owner.intervention("sweep")


@dataclass(frozen=True)
class PassSet:
    """The planner's passes up to and with one of them.

    Parameters
    ----------
    name : str
        ``engine: full``, then ``+ PASS``.
    passes : tuple of str
    """

    name: str
    passes: tuple[str, ...]


def pass_sets(workload: Workload) -> tuple[PassSet, ...]:
    """The planner's passes added one by one; one that changes nothing of what the engine does has no set of its own."""
    found = [PassSet("engine: full", ())]
    before = _switches(_compile(workload, ()))
    names = tuple(PASSES)
    for count in range(1, len(names) + 1):
        after = _switches(_compile(workload, names[:count]))
        if after != before:
            found.append(PassSet(f"engine: + {names[count - 1]}", names[:count]))
            before = after
    return tuple(found)


def all_passes() -> PassSet:
    """The engine as users run it."""
    return PassSet("engine", tuple(PASSES))


def _switches(plan: Plan) -> dict[str, Any]:
    return {**asdict(plan.options), "batch_rows": plan.batch_rows, "shard_pairs": plan.shard_pairs}


def _compile(workload: Workload, passes: tuple[str, ...], spec: Spec | None = None) -> Plan:
    spec = workload.spec() if spec is None else spec
    return compile_spec(spec, workload.model.components, workload.dataset.space, passes)


class EngineArm:
    """One pass set on one workload.

    The timed call is `PlanRunner.run` on every shard of the pairs: clean runs of both sides, every arm, the outcome
    table. What it takes with no arm at all, the clean runs, is measured by `run_clean`, since a real run needs
    it once and not once a site.
    """

    def __init__(
        self,
        workload: Workload,
        chosen: PassSet,
        device: torch.device | None = None,
        spec: Spec | None = None,
    ) -> None:
        device = torch.device("cpu") if device is None else device
        self.workload = workload
        self.name = chosen.name
        self.whole_sites = "dead_rows" in chosen.passes
        began = time.process_time()
        self.plan = pack_for(_compile(workload, chosen.passes, spec), workload.model, device, workers=1)
        self.compile_seconds = time.process_time() - began
        began = time.process_time()
        self.runner = PlanRunner(self.plan, workload.model, workload.dataset, workload.measure, device)
        self.runner_seconds = time.process_time() - began
        latents = workload.model.vae.latent_shape
        self.shards = []
        for first, stop in shard_bounds(workload.pairs, self.plan.shard_pairs):
            sides: dict[Side, Tensor] = {
                "base": workload.base[first:stop].to(device),
                "counterfactual": workload.counterfactual[first:stop].to(device),
            }
            noise = torch.zeros((stop - first, *latents), device=device)
            self.shards.append(ShardInputs(COHORT, first, sides, noise))
        self._arms: dict[tuple[str, int], Arm] = {}
        by_id = {arm.id: arm for arm in self.plan.arms}
        for use in self.plan.uses_of(SWEEP, "sweep"):
            arm = by_id[use.arm]
            (patch,) = arm.patches
            for unit in patch.units or ():
                self._arms[patch.site, unit] = arm

    def prepare(self, site: SweptSite) -> None:
        """Nothing: a run makes its own clean runs."""

    @torch.inference_mode()
    def run(self, site: SweptSite, units: Sequence[int]) -> list[ShardResult]:
        """The outcome tables of the units' arms, one a shard."""
        arms = [self._arms[site.name, unit] for unit in units]
        return [self.runner.run(shard, arms, {}, lambda rows, effort: None) for shard in self.shards]

    @torch.inference_mode()
    def run_clean(self) -> list[ShardResult]:
        """A run without arms."""
        return [self.runner.run(shard, [], {}, lambda rows, effort: None) for shard in self.shards]

    def read(self, raw: list[ShardResult], units: Sequence[int]) -> Outcomes:
        """See `benchmarks.arm.BenchmarkArm`."""
        parts = [shard.outcomes[["image_sq", "area"]].to_numpy(np.float64) for shard in raw]
        return np.concatenate([part.reshape(len(units), -1, 2) for part in parts], axis=1)

    def count_live(self, raw: list[ShardResult]) -> int:
        """How many rows were run."""
        return sum(int(shard.outcomes["live"].sum()) for shard in raw)

    def share(self, site: SweptSite, units: Sequence[int]) -> float:
        """See `benchmarks.arm.BenchmarkArm`."""
        return site.units / len(units)
