"""Trains the graph-aware causal discrepancy VAE; a run that is killed and resumed makes the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from causalvae.files import make_folder
from causalvae.models.vae import VAE
from causalvae.spec.families import training_distributions
from causalvae.spec.training import TrainSpec
from causalvae.training.carries import measure_carries
from causalvae.training.checkpoints import describe_data, read_checkpoint
from causalvae.training.evaluation import evaluate
from causalvae.training.loop import PAIRS, TrainProgress, TrainResult, take_steps
from causalvae.training.metadata import describe_weights
from causalvae_neighbours.data.perturbations import PerturbationsData
from causalvae_neighbours.grace.data import PerturbationDataset, shape_of
from causalvae_neighbours.grace.network import causal_layer_of, grace_vae
from causalvae_neighbours.grace.screen import draw_screen, draw_test_cells
from causalvae_neighbours.grace.simulation import CONTROL, World
from causalvae_neighbours.grace.state import GraceState
from causalvae_neighbours.networks.grace import GraceNetwork
from causalvae_neighbours.objectives.causal_discrepancy import CausalDiscrepancyObjective

_TEST_CELLS = 2048


def train_grace(
    spec: TrainSpec,
    folder: Path,
    on_progress: Callable[[TrainProgress], None] = lambda progress: None,
    stop_after: int | None = None,
    base: Path = Path(),
) -> TrainResult:
    """Train on a screen as `spec` says, resuming from `folder` where it holds a checkpoint of the same spec.

    The screen is small, and so is the network: it is trained on the processor.

    Parameters
    ----------
    spec : TrainSpec
        Its architecture is ``grace``, its data ``perturbations`` and its objective ``causal_discrepancy``.
    folder : Path
        Takes the checkpoint and the log, ``log.csv``: one row a checkpoint.
    on_progress : callable
        Called after every step.
    stop_after : int, optional
        Stop after this step as if the process had been killed there.
    base : Path, optional
        Not used: the data lie in no files.

    Raises
    ------
    CausalVAEError
        CV245 for a world that cannot be, CV403, CV405, CV425 for what `folder` holds, CV428 where the loss is no longer
        finite; see `causalvae.training.loop`.
    """
    objective, data = spec.objective, spec.data
    if not isinstance(objective, CausalDiscrepancyObjective) or not isinstance(data, PerturbationsData):
        raise TypeError("the spec trains another network")
    dataset = PerturbationDataset(shape_of(data))
    screen = draw_screen(dataset.world, spec.seed, objective.control_cells, objective.guide_cells)
    make_folder(folder, below=folder)
    data_facts = describe_data(spec, dataset)
    earlier = read_checkpoint(folder, spec, data_facts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        vae = fresh_network(spec, dataset.world)
        state = GraceState(objective, vae, screen, spec.seed, spec.steps, spec.batch_size, spec.optimiser.lr)
    if earlier is not None:
        state.load_state_dict(earlier.state)
    seconds, last = take_steps(spec, folder, data_facts, state.step, state.state_dict, earlier, on_progress, stop_after)
    vae.eval()
    cells = draw_test_cells(dataset.world, spec.seed, CONTROL, _TEST_CELLS)
    found = evaluate(vae, torch.from_numpy(cells.expression).to(torch.float32))
    carries = measure_carries(vae, dataset, pairs=PAIRS, seed=spec.seed)
    images = f"{found.samples} control cells that training did not see"
    metadata = describe_weights(
        _record(spec, vae), vae, found, carries, images, seconds, last, distributions=training_distributions(spec)
    )
    return TrainResult(vae, found.reconstruction, found.kl, carries, seconds, metadata)


def fresh_network(spec: TrainSpec, world: World) -> VAE:
    """The network that `spec` names, with weights drawn from torch's own generator."""
    model, genes = _model(spec), world.shape.genes
    network = torch.from_numpy(world.network).to(torch.float32)
    if model.graph == "none":
        network = torch.zeros_like(network)
    elif model.graph == "shuffled":
        order = torch.randperm(genes, generator=torch.Generator().manual_seed(spec.seed))
        network = network[order][:, order]
    directions = torch.from_numpy(world.shifts).sign()
    return grace_vae(network, model.latent_dim, directions, model.mechanism or "relu")


def _model(spec: TrainSpec) -> GraceNetwork:
    if not isinstance(spec.model, GraceNetwork):
        raise TypeError("the spec trains another network")
    return spec.model


def _record(spec: TrainSpec, vae: VAE) -> dict[str, Any]:
    """The spec, with all that the network is built from in its model section."""
    record = spec.record
    # Which network the weights belong to is read from here, and the number of guides is the data's to tell.
    guides = causal_layer_of(vae).guides
    record["model"] = {**record["model"], "mechanism": _model(spec).mechanism or "relu", "guides": guides}
    return record
