"""Weights are read strictly, and reading them runs no code."""

from __future__ import annotations

import errno
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from causalvae.errors import CausalVAEError
from causalvae.models.burgess import burgess
from causalvae.models.kinds.checkpoint import CheckpointModel
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.loading import load_model
from causalvae.models.weights import Weights, load_into, read_weights, trained_as, without_prefix
from causalvae.models.zoo_source import open_zoo
from causalvae.spec.schema import PosteriorSection


class Small(nn.Module):
    """A layer, a normalisation with its counter, and a half-precision parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.low = nn.Parameter(torch.randn(3, dtype=torch.bfloat16))


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    return Small()


def write(state: dict[str, torch.Tensor], path: Path) -> None:
    if path.suffix == ".safetensors":
        save_file(state, path, metadata={"note": "x"})
    else:
        torch.save(state, path)


def refused(where: str, folder: Path) -> CausalVAEError:
    with pytest.raises(CausalVAEError) as caught:
        read_weights(where, folder)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth"])
def test_weights_come_back_bit_for_bit(name: str, small: Small, tmp_path: Path) -> None:
    write(small.state_dict(), tmp_path / name)
    weights = read_weights(name, tmp_path)
    fresh = Small()
    load_into(fresh, weights)
    for key, value in small.state_dict().items():
        assert torch.equal(fresh.state_dict()[key], value), key
    assert weights.metadata == ({"note": "x"} if name.endswith("safetensors") else {})


def test_a_digest_is_of_names_shapes_and_values(small: Small, tmp_path: Path) -> None:
    write(small.state_dict(), tmp_path / "w.safetensors")
    write(small.state_dict(), tmp_path / "w.pt")
    first, second = read_weights("w.safetensors", tmp_path), read_weights("w.pt", tmp_path)
    assert first.digest == second.digest
    state = small.state_dict()
    changed = {**state, "lin.bias": state["lin.bias"] + torch.tensor([0.0, 1e-6])}
    renamed = {("lin.bios" if key == "lin.bias" else key): value for key, value in state.items()}
    reshaped = {**state, "lin.bias": state["lin.bias"].reshape(2, 1)}
    backwards = dict(reversed(state.items()))
    assert Weights(backwards, {}, "").digest == first.digest
    for other in (changed, renamed, reshaped):
        assert Weights(other, {}, "").digest != first.digest


class Bomb:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize("form", ["torch", "plain pickle", "inside a state dict"])
def test_a_pickle_that_runs_code_does_not_run(form: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    bomb = Bomb(mark)
    path = tmp_path / "w.pt"
    if form == "plain pickle":
        path.write_bytes(pickle.dumps(bomb))
    else:
        torch.save(bomb if form == "torch" else {"lin.weight": torch.zeros(2), "x": bomb}, path)
    assert refused("w.pt", tmp_path).code == "CV102"
    assert not mark.exists(), "the pickle ran"
    # The same file does run where it is read without care, or the test would prove nothing.
    if form == "plain pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert mark.exists()


def test_a_whole_pickled_module_is_refused(small: Small, tmp_path: Path) -> None:
    torch.save(small, tmp_path / "w.pt")
    error = refused("w.pt", tmp_path)
    assert error.code == "CV102"
    assert "state_dict" in error.remedy


@pytest.mark.parametrize(
    "content",
    [{"state_dict": {}}, [torch.zeros(1)], torch.zeros(1), {"a": 1.0}, {0: torch.zeros(1)}],
    ids=["empty", "list", "tensor", "number", "key that is no name"],
)
def test_what_is_no_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    assert refused("w.pt", tmp_path).code == "CV102"


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_truncated_files_are_refused(name: str, share: float, small: Small, tmp_path: Path) -> None:
    path = tmp_path / name
    write(small.state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert refused(name, tmp_path).code == "CV102"


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
@pytest.mark.parametrize(
    "content", [b"hello\n", b"\x80\x02}q\x00.", bytes(200), b"<html>", b"\xff" * 64, b"PK\x03\x04", b"(lp0\n.", b"}."]
)
def test_other_files_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(name, tmp_path).code == "CV102"


def test_a_file_without_permission_is_not_called_damaged(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, opened = "w.safetensors", Path.open
    write(small.state_dict(), tmp_path / name)

    def refuse(path: Path, *arguments: object, **options: object) -> object:
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError):
        read_weights(name, tmp_path)


def test_missing_files_folders_and_names(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert refused("model", tmp_path).code == "CV101"
    error = refused("nothing.pt", tmp_path)
    assert (error.code, str(tmp_path) in error.message) == ("CV101", True)
    error = refused("builtin://no-such", tmp_path)
    assert error.code == "CV101"
    assert refused("builtin://../weights", tmp_path).code == "CV101"


def test_paths_start_at_the_spec_or_at_home(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(small.state_dict(), tmp_path / "w.pt")
    deeper = tmp_path / "specs"
    deeper.mkdir()
    for where in ("../w.pt", "~/w.pt", str(tmp_path / "w.pt")):
        assert set(read_weights(where, deeper).state) == set(small.state_dict())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: {key: value for key, value in state.items() if key != "lin.bias"}, "missing lin.bias"),
        (lambda state: {**state, "extra": torch.zeros(1)}, "unexpected extra"),
        (lambda state: {**state, "lin.bias": torch.zeros(5)}, "(5,)"),
        (lambda state: {f"module.{key}": value for key, value in state.items()}, "more"),
    ],
    ids=["missing", "unexpected", "shape", "prefixed"],
)
def test_weights_of_another_network_are_refused(change: object, said: str, small: Small, tmp_path: Path) -> None:
    write(change(small.state_dict()), tmp_path / "w.pt")  # type: ignore[operator]
    before = {key: value.clone() for key, value in small.state_dict().items()}
    with pytest.raises(CausalVAEError) as caught:
        load_into(small, read_weights("w.pt", tmp_path))
    assert caught.value.code == "CV103"
    assert said in caught.value.message
    for key, value in small.state_dict().items():
        assert torch.equal(value, before[key]), "a refused file must change nothing"


def test_a_checkpoint_section_reads_as_it_says(tmp_path: Path) -> None:
    torch.manual_seed(1)
    vae = burgess(4)
    write(vae.state_dict(), tmp_path / "w.pt")
    x = torch.rand(2, 1, 64, 64)
    models = {
        layout: load_model(
            CheckpointModel(
                source="checkpoint", weights="w.pt", latent_dim=4, posterior=PosteriorSection(layout=layout)
            ),
            tmp_path,
        )
        for layout in ("chunk", "interleaved")
    }
    with torch.inference_mode():
        parameters = vae.eval().encoder(x)
        chunk, interleaved = (models[layout].network(x, torch.zeros(2, 4)) for layout in ("chunk", "interleaved"))
    torch.testing.assert_close(chunk[0], parameters[:, :4])
    torch.testing.assert_close(interleaved[0], parameters[:, 0::2])
    torch.testing.assert_close(interleaved[1], parameters[:, 1::2])
    assert models["chunk"].components.model_digest != models["interleaved"].components.model_digest
    with pytest.raises(CausalVAEError) as caught:
        load_model(CheckpointModel(source="checkpoint", weights="w.pt", latent_dim=10), tmp_path)
    assert caught.value.code == "CV103"


def test_weights_that_were_trained_here_say_how(tmp_path: Path) -> None:
    torch.manual_seed(1)
    spec = {
        "model": {"architecture": "burgess", "latent_dim": 3},
        "objective": {"name": "beta_vae", "beta": 4.0},
        "steps": 7,
        "batch_size": 64,
    }
    metadata = {"training_spec": json.dumps(spec), "seconds": "120"}
    save_file(burgess(3).state_dict(), tmp_path / "w.safetensors", metadata=metadata)
    assert trained_as(read_weights("w.safetensors", tmp_path)) == spec
    model = load_model(ZooModel(source="zoo", weights="w.safetensors"), tmp_path)
    assert model.vae.latent_dim == 3
    assert "beta_vae" in model.facts["objective"]
    assert "7 steps" in model.facts["training"]


@pytest.mark.parametrize("text", ["{", "[]", '{"model": 3}', "{}"])
def test_a_garbled_training_record_is_refused(text: str, tmp_path: Path) -> None:
    save_file(burgess(10).state_dict(), tmp_path / "w.safetensors", metadata={"training_spec": text})
    if text == "{}":
        assert load_model(ZooModel(source="zoo", weights="w.safetensors"), tmp_path).vae.latent_dim == 10
        return
    with pytest.raises(CausalVAEError) as caught:
        load_model(ZooModel(source="zoo", weights="w.safetensors"), tmp_path)
    assert caught.value.code == "CV102"
    assert "training_spec" in caught.value.message


@pytest.mark.parametrize(
    ("supervision", "readable"), [({"latents": {"x": 1}}, True), (None, True), (7, False), ({"latents": {}}, False)]
)
def test_a_record_of_supervision_is_read_or_refused(supervision: object, readable: bool) -> None:
    spec = {"model": {"latent_dim": 3}, "objective": {}, "steps": 7, "batch_size": 2, "supervision": supervision}
    weights = Weights({}, {"training_spec": json.dumps(spec), "seconds": "1"}, "w.safetensors")
    if readable:
        assert trained_as(weights) == spec
        return
    with pytest.raises(CausalVAEError) as caught:
        trained_as(weights)
    assert caught.value.code == "CV102"


class Masked(nn.Module):
    """A layer with a mask as attention layers keep it: infinite where nothing is to be attended to."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(2, 2)
        self.register_buffer("mask", torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]))


