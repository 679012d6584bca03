"""The outputs of a few arms on a few pairs, whole: what pictures are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.precision import matrix_precision
from causalvae.engine.relays import relay
from causalvae.engine.rerun import Group, Shortcuts, group_arms
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import run_clean
from causalvae.engine.values import Statistics
from causalvae.engine.workers import single_threaded_kernels
from causalvae.plan.types import OUTPUT, Arm, Side


@dataclass(frozen=True)
class PickedOutputs:
    """Inputs and outputs of some pairs, each tensor float32 with one row a pair.

    Parameters
    ----------
    inputs, clean : mapping
        Side -> the part of the inputs that is reconstructed, and the outputs without patches.
    patched : tuple of Tensor
        One an arm: the outputs with its patches.
    """

    inputs: Mapping[Side, Tensor]
    clean: Mapping[Side, Tensor]
    patched: tuple[Tensor, ...]


@torch.inference_mode()
def run_picked(
    runner: PlanRunner, cohort: str, arms: Sequence[Arm], pairs: Sequence[int], statistics: Mapping[str, Statistics]
) -> PickedOutputs:
    """Run arms of one cohort on some of its pairs, as `run_shard` does; the outputs are the same bit for bit.

    Parameters
    ----------
    runner : PlanRunner
        Of a plan whose arms are these, so that their donors are found.
    cohort : str
    arms : sequence of Arm
        With patches.
    pairs : sequence of int
        Increasing.
    statistics : mapping
        What the arms' sources need; see `PlanRunner.statistics`.
    """
    options, components, graph = runner.plan.options, runner.components, runner.graph
    inputs = runner.picked(cohort, pairs)
    # All of them are on all of these pairs.
    arms = [replace(arm, pairs=len(pairs)) for arm in arms]
    shortcuts, size = Shortcuts.of(options), BatchSize(runner.plan.batch_rows)
    with single_threaded_kernels(), matrix_precision(options.precision):
        clean = run_clean(graph, inputs, needed_values(graph, components, arms, shortcuts, (OUTPUT,)), size)
        outputs = {side: values[graph.outputs[OUTPUT]].float() for side, values in clean.sides.items()}
        clean, _ = relay(graph, components, arms, clean, statistics, shortcuts, size)
        patched = [outputs[arm.side].clone() for arm in arms]
        for members in group_arms(arms):
            group = Group(
                graph, components, [arms[member] for member in members], clean, statistics,
                [len(pairs)] * len(members), shortcuts,
            )  # fmt: skip
            for batch in group.batches(group.live(), size):
                for place in batch.arms.unique().tolist():
                    mine = batch.arms == place
                    patched[members[place]][batch.pairs[mine]] = batch.output[mine].float()
    target = runner.model.vae.target
    return PickedOutputs({side: target(x).float() for side, x in inputs.sides.items()}, outputs, tuple(patched))
