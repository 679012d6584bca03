"""Checkpoints of training runs: the state to resume from, in one file that is replaced atomically."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from causalvae.boundary import boundary
from causalvae.data.dataset import Dataset
from causalvae.data.identity import digest_files
from causalvae.errors import CausalVAEError
from causalvae.files import DamagedFileError, append_seal, read_sealed, write_file
from causalvae.spec.families import training_distributions
from causalvae.spec.places import locate
from causalvae.spec.training import TrainSpec
from causalvae.training.log import Row

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training run after a step.

    Parameters
    ----------
    step : int
        Number of finished steps.
    seconds : float
        Training time, including earlier runs.
    rows : tuple of dict
        The rows of the log up to this step.
    state : dict
        From `TrainState.state_dict`.
    """

    step: int
    seconds: float
    rows: tuple[Row, ...]
    state: dict[str, Any]


def describe_data(spec: TrainSpec, dataset: Dataset, base: Path = Path()) -> dict[str, Any]:
    """Properties of the data stored in checkpoints, so that training is never resumed with other data.

    Parameters
    ----------
    spec : TrainSpec
    dataset : Dataset
    base : Path, optional
        Where the relative paths of the data section start.
    """
    return {
        "input_shape": list(dataset.input_shape),
        "size": dataset.size,
        "content": digest_files(locate(base, file) for file in spec.data.files),
    }


def write_checkpoint(folder: Path, spec: TrainSpec, data: dict[str, Any], checkpoint: Checkpoint) -> None:
    """Replace the checkpoint in `folder` atomically.

    Parameters
    ----------
    folder : Path
    spec : TrainSpec
    data : dict
        From `describe_data`.
    checkpoint : Checkpoint
    """
    content = {
        "spec": json.dumps(spec.record, sort_keys=True),
        "data": data,
        "distributions": training_distributions(spec),
        "step": checkpoint.step,
        "seconds": checkpoint.seconds,
        "rows": list(checkpoint.rows),
        "state": checkpoint.state,
    }
    packed = io.BytesIO()
    torch.save(content, packed)
    write_file(folder / CHECKPOINT, append_seal(packed.getvalue()))


def read_checkpoint(folder: Path, spec: TrainSpec, data: dict[str, Any]) -> Checkpoint | None:
    """Read the checkpoint in `folder`; None if there is none.

    Raises
    ------
    CausalVAEError
        CV405 if it is damaged, CV403 if it is of a spec that gives other weights or of another version of an extension
        used in the spec, CV425 if the data had another shape, size or content.
    """
    path = folder / CHECKPOINT
    remedy = "Delete it to start again, or name another --out folder."
    try:
        packed = read_sealed(path)
    except FileNotFoundError:
        return None
    except DamagedFileError as error:
        raise CausalVAEError("CV405", f"{path} cannot be read ({error.reason}).", remedy, str(path)) from error
    with boundary("CV405", f"{path} cannot be read", remedy, str(path)):
        held: dict[str, Any] = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
        theirs = json.loads(held["spec"])
        facts = held["data"]
        made_with: dict[str, str] = held.get("distributions", {})
        rows = tuple(dict(row) for row in held["rows"])
        found = Checkpoint(int(held["step"]), float(held["seconds"]), rows, held["state"])
    if not _makes_the_same(theirs, spec):
        raise CausalVAEError(
            "CV403",
            f"{path} belongs to another training spec.",
            "Name another --out folder, or delete this one to start again.",
            str(path),
        )
    versions = training_distributions(spec)
    if made_with != versions:
        then, now = (", ".join(f"{name} {number}" for name, number in each.items()) for each in (made_with, versions))
        raise CausalVAEError(
            "CV403",
            f"{path} was made with {then or 'no known version of an extension'}, and {now or 'none'} is installed.",
            "Install that version, name another --out folder, or delete this one to start again.",
            str(path),
        )
    if facts != data:
        raise CausalVAEError(
            "CV425",
            f"{path} was made on other data: {_compared(facts, data)}.",
            "Restore the data that it was made on, or name another --out folder to start again.",
            str(path),
        )
    return found


def _makes_the_same(record: dict[str, Any], spec: TrainSpec) -> bool:
    """Whether a stored record, possibly of an older version, is of a spec that gives the same weights."""
    try:
        return TrainSpec.model_validate(record).identity == spec.identity
    except ValueError:
        return False


def _compared(then: dict[str, Any], now: dict[str, Any]) -> str:
    if _said(then) == _said(now):
        return f"{_said(now)} as before, with other content"
    return f"{_said(then)} then, {_said(now)} now"


def _said(facts: dict[str, Any]) -> str:
    shape = " x ".join(map(str, facts.get("input_shape", ())))
    size = facts.get("size")
    return f"inputs of {shape}" if size is None else f"{size:,} inputs of {shape}"