def test_infinity_is_refused_in_parameters_and_allowed_in_buffers(tmp_path: Path) -> None:
    network = Masked()
    write(network.state_dict(), tmp_path / "w.pt")
    load_into(network, read_weights("w.pt", tmp_path))
    assert torch.isinf(network.mask).sum() == 1
    short = {"lin.weight": torch.ones(2, 2).to(torch.float8_e4m3fn)}
    write(network.state_dict() | short, tmp_path / "w.pt")
    load_into(network, read_weights("w.pt", tmp_path))
    assert network.lin.weight.eq(1).all()
    with torch.no_grad():
        network.lin.weight[1, 0] = torch.inf
    write(network.state_dict(), tmp_path / "w.pt")
    with pytest.raises(CausalVAEError, match=r"lin\.weight has values that are not finite \(infinity\)") as caught:
        load_into(Masked(), read_weights("w.pt", tmp_path))
    assert caught.value.code == "CV102"
    write(Masked().state_dict() | {"mask": torch.full((2, 2), torch.nan)}, tmp_path / "w.pt")
    assert "mask has values that are not finite (NaN)" in refused("w.pt", tmp_path).message


def test_names_with_and_without_the_wrapper_of_compile_are_not_guessed(small: Small) -> None:
    state = small.state_dict()
    twice = Weights({**state, "_orig_mod.lin.bias": state["lin.bias"] + 1}, {}, "w.pt")
    with pytest.raises(CausalVAEError, match=r"CV127.*holds lin\.bias twice"):
        without_prefix(twice, state)
    assert without_prefix(twice, state, ignore=("_orig_mod.",)).state.keys() == state.keys()


