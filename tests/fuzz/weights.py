"""Damaged and hostile weights of every format: each gives a network or an error with a code, and nothing else.

``python -m tests.fuzz.weights COUNT SEED`` prints the counts as JSON.
"""

from __future__ import annotations

import io
import json
import random
import struct
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from causalvae.errors import CausalVAEError
from causalvae.models.kinds.checkpoint import CheckpointModel
from causalvae.models.sources import open_source
from tests.fuzz.damage import DAMAGES
from tests.fuzz.small_run import small_vae

State = dict[str, Any]


def fuzz_weights(count: int, seed: int) -> dict[str, dict[str, Any]]:
    """Open damaged weights as a run opens them.

    Parameters
    ----------
    count : int
        Files, spread evenly over the formats and the ways to damage them.
    seed : int

    Returns
    -------
    dict
        Format -> ``tried``, ``refused`` (with a code, a message and a remedy), ``opened`` (a network that a run could
        use) and ``crashed`` (any other exception); ``crashes`` lists the different ones.
    """
    draw = random.Random(seed)
    counts: dict[str, dict[str, Any]] = {}
    cases = [(kind, make) for kind, makers in _MAKERS.items() for make in makers]
    with tempfile.TemporaryDirectory() as place:
        for number in range(count):
            kind, make = cases[number % len(cases)]
            found = counts.setdefault(kind, {**Counter(tried=0, refused=0, opened=0, crashed=0), "crashes": []})
            found["tried"] += 1
            with warnings.catch_warnings():
                # torch warns where it makes what is asked for here.
                warnings.simplefilter("ignore")
                content = make(draw)
            outcome, words = _open(kind, content, Path(place))
            found[outcome] += 1
            if outcome == "crashed" and words not in found["crashes"]:
                found["crashes"].append(f"{make.__name__}: {words}")
    return counts


