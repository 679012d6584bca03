"""Reads files of `torch.save` without running code, and reports what else they hold."""

from __future__ import annotations

import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from causalvae.boundary import boundary
from causalvae.errors import CausalVAEError
from causalvae.text import one_line

_LIGHTNING = "pytorch-lightning_version"
# Opcodes that hold text; pickles that would run code are only listed, never loaded.
_TEXT = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE")
_MOST_NAMES = 4
_MOST_STATES = 20
_WHOLE = "Check that it was copied whole; a file of safetensors must end in .safetensors."


def read_torch_file(path: Path, where: str, key: str | None = None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The state dict in a file of `torch.save`, and facts about the training that it holds.

    Parameters
    ----------
    path : Path
    where : str
        The file as the user wrote it.
    key : str, optional
        Entry of the file that is the state dict. By default the file itself, its only entry that is a state dict, or
        ``state_dict`` in a Lightning checkpoint.

    Raises
    ------
    CausalVAEError
        CV102 for a file that cannot be read or holds no weights, CV125 for a Lightning checkpoint with pickled objects,
        CV126 if several entries are state dicts and `key` is None, or if the entry `key` is not a state dict.
    """
    with (
        boundary("CV102", f"{where} cannot be read as a file of torch.save", _WHOLE, "model.weights"),
        warnings.catch_warnings(),
    ):
        # torch warns about old formats and future changes, which the user cannot act on.
        warnings.simplefilter("ignore")
        try:
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise _unsafe(path, where, str(error)) from None
    if key is None and _is_state(content):
        return dict(content), {}
    if not isinstance(content, Mapping):
        raise _no_state(where)
    states = {str(name): value for name, value in content.items() if _is_state(value)}
    found = list(states)
    chosen = key
    if chosen is None and (len(found) == 1 or (_LIGHTNING in content and "state_dict" in found)):
        chosen = found[0] if len(found) == 1 else "state_dict"
    if chosen is None and not found:
        raise _no_state(where)
    if chosen is None or chosen not in found:
        said = "holds several state dicts" if chosen is None else f"has no state dict under {chosen!r}"
        raise CausalVAEError(
            "CV126",
            f"{where} {said}.",
            f"Write model.key; state dicts there: {_listed(found) or 'none, but the file itself may be one'}.",
            "model.key",
        )
    return dict(states[chosen]), _facts(content)


def _listed(names: Sequence[str]) -> str:
    some = ", ".join(map(one_line, names[:_MOST_STATES]))
    return f"{some} and {len(names) - _MOST_STATES} more" if len(names) > _MOST_STATES else some


def _is_state(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(entry, Tensor) for name, entry in value.items())
    )


def _facts(content: Mapping[Any, Any]) -> dict[str, str]:
    """Facts about the training in a checkpoint."""
    said = []
    if isinstance(content.get(_LIGHTNING), str):
        said.append(f"Lightning {one_line(content[_LIGHTNING])}")
    said += [
        f"{name.replace('_', ' ')} {content[name]}"
        for name in ("epoch", "global_step")
        if isinstance(content.get(name), int)
    ]
    return {"checkpoint": ", ".join(said)} if said else {}


def _no_state(where: str) -> CausalVAEError:
    return CausalVAEError(
        "CV102",
        f"{where} holds no plain state dict.",
        "Save the state dict alone: torch.save(model.state_dict(), path).",
        "model.weights",
    )


def _unsafe(path: Path, where: str, said: str) -> CausalVAEError:
    """The error for a file that cannot be read without running code."""
    texts, classes = _look_into(path)
    named = ", ".join(classes[:_MOST_NAMES]) + (" and others" if len(classes) > _MOST_NAMES else "")
    of_them = f" ({named})" if classes else ""
    if _LIGHTNING in texts and "state_dict" in texts:
        out = f"{path.stem}.pt"
        return CausalVAEError(
            "CV125",
            f"{where} is a Lightning checkpoint that contains pickled objects in addition to its weights{of_them}, as "
            "hyper_parameters often do, and reading those can run code.",
            "If you trust the file, convert it once: python -c \"import torch; c = torch.load('"
            f"{path.name}', map_location='cpu', weights_only=False); torch.save(c['state_dict'], '{out}')\" "
            f"and write `weights: {out}`.",
            "model.weights",
        )
    if not classes and "global" not in said.lower():
        return CausalVAEError(
            "CV102",
            f"{where} cannot be read: it is damaged, or no file of torch.save.",
            _WHOLE,
            "model.weights",
        )
    return CausalVAEError(
        "CV102",
        f"{where} contains pickled objects in addition to tensors{of_them}, and reading those can run code.",
        "Save the state dict alone: torch.save(model.state_dict(), path), or better as safetensors.",
        "model.weights",
    )


def _look_into(path: Path) -> tuple[set[str], tuple[str, ...]]:
    """Texts of a pickle, and the classes that it names except torch's; its opcodes are listed, never run."""
    texts: list[str] = []
    classes: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            data = archive.read(name)
        for code, argument, _ in pickletools.genops(data):
            if code.name in _TEXT:
                texts.append(str(argument))
            elif code.name == "GLOBAL":
                classes.append(str(argument).replace(" ", "."))
            elif code.name == "STACK_GLOBAL":
                classes.append(".".join(texts[-2:]))
    except Exception:
        # Old files are not archives, and damaged pickles raise various errors; the report is then less specific.
        return set(texts), ()
    foreign = (name for name in classes if name.split(".")[0] not in ("torch", "collections"))
    return set(texts), tuple(dict.fromkeys(foreign))
