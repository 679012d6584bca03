"""Training that can be killed at any moment and resumed to the same weights.

Every step's batch and noise are functions of (seed, step) alone, so a run that stops and resumes at a checkpoint makes
the same steps as one that never stopped: bit for bit on a processor; on a GPU, whose sums have no fixed order, within
rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from causalvae.data.dataset import Dataset, open_dataset
from causalvae.errors import CausalVAEError
from causalvae.files import make_folder, remove_stale
from causalvae.models.architectures import build_described
from causalvae.models.card import Carries
from causalvae.models.subpixel import channels_last, use_subpixel
from causalvae.models.vae import VAE
from causalvae.spec.families import training_distributions
from causalvae.spec.training import TrainSpec
from causalvae.training.batches import Batches, share_to_hold_out, size_for_estimates
from causalvae.training.carries import measure_carries
from causalvae.training.checkpoints import Checkpoint, describe_data, read_checkpoint, write_checkpoint
from causalvae.training.device import choose_device
from causalvae.training.evaluation import Evaluation, evaluate
from causalvae.training.initialisation import kaiming
from causalvae.training.log import Row, TrainingLog
from causalvae.training.metadata import describe_weights
from causalvae.training.state import TrainState
from causalvae.training.supervision import Labels

_NEW_SAMPLES = 2048
_HELD_OUT_AT_CHECKPOINTS = 512
# Of each factor, to tell which latents carry it.
PAIRS = 256


@dataclass(frozen=True)
class TrainProgress:
    """Where a training run stands after a step."""

    step: int
    steps: int
    rate: float
    terms: dict[str, float]


@dataclass(frozen=True)
class TrainResult:
    """What a training run reached.

    Parameters
    ----------
    vae : VAE
        The trained network, in evaluation mode, on the processor.
    reconstruction : float
        Negative log-likelihood at the posterior mean on samples that were not trained on, nats a sample.
    kl : tuple of float
        KL of each latent on the same samples, in nats; empty where the encoder gives a point.
    carries : tuple of Carries
        What each latent carries, factor by factor; empty where the data's factors cannot be set.
    seconds : float
        Wall-clock training time, over all resumes.
    metadata : dict
        All of this and the spec, as strings: what is written beside the weights.
    """

    vae: VAE
    reconstruction: float
    kl: tuple[float, ...]
    carries: tuple[Carries, ...]
    seconds: float
    metadata: dict[str, str]


class Trainer(Protocol):
    """Trains as `train` does."""

    def __call__(
        self,
        spec: TrainSpec,
        folder: Path,
        on_progress: Callable[[TrainProgress], None] = ...,
        stop_after: int | None = None,
        base: Path = ...,
    ) -> TrainResult:
        """The trained network."""
        ...


def train(
    spec: TrainSpec,
    folder: Path,
    on_progress: Callable[[TrainProgress], None] = lambda progress: None,
    stop_after: int | None = None,
    base: Path = Path(),
) -> TrainResult:
    """Train as `spec` says, resuming from `folder` where it holds a checkpoint of the same spec.

    Parameters
    ----------
    spec : TrainSpec
        What to train.
    folder : Path
        Takes the checkpoint and the log, ``log.csv``: one row a checkpoint.
    on_progress : callable
        Called after every step.
    stop_after : int, optional
        Stop after this step as if the process had been killed there.
    base : Path, optional
        Where the relative paths of the data section start: the spec file's folder.

    Raises
    ------
    CausalVAEError
        CV403 where `folder` holds a checkpoint of another spec, CV405 where its checkpoint is damaged, CV425 where it
        was made on other data; CV423 where the spec asks for a GPU and there is none; CV424 for TensorBoard that is not
        installed; CV426 where nothing is held out; CV427 where a Bernoulli likelihood meets data outside [0, 1]; CV428
        where the loss is no longer finite; what opening the data and building the network raise.
    """
    device = choose_device(spec.execution.device)
    dataset = open_dataset(spec.data, base)
    drawn = spec.steps * spec.batch_size
    share = share_to_hold_out(spec.held_out, bool(spec.data.files), dataset.size, drawn)
    make_folder(folder, below=folder)
    remove_stale(folder)
    data = describe_data(spec, dataset, base)
    earlier = read_checkpoint(folder, spec, data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        vae = build_described(_described(spec, dataset), dataset.input_shape)
        if spec.model.init == "kaiming":
            kaiming(vae)
        use_subpixel(vae)
        channels_last(vae)
        vae.to(device)
        state = TrainState(spec, vae, size_for_estimates(dataset.size, share, drawn, spec.batch_size), device)
    labels = None if spec.supervision is None else Labels(spec.supervision, dataset, vae.latent_dim, share)
    pair = labels.pair if labels is not None and labels.paired else None
    batches = Batches(dataset, spec.seed, spec.batch_size, share, pair)
    start = 0
    if earlier is not None:
        state.load_state_dict(earlier.state)
        start = earlier.step
    if start < spec.steps:
        _check_range(vae, batches.at(start))
    held_out = batches.new(_HELD_OUT_AT_CHECKPOINTS) if share and start < spec.steps else None

    def take(step: int, lr: float) -> dict[str, float]:
        rows, x = batches.samples_at(step)
        return state.step(x, step, lr, None if labels is None else labels.of(rows))

    def tell_held_out() -> Row:
        return {} if held_out is None else _held_out_terms(evaluate(vae, held_out, device))

    seconds, last = take_steps(
        spec, folder, data, take, state.state_dict, earlier, on_progress, stop_after, tell_held_out
    )
    vae.eval()
    found = evaluate(vae, batches.new(_NEW_SAMPLES), device)
    carries = measure_carries(vae, dataset, pairs=PAIRS, seed=spec.seed, held_out=share, device=device)
    vae.to("cpu")
    part = f"of the {share:.3g} of the data that was held out" if share else "drawn anew, as training draws them"
    metadata = describe_weights(
        {**spec.record, "model": _described(spec, dataset)},
        vae,
        found,
        carries,
        images=f"{found.samples} samples {part}",
        seconds=seconds,
        last=last,
        device=device.type,
        distributions=training_distributions(spec),
    )
    return TrainResult(vae, found.reconstruction, found.kl, carries, seconds, metadata)


def take_steps(
    spec: TrainSpec,
    folder: Path,
    data: dict[str, Any],
    take: Callable[[int, float], dict[str, float]],
    state: Callable[[], dict[str, Any]],
    earlier: Checkpoint | None,
    on_progress: Callable[[TrainProgress], None],
    stop_after: int | None = None,
    more: Callable[[], Row] = dict,
) -> tuple[float, Row | None]:
    """Take the steps of a run that are left, saving a checkpoint and a row of the log every so often.

    Parameters
    ----------
    spec, folder, on_progress, stop_after
        As `train` has them.
    data : dict
        What checkpoints record of the data, as `causalvae.training.checkpoints.describe_data` gives it.
    take : callable
        Takes a step, given its number and the learning rate, and gives the terms of the loss, ``loss`` among them. What
        it does must be a function of the state before and of the step's number.
    state : callable
        Gives everything that a resumed run needs.
    earlier : Checkpoint or None
        What the run goes on from: its state has been taken up already.
    more : callable, optional
        Gives what a checkpoint's row holds besides the means of the terms.

    Returns
    -------
    seconds : float
        Training time, over all resumes.
    last : dict or None
        The log's last row.

    Raises
    ------
    CausalVAEError
        CV424 for TensorBoard that is not installed, CV428 where the loss is no longer finite.
    """
    start, before, rows = (0, 0.0, ()) if earlier is None else (earlier.step, earlier.seconds, earlier.rows)
    with TrainingLog(folder, rows, spec.log.tensorboard) as log:
        began = time.perf_counter()
        sums: dict[str, float] = {}
        first = start
        for step in range(start, spec.steps):
            lr = learning_rate(spec, step)
            terms = take(step, lr)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value
            done = step + 1
            on_progress(TrainProgress(done, spec.steps, (done - start) / (time.perf_counter() - began), terms))
            if done % spec.checkpoint_every == 0 or done == spec.steps:
                seconds = before + time.perf_counter() - began
                row: Row = {"step": done, "seconds": round(seconds, 1), "lr": lr}
                row |= {name: total / (done - first) for name, total in sums.items()}
                _check_finite(row, folder)
                row |= more()
                write_checkpoint(folder, spec, data, Checkpoint(done, seconds, (*log.rows, row), state()))
                log.append(row)
                sums, first = {}, done
            if stop_after is not None and done >= stop_after:
                break
        return before + time.perf_counter() - began, log.last


def learning_rate(spec: TrainSpec, step: int) -> float:
    """The network's learning rate at a step: half a cosine, from ``lr`` to ``final`` times it."""
    final = spec.optimiser.final
    fall = 0.5 * (1.0 + math.cos(math.pi * step / (spec.optimiser.over or spec.steps)))
    return spec.optimiser.lr * (final + (1.0 - final) * fall)


def _check_range(vae: VAE, x: Tensor) -> None:
    part = vae.target(x)
    low, high = float(part.min()), float(part.max())
    if vae.likelihood == "bernoulli" and not 0.0 <= low <= high <= 1.0:
        raise CausalVAEError(
            "CV427",
            f"the data ranges over [{low:.3g}, {high:.3g}], and a Bernoulli likelihood is of data in [0, 1].",
            "Write `likelihood: gaussian`, or choose data that is scaled to [0, 1].",
            "model.likelihood",
        )


def _check_finite(row: Row, folder: Path) -> None:
    if not math.isfinite(row["loss"]):
        raise CausalVAEError(
            "CV428",
            f"the loss is not finite before step {row['step']:,}; {folder} keeps the checkpoint before.",
            "Train with a smaller optimiser.lr, and name another --out folder.",
            "optimiser.lr",
        )


def _held_out_terms(found: Evaluation) -> Row:
    row: Row = {"held_out_reconstruction": found.reconstruction}
    return {**row, "held_out_kl": sum(found.kl)} if found.kl else row


def _described(spec: TrainSpec, dataset: Dataset) -> dict[str, Any]:
    """The model section, with what the data tell of it."""
    return {**spec.model.record, **spec.model.told(dataset)}
