"""The training loop, which can be stopped at any time and resumed to the same weights.

Batches and noise are functions of (seed, step), so a resumed run takes the same steps as an uninterrupted one: bit for
bit on a CPU; up to rounding on a GPU, whose sums have no fixed order.
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
# Number of pairs per factor to measure which latents carry it.
PAIRS = 256


@dataclass(frozen=True)
class TrainProgress:
    """Progress of a training run: finished steps, total steps, steps per second, and terms of the loss."""

    step: int
    steps: int
    rate: float
    terms: dict[str, float]


@dataclass(frozen=True)
class TrainResult:
    """The result of a training run.

    Parameters
    ----------
    vae : VAE
        The trained network, in evaluation mode, on the CPU.
    reconstruction : float
        Negative log-likelihood at the posterior mean on samples not used for training, in nats per sample.
    kl : tuple of float
        KL of each latent on the same samples, in nats; empty if the encoder is deterministic.
    carries : tuple of Carries
        Effects of factors carried by latents; empty if no factor can be set.
    seconds : float
        Wall-clock training time, including earlier runs.
    metadata : dict
        The metadata of the weights, including the results and the spec, as strings.
    """

    vae: VAE
    reconstruction: float
    kl: tuple[float, ...]
    carries: tuple[Carries, ...]
    seconds: float
    metadata: dict[str, str]


class Trainer(Protocol):
    """The interface of `train`."""

    def __call__(
        self,
        spec: TrainSpec,
        folder: Path,
        on_progress: Callable[[TrainProgress], None] = ...,
        stop_after: int | None = None,
        base: Path = ...,
    ) -> TrainResult:
        """Train a network."""
        ...


def train(
    spec: TrainSpec,
    folder: Path,
    on_progress: Callable[[TrainProgress], None] = lambda progress: None,
    stop_after: int | None = None,
    base: Path = Path(),
) -> TrainResult:
    """Train the network of `spec`, resuming from a checkpoint in `folder` if there is one.

    Parameters
    ----------
    spec : TrainSpec
    folder : Path
        Folder of the checkpoint and the log ``log.csv``.
    on_progress : callable
        Called after every step.
    stop_after : int, optional
        Stop after this step, as if the process were killed.
    base : Path, optional
        Folder of the spec file, where the relative paths of the data section start.

    Raises
    ------
    CausalVAEError
        CV403 if the checkpoint in `folder` is of another spec, CV405 if it is damaged, CV425 if it is of other data;
        CV423 if there is no GPU for ``device: cuda``; CV424 if TensorBoard is required and not installed; CV426 if no
        samples are held out; CV427 if the data of a Bernoulli likelihood are not in [0, 1]; CV428 if the loss is not
        finite; and errors of opening the data and building the network.
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
    part = f"of the {share:.3g} of the data that was held out" if share else "drawn as training draws them"
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
    """Take the remaining steps of a run and write checkpoints and the log.

    Parameters
    ----------
    spec, folder, on_progress, stop_after
        See `train`.
    data : dict
        From `causalvae.training.checkpoints.describe_data`.
    take : callable
        Takes a step, given its number and the learning rate, and returns the terms of the loss, including ``loss``. It
        must be a function of the state and of the number of the step.
    state : callable
        Returns the state needed to resume.
    earlier : Checkpoint or None
        The checkpoint that was resumed from; its state is already loaded.
    more : callable, optional
        Returns additional values for the row of a checkpoint.

    Returns
    -------
    seconds : float
        Training time, including earlier runs.
    last : dict or None
        The last row of the log.

    Raises
    ------
    CausalVAEError
        CV424 if TensorBoard is required and not installed, CV428 if the loss is not finite.
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
    """The learning rate at a step: a half cosine from ``lr`` to ``final * lr``."""
    final = spec.optimiser.final
    fall = 0.5 * (1.0 + math.cos(math.pi * step / (spec.optimiser.over or spec.steps)))
    return spec.optimiser.lr * (final + (1.0 - final) * fall)


def _check_range(vae: VAE, x: Tensor) -> None:
    part = vae.target(x)
    low, high = float(part.min()), float(part.max())
    if vae.likelihood == "bernoulli" and not 0.0 <= low <= high <= 1.0:
        raise CausalVAEError(
            "CV427",
            f"the data range over [{low:.3g}, {high:.3g}], and a Bernoulli likelihood is of data in [0, 1].",
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
    """The model section, with values derived from the data."""
    return {**spec.model.record, **spec.model.from_data(dataset)}
