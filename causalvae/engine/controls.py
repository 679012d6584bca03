"""Exact checks of the engine with the analysed network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.suffix import Ledger
from causalvae.engine.values import padding
from causalvae.models.components import ComponentMap
from causalvae.models.program import Program
from causalvae.plan.types import OUTPUT, Arm

# A small batch, like the last one of a group.
FEW_ROWS = 5
# Rows on which the engine's kernels are compared with the network: rounding does not depend on how many there are.
COMPARED_ROWS = 32


@dataclass(frozen=True)
class EngineControls:
    """Deviations from exact properties of patching.

    Parameters
    ----------
    self_patch : float
        Maximum absolute change of the output if a site, or its first unit alone, is patched with its own value, over
        all `sites`; must be 0.
    full_patch : float
        Maximum absolute difference between Y(x; latent <- latent(x')) and Y(x'); must be 0. None if the input reaches
        the output around the latent.
    network : float
        Maximum absolute difference between the output of the engine's kernels and that of the network, divided by the
        maximum of the output: rounding errors, since the captured network equals the original bit for bit.
    sites, pairs, rows : int
        What was patched, and on how many pairs; the rows are those of all arms.
    """

    self_patch: float
    full_patch: float | None
    network: float
    sites: int
    pairs: int
    rows: int


def check_engine(
    graph: Program,
    components: ComponentMap,
    network: torch.nn.Module,
    arms: Sequence[Arm],
    inputs: ShardInputs,
    batch_rows: int,
    shortcuts: Shortcuts,
    ledger: Ledger | None = None,
) -> EngineControls:
    """Run the exact controls on pairs that have a counterfactual side, with the plan's `shortcuts`.

    All rows are run, in batches of `batch_rows` as in the plan, and a few of them again in a small batch, like the last
    batch of a group.

    Parameters
    ----------
    graph, components, network, inputs, batch_rows, shortcuts
        The network, the pairs, and settings of the plan.
    arms : sequence of Arm
        Of `causalvae.plan.controls.exact_arms`: those that take the other side's value must give the other side's
        output, all others their own.
    ledger : Ledger, optional
        Takes what is computed for them.
    """
    shortcuts = replace(shortcuts, dead_rows=False)
    size = BatchSize(batch_rows)
    clean = run_clean(graph, inputs, needed_values(graph, components, arms, shortcuts, (OUTPUT,)), size)
    node = graph.outputs[OUTPUT]
    own, other = clean.sides["base"][node], clean.sides["counterfactual"][node]

    def change(arm: Arm, expected: torch.Tensor) -> float:
        groups = [
            Group(graph, components, [arm], clean, {}, [rows], shortcuts)
            for rows in (inputs.rows, min(FEW_ROWS, inputs.rows))
        ]
        batches = (batch for group in groups for batch in group.batches(group.live(), size, ledger))
        return max(float((batch.output - expected[batch.pairs]).abs().max()) for batch in batches)

    full = [change(arm, other) for arm in arms if _is_exchanged(arm)]
    selves = [arm for arm in arms if not _is_exchanged(arm)]
    few = min(inputs.rows, COMPARED_ROWS)
    index = padding(few).to(inputs.noise.device)
    # The original network is run in float32, regardless of the precision of the run.
    direct = network(inputs.sides["base"][index].float(), inputs.noise[index].float())[-1][:few]
    return EngineControls(
        self_patch=max((change(arm, own) for arm in selves), default=0.0),
        full_patch=max(full, default=None),
        network=float((direct - own[:few].float()).abs().max() / own.float().abs().max()),
        sites=len({patch.site for arm in selves for patch in arm.patches}),
        pairs=inputs.rows,
        rows=len(arms) * inputs.rows,
    )


def _is_exchanged(arm: Arm) -> bool:
    return any(patch.source.is_exchanged for patch in arm.patches)
