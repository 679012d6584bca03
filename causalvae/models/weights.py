"""Reads weights without running code."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError, first_line

BUILTIN = "builtin://"


@dataclass(frozen=True)
class Weights:
    """A state dict and what came with it.

    Parameters
    ----------
    state : dict
        Parameter name -> tensor.
    metadata : dict
        Text stored beside the weights; empty for formats that have none.
    place : str
        Where they were read from, as the user wrote it.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str]
    place: str

    @property
    def digest(self) -> str:
        """SHA-256 (16 hex digits) over names, shapes and values, in name order."""
        total = hashlib.sha256()
        for name in sorted(self.state):
            value = self.state[name].detach().cpu().contiguous()
            total.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
            # As bytes, since numpy knows no bfloat16.
            total.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
        return total.hexdigest()[:16]


def builtin_names() -> tuple[str, ...]:
    """Names of the weights that this package ships."""
    folder = resources.files("causalvae.models") / "builtin"
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(item.name.removesuffix(".safetensors") for item in folder.iterdir() if ".safetensors" in item.name)
    )


def read_weights(where: str, folder: Path) -> Weights:
    """Read weights from `where`: ``builtin://NAME``, or a path relative to `folder`.

    Raises
    ------
    CausalVAEError
        CV101 for unknown names and missing files, CV102 for files that are not weights or would run code.
    """
    if where.startswith(BUILTIN):
        name = where.removeprefix(BUILTIN)
        if name not in builtin_names():
            raise CausalVAEError(
                "CV101",
                f"there are no built-in weights called {name!r}.",
                f"Built in: {', '.join(BUILTIN + known for known in builtin_names())}.",
                "model.weights",
            )
        with resources.as_file(resources.files("causalvae.models") / "builtin" / f"{name}.safetensors") as path:
            return _read_safetensors(path, where)
    path = folder / Path(where).expanduser()
    if path.is_dir():
        raise CausalVAEError(
            "CV101", f"{where} is a folder.", "Name the weights file in it, such as model.pt.", "model.weights"
        )
    if not path.is_file():
        raise CausalVAEError(
            "CV101",
            f"there is no file {where} (looked in {path.parent}).",
            "Paths are relative to the spec file.",
            "model.weights",
        )
    if path.suffix == ".safetensors":
        return _read_safetensors(path, where)
    return _read_torch(path, where)


def _read_safetensors(path: Path, where: str) -> Weights:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
            metadata = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CausalVAEError(
            "CV102", f"{where} is no safetensors file ({error}).", "Check that it was copied whole.", "model.weights"
        ) from None
    return Weights(state, metadata, where)


def _read_torch(path: Path, where: str) -> Weights:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CausalVAEError(
            "CV102",
            f"{where} holds pickled objects besides tensors, and reading those can run code.",
            "Save the state dict alone: torch.save(model.state_dict(), path), or better as safetensors.",
            "model.weights",
        ) from None
    except Exception as error:  # what a damaged pickle raises depends on where it is damaged
        reason = first_line(error)
        raise CausalVAEError(
            "CV102", f"{where} cannot be read ({reason}).", "Check that it was copied whole.", "model.weights"
        ) from None
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise CausalVAEError(
            "CV102",
            f"{where} holds no plain state dict.",
            "Save the state dict alone: torch.save(model.state_dict(), path).",
            "model.weights",
        )
    return Weights(dict(content), {}, where)


def load_into(module: nn.Module, weights: Weights) -> None:
    """Load a state dict strictly.

    Raises
    ------
    CausalVAEError
        CV103 where names or shapes differ, with the differences.
    """
    wanted = module.state_dict()
    missing = sorted(wanted.keys() - weights.state.keys())
    unexpected = sorted(weights.state.keys() - wanted.keys())
    if missing or unexpected:
        differences = "; ".join(filter(None, (_some("missing", missing), _some("unexpected", unexpected))))
        raise CausalVAEError(
            "CV103",
            f"{weights.place} does not fit the network: {differences}.",
            "Check model.name, and that the file is this network's state dict.",
            "model.weights",
        )
    for name, value in wanted.items():
        if value.shape != weights.state[name].shape:
            raise CausalVAEError(
                "CV103",
                f"{weights.place} does not fit the network: {name} has shape {tuple(weights.state[name].shape)}, "
                f"the network's has {tuple(value.shape)}.",
                "Check model.latent_dim.",
                "model.weights",
            )
    module.load_state_dict(weights.state)


def _some(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what} {', '.join(names[:3])}{more}"


def trained_as(weights: Weights) -> dict[str, Any]:
    """The training spec in weights that `causalvae train` wrote; empty for others.

    Raises
    ------
    CausalVAEError
        CV102 where there is one that cannot be read.
    """
    text = weights.metadata.get("training_spec")
    if not text:
        return {}
    try:
        spec = json.loads(text)
        complete = not spec or (
            int(spec["model"]["latent_dim"]) > 0
            and isinstance(spec["objective"], dict)
            and {"steps", "batch_size"} <= spec.keys()
            and int(weights.metadata["seconds"]) >= 0
        )
    except (ValueError, TypeError, LookupError):
        complete = False
    if not complete or not isinstance(spec, dict):
        raise CausalVAEError(
            "CV102",
            f"{weights.place} holds a training_spec that cannot be read.",
            "Write the weights with `causalvae train`, or name them under `source: checkpoint`.",
            "model.weights",
        )
    return spec
