"""Training that can be killed at any moment and resumed to the same weights.

Every step's batch and noise are functions of (seed, step) alone, so a run that stops and resumes at a checkpoint makes
the same steps as one that never stopped.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalvae.data import dsprites
from causalvae.errors import CausalVAEError
from causalvae.models.architectures import build
from causalvae.models.subpixel import channels_last, use_subpixel
from causalvae.models.vae import VAE
from causalvae.spec.training import TrainSpec
from causalvae.training.objectives import bernoulli_nll, gaussian_kl
from causalvae.training.state import TrainState

_INPUT_SHAPE = (1, 64, 64)
_DRAW_AHEAD = 32
_FRESH_IMAGES = 2048
_CHECKPOINT = "checkpoint.pt"
_LOG = "log.jsonl"


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
        The trained network, in evaluation mode.
    reconstruction : float
        Bernoulli negative log-likelihood at the posterior mean on fresh images, nats an image.
    kl : tuple of float
        KL of each latent on the same images, in nats.
    seconds : float
        Wall-clock training time, over all resumes.
    metadata : dict
        All of this and the spec, as strings: what is written beside the weights.
    """

    vae: VAE
    reconstruction: float
    kl: tuple[float, ...]
    seconds: float
    metadata: dict[str, str]


def train(
    spec: TrainSpec,
    folder: Path,
    on_progress: Callable[[TrainProgress], None] = lambda progress: None,
    stop_after: int | None = None,
) -> TrainResult:
    """Train as `spec` says, resuming from `folder` where it holds a checkpoint of the same spec.

    Parameters
    ----------
    spec : TrainSpec
        What to train.
    folder : Path
        Takes the checkpoint and the log (one JSON object a line, each `checkpoint_every` steps).
    on_progress : callable
        Called after every step.
    stop_after : int, optional
        Stop after this step as if the process had been killed there.

    Raises
    ------
    CausalVAEError
        CV403 where `folder` holds a checkpoint of another spec, CV405 where its checkpoint is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        vae = build(spec.model.architecture, _INPUT_SHAPE, spec.model.latent_dim)
        use_subpixel(vae)
        channels_last(vae)
        state = TrainState(spec, vae, len(dsprites.SPACE))
    start, earlier = _resume(spec, folder, state)

    began = time.perf_counter()
    images: Tensor | None = None
    sums: dict[str, float] = {}
    counted = 0
    for step in range(start, spec.steps):
        slot = step % _DRAW_AHEAD
        if images is None or slot == 0:
            images = _draw(spec, step // _DRAW_AHEAD)
        x = images[slot * spec.batch_size : (slot + 1) * spec.batch_size]
        terms = state.step(x, step, _learning_rate(spec, step))
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + value
        counted += 1
        rate = (step + 1 - start) / (time.perf_counter() - began)
        on_progress(TrainProgress(step + 1, spec.steps, rate, terms))
        if (step + 1) % spec.checkpoint_every == 0 or step + 1 == spec.steps:
            seconds = earlier + time.perf_counter() - began
            means = {name: total / counted for name, total in sums.items()}
            _checkpoint(spec, folder, state, step + 1, seconds, means)
            sums, counted = {}, 0
        if stop_after is not None and step + 1 >= stop_after:
            break
    return _finish(spec, folder, vae, earlier + time.perf_counter() - began)


def _draw(spec: TrainSpec, block: int) -> Tensor:
    """The images of `_DRAW_AHEAD` successive batches: float tensor, (n, 1, 64, 64)."""
    rng = np.random.default_rng([spec.seed, block])
    levels = dsprites.SPACE.draw(_DRAW_AHEAD * spec.batch_size, rng)
    return torch.from_numpy(dsprites.render_levels(levels))[:, None].float()


def _learning_rate(spec: TrainSpec, step: int) -> float:
    final = spec.optimiser.final
    fall = 0.5 * (1.0 + math.cos(math.pi * step / spec.steps))
    return spec.optimiser.lr * (final + (1.0 - final) * fall)


def _spec_text(spec: TrainSpec) -> str:
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True)


def _resume(spec: TrainSpec, folder: Path, state: TrainState) -> tuple[int, float]:
    path = folder / _CHECKPOINT
    if not path.exists():
        return 0, 0.0
    try:
        held: dict[str, Any] = torch.load(path, weights_only=True)
        theirs = held["spec"]
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        raise CausalVAEError(
            "CV405",
            f"{path} cannot be read ({type(error).__name__}).",
            "Delete it to start anew, or name another --out folder.",
            str(path),
        ) from None
    if theirs != _spec_text(spec):
        raise CausalVAEError(
            "CV403",
            f"{path} belongs to another training spec.",
            "Name another --out folder, or delete this one to start anew.",
            str(path),
        )
    state.load_state_dict(held)
    return int(held["step"]), float(held["seconds"])


def _checkpoint(
    spec: TrainSpec,
    folder: Path,
    state: TrainState,
    step: int,
    seconds: float,
    means: dict[str, float],
) -> None:
    content = {"spec": _spec_text(spec), "step": step, "seconds": seconds, **state.state_dict()}
    partial = folder / (_CHECKPOINT + ".partial")
    torch.save(content, partial)
    partial.replace(folder / _CHECKPOINT)
    with (folder / _LOG).open("a", encoding="utf-8") as log:
        log.write(json.dumps({"step": step, "seconds": round(seconds, 1), **means}) + "\n")


@torch.inference_mode()
def _finish(spec: TrainSpec, folder: Path, vae: VAE, seconds: float) -> TrainResult:
    vae.eval()
    # Fresh images: a seed sequence that no training block uses.
    levels = dsprites.SPACE.draw(_FRESH_IMAGES, np.random.default_rng([spec.seed, 0, 1]))
    x = torch.from_numpy(dsprites.render_levels(levels))[:, None].float()
    total, kl = 0.0, torch.zeros(vae.latent_dim, dtype=torch.float64)
    for batch in x.split(256):
        posterior = vae.encode(batch)
        total += float(bernoulli_nll(vae.decoder(posterior.mean), batch)) * len(batch)
        kl += gaussian_kl(posterior).double() * len(batch)
    reconstruction = total / len(x)
    per_latent = tuple(round(float(value), 4) for value in kl / len(x))
    metadata = {
        "format": "causalvae/weights-v1",
        "training_spec": _spec_text(spec),
        "input_shape": json.dumps(list(vae.input_shape)),
        "seconds": str(round(seconds)),
        "images": f"{_FRESH_IMAGES} fresh images, drawn with replacement",
        "reconstruction_nats": str(round(reconstruction, 3)),
        "kl_nats": json.dumps(per_latent),
        "loss_terms": _last_terms(folder),
        "torch": torch.__version__,
    }
    return TrainResult(vae, reconstruction, per_latent, seconds, metadata)


def _last_terms(folder: Path) -> str:
    """The log's last line: each loss term, averaged over the steps since the checkpoint before."""
    log = folder / _LOG
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return lines[-1] if lines else "{}"
