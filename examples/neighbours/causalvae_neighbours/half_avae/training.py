"""Trains a Half-AVAE; a run that is killed and resumed makes the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from causalvae.errors import CausalVAEError
from causalvae.files import make_folder
from causalvae.models.architectures import build_described
from causalvae.models.vae import VAE
from causalvae.spec.families import training_distributions
from causalvae.spec.training import TrainSpec
from causalvae.training.carries import measure_carries
from causalvae.training.checkpoints import describe_data, read_checkpoint
from causalvae.training.evaluation import evaluate
from causalvae.training.log import Row
from causalvae.training.loop import PAIRS, TrainProgress, TrainResult, learning_rate, take_steps
from causalvae.training.metadata import describe_weights
from causalvae.training.state import seed_of
from causalvae_neighbours.data.mixtures import MixturesData
from causalvae_neighbours.half_avae.mixtures import MixturesDataset
from causalvae_neighbours.half_avae.state import HalfState
from causalvae_neighbours.objectives.half_avae import HalfAvaeObjective

# A trial is judged by its mean loss over its last steps.
_JUDGED = 50


def train_half(
    spec: TrainSpec,
    folder: Path,
    on_progress: Callable[[TrainProgress], None] = lambda progress: None,
    stop_after: int | None = None,
    base: Path = Path(),
) -> TrainResult:
    """Train on all samples of the recordings as `spec` says, resuming from `folder` where it holds a checkpoint of it.

    Parameters
    ----------
    spec : TrainSpec
        Its architecture is ``encoder_free``, its data ``mixtures`` and its objective ``half_avae``.
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
        CV430 where the likelihood is not Gaussian, CV431 where samples are to be held out; CV403, CV405, CV425 for what
        `folder` holds, CV428 where the loss is no longer finite; see `causalvae.training.loop`.

    Notes
    -----
    No sample is new to a network that keeps latents of each, so the reconstruction in the result is of the samples that
    were trained on.
    """
    dataset = recordings_of(spec)
    make_folder(folder, below=folder)
    data_facts = describe_data(spec, dataset)
    earlier = read_checkpoint(folder, spec, data_facts)
    if earlier is None:
        state = start_state(spec, dataset, choose_start(spec, dataset))
    else:
        state = start_state(spec, dataset, 0)
        state.load_state_dict(earlier.state)
    seconds, last = take_steps(spec, folder, data_facts, state.step, state.state_dict, earlier, on_progress, stop_after)
    return _result(spec, state.vae.eval(), dataset, seconds, last)


def fit_half(spec: TrainSpec) -> VAE:
    """The network that `train_half` reaches, without files: in evaluation mode."""
    dataset = recordings_of(spec)
    state = start_state(spec, dataset, choose_start(spec, dataset))
    for step in range(spec.steps):
        state.step(step, learning_rate(spec, step))
    return state.vae.eval()


def choose_start(spec: TrainSpec, dataset: MixturesDataset) -> int:
    """Which of the objective's `starts` is trained: the one with the best bound after a short trial.

    From which directions the mixing begins decides which sources the latents settle on, and some choices are poor; the
    bound tells them apart, without knowing the sources. Trials have no adversary, so both forms begin alike.
    """
    objective = _objective(spec)
    plain = spec.model_copy(update={"objective": objective.model_copy(update={"adversary": 0.0})})
    bounds = []
    for start in range(objective.starts if objective.starts > 1 else 0):
        state = start_state(plain, dataset, start)
        losses = [state.step(step, spec.optimiser.lr)["loss"] for step in range(objective.trial_steps)]
        bounds.append(sum(losses[-_JUDGED:]) / len(losses[-_JUDGED:]))
    return bounds.index(min(bounds)) if bounds else 0


def recordings_of(spec: TrainSpec) -> MixturesDataset:
    """The recordings that a training spec names; CV430 and CV431 as `train_half` raises them."""
    _objective(spec)
    data = spec.data
    if not isinstance(data, MixturesData):
        raise TypeError("the spec trains another network")
    if spec.model.likelihood != "gaussian":
        raise CausalVAEError(
            "CV430",
            "mixtures are real numbers, which a Bernoulli likelihood does not suit.",
            "Write `likelihood: gaussian`, and `sigma:` with the noise's standard deviation.",
            "model.likelihood",
        )
    if spec.held_out:
        raise CausalVAEError(
            "CV431",
            "an encoder-free network has no latents for samples that it was not trained on.",
            "Delete held_out.",
            "held_out",
        )
    return MixturesDataset(data.length, data.world)


def start_state(spec: TrainSpec, dataset: MixturesDataset, start: int) -> HalfState:
    """Where training begins from the start of this number."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(spec.seed, start))
        vae = build_described(_described(spec, dataset), dataset.input_shape)
        return HalfState(_objective(spec), vae, dataset, spec.seed, spec.batch_size)


def _objective(spec: TrainSpec) -> HalfAvaeObjective:
    if not isinstance(spec.objective, HalfAvaeObjective):
        raise TypeError("the spec trains another network")
    return spec.objective


def _described(spec: TrainSpec, dataset: MixturesDataset) -> dict[str, object]:
    """The model section, and how many samples there are, which the data tells."""
    return {**spec.model.record, "samples": dataset.size}


def _result(spec: TrainSpec, vae: VAE, dataset: MixturesDataset, seconds: float, last: Row | None) -> TrainResult:
    found = evaluate(vae, dataset.inputs(dataset.all_rows))
    carries = measure_carries(vae, dataset, pairs=PAIRS, seed=spec.seed)
    record = {**spec.record, "model": _described(spec, dataset)}
    images = f"{found.samples} samples, all of those that were trained on"
    metadata = describe_weights(
        record, vae, found, carries, images, seconds, last, distributions=training_distributions(spec)
    )
    return TrainResult(vae, found.reconstruction, found.kl, carries, seconds, metadata)
