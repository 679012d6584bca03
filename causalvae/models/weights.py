"""Reads weights without running code."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from causalvae.boundary import boundary
from causalvae.errors import CausalVAEError
from causalvae.files import DamagedFileError, read_sealed
from causalvae.models.torch_file import read_torch_file
from causalvae.spec.places import BUILTIN, builtin_names, locate
from causalvae.spec.training import Supervision

# Codes of weights that belong to another network than the one that they are read into.
UNFIT: Final = ("CV103", "CV127", "CV128")
_MOST_SECONDS: Final = 1e12


@dataclass(frozen=True)
class Weights:
    """A state dict and its metadata.

    Parameters
    ----------
    state : dict
        Parameter name -> tensor.
    metadata : dict
        Text stored with the weights; empty for formats without metadata.
    place : str
        The path they were read from, as the user wrote it.
    facts : dict
        Facts for the report.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str]
    place: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 (16 hex digits) over names, shapes and values, in name order."""
        total = hashlib.sha256()
        for name in sorted(self.state):
            value = self.state[name].detach().cpu().contiguous()
            total.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
            # As bytes, since numpy does not support bfloat16.
            total.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
        return total.hexdigest()[:16]


def read_weights(where: str, folder: Path, key: str | None = None) -> Weights:
    """Read weights from `where`: ``builtin://NAME``, or a path relative to `folder`.

    Parameters
    ----------
    where : str
    folder : Path
    key : str, optional
        Entry of a file of `torch.save` that holds the weights; see `read_torch_file`.

    Raises
    ------
    CausalVAEError
        CV101 for unknown names and missing files, CV102 for files that are not weights or would run code; CV125 and
        CV126 of `read_torch_file`.
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
    path = locate(folder, where)
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
        if key is not None:
            raise CausalVAEError(
                "CV126", f"{where} is one state dict and has no entries.", "Delete model.key.", "model.key"
            )
        return _read_safetensors(path, where)
    state, facts = read_torch_file(path, where, key)
    return Weights(check_tensors(state, where), {}, where, facts)


def _read_safetensors(path: Path, where: str) -> Weights:
    from safetensors import safe_open

    remedy = "Check that it was copied whole."
    # For a file without read permission safetensors reports that it does not exist.
    with path.open("rb"):
        pass
    with (
        boundary("CV102", f"{where} is not a safetensors file", remedy, "model.weights"),
        # A name that is not UTF-8 is refused here; safetensors would call the file damaged.
        safe_open(str(path).encode().decode(), framework="pt") as file,
    ):
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
        metadata = dict(file.metadata() or {})
    # Weights that `causalvae train` wrote carry a checksum; those of other programs do not.
    if metadata.pop("checksum", None) is not None:
        try:
            read_sealed(path)
        except DamagedFileError as error:
            raise CausalVAEError("CV102", f"{where} is damaged: {error.reason}.", remedy, "model.weights") from error
    return Weights(check_tensors(state, where), metadata, where)