def test_hostile_names_of_tensors_stay_on_one_short_line(small: Small, tmp_path: Path) -> None:
    for name in ("x\nerror[CV999] y", "x" * 10_000, "\x1b[31m", "..", "", "a\0b", "\udc80"):
        torch.save({**small.state_dict(), name: torch.zeros(2)}, tmp_path / "w.pt")
        with pytest.raises(CausalVAEError, match="CV103") as caught:
            load_into(Small(), read_weights("w.pt", tmp_path))
        assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
        assert len(str(caught.value)) < 1000
        torch.save({name: small.state_dict(), "other": small.state_dict()}, tmp_path / "w.pt")
        error = refused("w.pt", tmp_path)
        assert error.code == "CV126" and "\n" not in str(error) and len(str(error)) < 1000


@pytest.mark.parametrize("key", [1, None, (1, 2)])
def test_a_state_dict_is_found_under_a_key_that_is_no_text(key: object, small: Small, tmp_path: Path) -> None:
    torch.save({key: small.state_dict()}, tmp_path / "w.pt")
    assert read_weights("w.pt", tmp_path).state.keys() == small.state_dict().keys()


def test_a_name_of_a_file_that_is_not_utf8_is_told(small: Small, tmp_path: Path) -> None:
    odd = "w\udcff.safetensors"
    write(small.state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").rename(tmp_path / odd)
    error = refused(odd, tmp_path)
    assert error.code == "CV410" and "not UTF-8" in error.message


@pytest.mark.parametrize(
    "metadata",
    [
        {"input_shape": "[["},
        {"input_shape": "3"},
        {"seconds": "9" * 400},
        {"training_spec": {"data": 3}},
        {"training_spec": {"model": {"latent_dim": 10**30}}},
        {"training_spec": {"model": {"latent_dim": 2, "architecture": []}}},
        {"training_spec": {"model": {"latent_dim": 2, "likelihood": "gaussian", "sigma": "1"}}},
    ],
)
def test_metadata_that_no_training_wrote_is_refused(metadata: dict[str, Any], tmp_path: Path) -> None:
    spec = {"model": {"latent_dim": 2}, "data": {}, "objective": {"name": "vae"}, "steps": 1, "batch_size": 1}
    spec |= metadata.pop("training_spec", {})
    entries = {"training_spec": json.dumps(spec), "seconds": "1", **metadata}
    save_file({"w": torch.zeros(2)}, tmp_path / "w.safetensors", metadata=entries)
    section = ZooModel(source="zoo", weights="w.safetensors")
    with pytest.raises(CausalVAEError, match="CV102"):
        open_zoo(section, tmp_path)