def _open(kind: str, content: bytes, place: Path) -> tuple[str, str]:
    """What comes of weights with this content."""
    path = place / f"weights{_ENDINGS[kind]}"
    named, name = path.name, "mlp"
    if kind == "json":
        # A folder that disentangling-vae wrote; its network is not needed where the sizes cannot be read.
        path, named, name = place / "specs.json", ".", None
        (place / "model.pt").write_bytes(_saved(_state()))
    path.write_bytes(content)
    section = CheckpointModel.model_validate(
        {"source": "checkpoint", "weights": named, "output": {"likelihood": "gaussian"}}
        | ({"name": name} if name else {})
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            open_source(section, place, (3,))
    except CausalVAEError as error:
        return ("refused" if error.code and error.message and error.remedy else "crashed"), repr(error)
    except Exception as error:  # what this program looks for
        return "crashed", f"{type(error).__name__}: {error}"[:300]
    finally:
        path.unlink()
    return "opened", ""


# -- whole files -------------------------------------------------------------------------------------------------------


def _state() -> State:
    return {name: value.clone() for name, value in small_vae().state_dict().items()}


def _saved(content: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def _legacy(state: State) -> bytes:
    return _saved(state, _use_new_zipfile_serialization=False)


def _lightning(state: State) -> bytes:
    return _saved({"state_dict": state, "pytorch-lightning_version": "2.1", "epoch": 3})


_FOLDER = {"img_size": [1, 64, 64], "latent_dim": 10, "model_type": "Burgess", "rec_dist": "bernoulli"}


def _folder() -> bytes:
    return json.dumps(_FOLDER).encode()


def _damaged(damage: Callable[[bytes, random.Random], bytes], whole: Callable[[], bytes]) -> Callable[..., bytes]:
    def make(draw: random.Random) -> bytes:
        return damage(whole(), draw)

    make.__name__ = damage.__name__
    return make


# -- contents that no training gives -----------------------------------------------------------------------------------


def _odd_tensor(draw: random.Random) -> torch.Tensor:
    """A tensor that no network computes with."""
    shape = (8, 3)
    return draw.choice(
        (
            lambda: torch.empty(shape, device="meta"),
            lambda: torch.eye(8, 3).to_sparse(),
            lambda: torch.eye(8, 3).to_sparse_csr(),
            lambda: torch.zeros(shape, dtype=torch.complex64),
            lambda: torch.full(shape, float("nan")),
            lambda: torch.full(shape, float("inf")),
            lambda: torch.quantize_per_tensor(torch.ones(shape), 0.1, 0, torch.qint8),
            lambda: torch.zeros(1).expand(1 << 40, 3),
            lambda: torch.zeros(0, 3),
            lambda: torch.zeros(()),
            lambda: torch.zeros(shape, dtype=torch.bool),
            lambda: torch.zeros(shape, dtype=torch.int64),
            lambda: torch.zeros(shape, dtype=torch.float8_e4m3fn),
            lambda: torch.zeros(shape).T.contiguous().T,
            lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        )
    )()


def _odd_state(draw: random.Random) -> State:
    state = _state()
    name = draw.choice(sorted(state))
    match draw.randrange(5):
        case 0:
            del state[name]
        case 1:
            state[f"{name}\u202e"] = state.pop(name)
        case 2:
            state = {f"module.{key}": value for key, value in state.items()}
        case _:
            state[name] = _odd_tensor(draw)
    return state


def _odd_safetensors(draw: random.Random) -> bytes:
    state = {name: value for name, value in _odd_state(draw).items() if value.layout == torch.strided}
    kept = {
        name: value for name, value in state.items() if not (value.is_meta or value.is_nested or value.is_quantized)
    }
    return save({name: value.contiguous() for name, value in kept.items() if value.numel() < 1000})


def _odd_header(draw: random.Random) -> bytes:
    """A safetensors file whose header says what cannot be."""
    size = draw.choice((10**400, -1, 2**63, 8, 0, 1e300, None, "8"))
    header = draw.choice(
        (
            json.dumps({"encoder.lin1.weight": {"dtype": "F32", "shape": [size], "data_offsets": [0, 32]}}),
            json.dumps({"encoder.lin1.weight": {"dtype": "F32", "shape": [8], "data_offsets": [0, size]}}),
            json.dumps({"encoder.lin1.weight": {"dtype": "Q7", "shape": [8], "data_offsets": [0, 32]}}),
            json.dumps({"__metadata__": {"checksum": "causalvae-sha256:0"}}),
            json.dumps({"__metadata__": {"training_spec": "[" * 100_000}}),
            "[" * 100_000,
            '{"a":' * 50_000,
            "{}",
        )
    ).encode()
    length = draw.choice((len(header), len(header), 0, 2**63, 10))
    return struct.pack("<Q", length) + header + bytes(32)


def _odd_pickle(draw: random.Random) -> bytes:
    return _saved(
        draw.choice(
            (
                _odd_state(draw),
                _odd_state(draw),
                {"state_dict": _odd_state(draw), "epoch": 10**400},
                {"state_dict": _state(), "model": _state()},
                {"state_dict": {}},
                [],
                None,
                {1: torch.zeros(2)},
                {"a": {"b": {"c": _state()}}},
                small_vae(),
            )
        )
    )


def _odd_archive(draw: random.Random) -> bytes:
    """An archive of torch.save with a member that is missing, doubled, packed or of another length."""
    whole = zipfile.ZipFile(io.BytesIO(_saved(_state())))
    buffer = io.BytesIO()
    victim = draw.choice(whole.namelist())
    way = draw.choice(("missing", "empty", "packed", "long", "traversing"))
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            if name != victim:
                archive.writestr(name, content)
            elif way == "empty":
                archive.writestr(name, b"")
            elif way == "packed":
                archive.writestr(name, content, zipfile.ZIP_DEFLATED)
            elif way == "long":
                archive.writestr(name, content * 3)
            elif way == "traversing":
                archive.writestr(f"../../{name}", content)
    return buffer.getvalue()


def _odd_json(draw: random.Random) -> bytes:
    value: Any = draw.choice(
        (10**400, -1, 0, 1e400, None, "10", [], {}, [10**400] * 3, [1, 64], [1, 64, 64, 64], True, "\u202e", 2**40)
    )
    text = json.dumps(_FOLDER | {draw.choice(sorted(_FOLDER)): value})
    return draw.choice(
        (text, text, text, "[" * 200_000, '{"a":' * 100_000, f"[{'9' * 5000}]", "null", "\ufeff{}")
    ).encode()


_WHOLE: dict[str, Callable[[], bytes]] = {
    "safetensors": lambda: save(_state()),
    "pt": lambda: _saved(_state()),
    "legacy pt": lambda: _legacy(_state()),
    "ckpt": lambda: _lightning(_state()),
    "json": _folder,
}
_ENDINGS = {"safetensors": ".safetensors", "pt": ".pt", "legacy pt": ".pth", "ckpt": ".ckpt", "json": ".json"}
_ODD: dict[str, tuple[Callable[[random.Random], bytes], ...]] = {
    "safetensors": (_odd_safetensors, _odd_header, _odd_header),
    "pt": (_odd_pickle, _odd_pickle, _odd_archive),
    "legacy pt": (lambda draw: _legacy(_odd_state(draw)),),
    "ckpt": (lambda draw: _lightning(_odd_state(draw)), _odd_pickle),
    "json": (_odd_json, _odd_json),
}
_MAKERS = {kind: (*(_damaged(damage, whole) for damage in DAMAGES), *_ODD[kind]) for kind, whole in _WHOLE.items()}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(fuzz_weights(int(sys.argv[1]), int(sys.argv[2])), indent=1) + "\n")