def check_tensors(state: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """Return `state` after checking that every tensor is usable as a weight.

    Raises
    ------
    CausalVAEError
        CV102 for tensors without values (on the meta device), sparse, quantised or complex tensors, and NaN. Infinity
        is checked by `load_into`, since buffers such as attention masks may contain it.
    """
    for name, value in state.items():
        fault = _fault_of(value)
        if fault:
            raise _unusable(where, name, fault)
    return state


def _unusable(where: str, name: str, fault: str) -> CausalVAEError:
    return CausalVAEError(
        "CV102",
        f"{where} cannot be used: {name} {fault}.",
        "Save the state dict of a network that is trained and lies on the CPU or a GPU, in floating point.",
        "model.weights",
    )


def _fault_of(value: Tensor) -> str:
    if value.is_meta:
        return "has no values (it was saved from the meta device)"
    if value.layout != torch.strided or value.is_nested:
        return f"is not dense ({value.layout})"
    if value.is_quantized or value.is_complex():
        return f"has values of type {value.dtype}"
    if value.numel() > value.untyped_storage().nbytes():
        return "repeats a few stored values over a larger shape"
    if value.is_floating_point() and torch.isnan(value).any():
        return "has values that are not finite (NaN)"
    return ""


def load_into(module: nn.Module, weights: Weights) -> None:
    """Load a state dict; all names and shapes must match.

    Raises
    ------
    CausalVAEError
        CV103 if names or shapes differ, listing the differences; CV102 if a parameter has infinite values.
    """
    parameters = dict(module.named_parameters(remove_duplicate=False))
    wanted = module.state_dict()
    missing = sorted(wanted.keys() - weights.state.keys())
    unexpected = sorted(weights.state.keys() - wanted.keys())
    if missing or unexpected:
        differences = "; ".join(filter(None, (_some("missing", missing), _some("unexpected", unexpected))))
        raise CausalVAEError(
            "CV103",
            f"{weights.place} does not fit the network: {differences}.",
            _near(missing, unexpected) + "Check which network the spec names, and that the file is this network's "
            "state dict; model.prefix removes a common prefix of the names, model.ignore skips weights.",
            "model.weights",
        )
    for name, value in wanted.items():
        if value.shape != weights.state[name].shape:
            raise CausalVAEError(
                "CV103",
                f"{weights.place} does not fit the network: {name} has shape {tuple(weights.state[name].shape)}, "
                f"the network's has {tuple(value.shape)}.",
                "Check the sizes that the spec gives (latent_dim, hidden, width, arguments) and the data's shape.",
                "model.weights",
            )
        # In single precision, since isinf does not support 8-bit floats.
        if name in parameters and weights.state[name].float().isinf().any():
            raise _unusable(weights.place, name, "has values that are not finite (infinity)")
    with boundary("CV103", f"{weights.place} does not fit the network", "Check the types of its tensors.", "model"):
        module.load_state_dict(weights.state)


def _some(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what} {', '.join(names[:3])}{more}"


def _near(missing: list[str], unexpected: list[str]) -> str:
    """Unexpected names that are probably misspelt missing ones."""
    pairs = []
    for name in missing:
        nearest = difflib.get_close_matches(name, unexpected, n=1, cutoff=0.8)
        if nearest:
            pairs.append(f"{nearest[0]} is perhaps {name}")
        if len(pairs) == 2:
            break
    return f"{'; '.join(pairs)}. " if pairs else ""


def without_prefix(
    weights: Weights, wanted: Collection[str], prefix: str | None = None, ignore: tuple[str, ...] = ()
) -> Weights:
    """Rename weights to the names of a network by removing a prefix, or by adding that of a wrapper.

    Parameters
    ----------
    weights : Weights
    wanted : collection of str
        The network's own names.
    prefix : str, optional
        Prefix to remove; weights without it are dropped. If omitted, names are kept if all of `wanted` are present,
        else the one prefix under which all of `wanted` are found is removed. Where all of `wanted` begin with one
        prefix and are in the file without it, it is added: the network wraps the one that was saved. Prefixes of
        ``torch.compile`` are always removed.
    ignore : tuple of str
        Weights whose names in the file begin with one of these are dropped.

    Raises
    ------
    CausalVAEError
        CV103 if no name begins with `prefix`, CV127 if several prefixes are possible.
    """
    state = _without_wrapper(
        {name: value for name, value in weights.state.items() if not name.startswith(ignore)}, weights.place
    )
    if prefix is None:
        prefix = _common_prefix(state, wanted, weights.place)
        wrapper = "" if prefix else _wrapper_of(state, wanted, weights.place)
        if wrapper:
            inner = without_prefix(weights, [name.removeprefix(wrapper) for name in wanted], ignore=ignore)
            added = {wrapper + name: value for name, value in inner.state.items()}
            return replace(inner, state=added, facts={**inner.facts, "prefix added": wrapper})
    if not prefix:
        return replace(weights, state=state)
    kept = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    if not kept:
        some = ", ".join(sorted(weights.state)[:3])
        raise CausalVAEError(
            "CV103",
            f"no name in {weights.place} begins with {prefix!r}.",
            f"Names there are such as {some}.",
            "model.prefix",
        )
    left = len(state) - len(kept)
    facts = {"prefix removed": prefix} | ({"other tensors, ignored": str(left)} if left else {})
    return replace(weights, state=kept, facts={**weights.facts, **facts})


def _without_wrapper(state: Mapping[str, Tensor], place: str) -> dict[str, Tensor]:
    """Names without the prefixes of ``torch.compile``."""
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        plain = name.replace("_orig_mod.", "")
        if plain in found:
            raise CausalVAEError(
                "CV127",
                f"{place} holds {plain} twice: with and without the prefix _orig_mod. of torch.compile.",
                "Save the state dict of one network, or skip one of the two with model.ignore.",
                "model.weights",
            )
        found[plain] = value
    return found


def _common_prefix(state: Mapping[str, Tensor], wanted: Collection[str], place: str) -> str:
    if not wanted or all(name in state for name in wanted):
        return ""
    # The longest name is the least likely to be a suffix of another one by chance.
    longest = max(wanted, key=len)
    ends = [name.removesuffix(longest) for name in state if name.endswith(longest)]
    fitting = [prefix for prefix in ends if all(prefix + name in state for name in wanted)]
    if len(fitting) > 1:
        raise CausalVAEError(
            "CV127",
            f"{place} holds the network's weights more than once, under {' and '.join(map(repr, sorted(fitting)))}.",
            f"Say which to read, as in `prefix: {min(fitting)}`.",
            "model.prefix",
        )
    return fitting[0] if fitting else ""


def _wrapper_of(state: Mapping[str, Tensor], wanted: Collection[str], place: str) -> str:
    """The prefix of all names of a network that wraps the one whose weights are in a file; "" if there is none."""
    if not wanted or all(name in state for name in wanted):
        return ""
    parts = next(iter(wanted)).split(".")
    for depth in range(1, len(parts)):
        prefix = ".".join(parts[:depth]) + "."
        if not all(name.startswith(prefix) for name in wanted):
            break
        inside = [name.removeprefix(prefix) for name in wanted]
        if all(name in state for name in inside) or _common_prefix(state, inside, place):
            return prefix
    return ""


def trained_as(weights: Weights) -> dict[str, Any]:
    """The training spec stored by `causalvae train` with weights; empty for other weights.

    Raises
    ------
    CausalVAEError
        CV102 if it cannot be read.
    """
    text = weights.metadata.get("training_spec")
    if not text:
        return {}
    try:
        spec = json.loads(text)
        if spec.get("supervision") is not None:
            Supervision.model_validate(spec["supervision"])
        complete = not spec or (
            int(spec["model"]["latent_dim"]) > 0
            and isinstance(spec.get("data", {}), dict)
            and isinstance(spec["objective"], dict)
            and {"steps", "batch_size"} <= spec.keys()
            and 0 <= int(weights.metadata["seconds"]) < _MOST_SECONDS
        )
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError):
        complete = False
    if not complete or not isinstance(spec, dict):
        raise CausalVAEError(
            "CV102",
            f"{weights.place} holds a training_spec that cannot be read.",
            "Write the weights with `causalvae train`, or name them under `source: checkpoint`.",
            "model.weights",
        )
    return spec
