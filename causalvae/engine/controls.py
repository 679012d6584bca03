"""Exact checks of the engine on the very network that is analysed."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from causalvae.engine.rerun import Group
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.values import CleanRuns
from causalvae.models.capture import OperatorGraph
from causalvae.models.components import ComponentMap
from causalvae.plan.types import Arm, Patch, Source


@dataclass(frozen=True)
class EngineControls:
    """What patching must do by definition.

    Parameters
    ----------
    self_patch : float
        Largest absolute change of the output when a site is patched with its own value, over all `sites`; must be 0.
    full_patch : float
        Largest absolute difference between Y(x; latent <- latent(x')) and Y(x'); must be 0.
    network : float
        Largest absolute difference between the captured graph's output and the network's own; must be 0.
    sites, pairs : int
    """

    self_patch: float
    full_patch: float
    network: float
    sites: int
    pairs: int


def check_engine(
    graph: OperatorGraph,
    components: ComponentMap,
    network: torch.nn.Module,
    sites: tuple[str, ...],
    inputs: ShardInputs,
) -> EngineControls:
    """Run the exact controls on one shard that has a counterfactual side, every row forced to run."""
    clean = run_clean(graph, inputs)
    node = graph.outputs["output"]
    own = clean.sides["base"][node]
    other = clean.sides["counterfactual"][node]
    same = CleanRuns({"base": clean.sides["base"], "counterfactual": clean.sides["base"]}, clean.rows)

    def output(site: str, against: CleanRuns) -> torch.Tensor:
        arm = Arm(inputs.cohort, "base", (Patch(site, None, Source("interchange")),), inputs.rows)
        group = Group(graph, components, [arm], against, {}, [inputs.rows], skip_dead=False)
        (batch,) = group.batches(group.live(), inputs.rows)
        return batch.output

    changes = [float((output(site, same) - own).abs().max()) for site in sites]
    return EngineControls(
        self_patch=max(changes, default=0.0),
        full_patch=float((output("latent", clean) - other).abs().max()),
        network=float((network(inputs.sides["base"], inputs.noise)[-1] - own).abs().max()),
        sites=len(sites),
        pairs=inputs.rows,
    )
