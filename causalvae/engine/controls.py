"""Exact checks of the engine with the analysed network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.values import CleanRuns, padding
from causalvae.models.components import ComponentMap
from causalvae.models.program import Program
from causalvae.plan.types import OUTPUT, Arm, Patch
from causalvae.spec.value_source import make_source

_FEW_ROWS = 5


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
    sites, pairs : int
    """

    self_patch: float
    full_patch: float | None
    network: float
    sites: int
    pairs: int


def check_engine(
    graph: Program,
    components: ComponentMap,
    network: torch.nn.Module,
    sites: tuple[str, ...],
    inputs: ShardInputs,
    batch_rows: int,
    shortcuts: Shortcuts,
    only_latent: bool = True,
) -> EngineControls:
    """Run the exact controls on one shard that has a counterfactual side, with the plan's `shortcuts`.

    All rows are run, in batches of `batch_rows` as in the plan, and again in a small batch, like the last batch of a
    group.

    Parameters
    ----------
    graph, components, network, sites, inputs, batch_rows, shortcuts
        The network, the sites to patch, and settings of the plan.
    only_latent : bool
        Whether all paths from the input to the output contain the latent.
    """
    shortcuts = replace(shortcuts, dead_rows=False)
    swap = make_source("interchange")
    sizes = (inputs.rows, min(_FEW_ROWS, inputs.rows))
    patches = [Patch(site, units, swap) for site in (*sites, "latent") for units in (None, (0,))]
    every = [Arm(inputs.cohort, "base", (patch,), inputs.rows) for patch in patches]
    keep = needed_values(graph, components, every, shortcuts, (OUTPUT,))
    size = BatchSize(batch_rows)
    clean = run_clean(graph, inputs, keep, size)
    node = graph.outputs["output"]
    own = clean.sides["base"][node]
    other = clean.sides["counterfactual"][node]
    same = CleanRuns({"base": clean.sides["base"], "counterfactual": clean.sides["base"]}, clean.rows)

    def change(
        site: str, against: CleanRuns, expected: torch.Tensor, rows: int, units: tuple[int, ...] | None = None
    ) -> float:
        arm = Arm(inputs.cohort, "base", (Patch(site, units, swap),), rows)
        group = Group(graph, components, [arm], against, {}, [rows], shortcuts)
        batches = group.batches(group.live(), size)
        return max(float((batch.output - expected[batch.pairs]).abs().max()) for batch in batches)

    changes = [change(site, same, own, rows, units) for site in sites for rows in sizes for units in (None, (0,))]
    index = padding(inputs.rows).to(inputs.noise.device)
    # The original network is run in float32, regardless of the precision of the run.
    direct = network(inputs.sides["base"][index].float(), inputs.noise[index].float())[-1][: inputs.rows]
    return EngineControls(
        self_patch=max(changes, default=0.0),
        full_patch=max(change("latent", clean, other, rows) for rows in sizes) if only_latent else None,
        network=float((direct - own.float()).abs().max() / own.float().abs().max()),
        sites=len(sites),
        pairs=inputs.rows,
    )
