"""`init --from`: a spec for a user's own network and data that runs, or that says what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from scipy.io import wavfile

from causalvae.api import open_session, train
from causalvae.errors import CausalVAEError
from causalvae.first_spec import _flow, write_first_spec
from causalvae.models.architectures import perceptron
from causalvae.models.loading import load_model
from causalvae.spec import load_spec, open_spec, parse_spec
from causalvae.spec.data_section import DATA
from causalvae.spec.model_section import MODEL_TAG

LATENTS, COLUMNS = 2, 6


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Every combination of two factors, each of which makes three columns."""
    a, b = (axis.ravel() for axis in np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9)))
    path = tmp_path / "cells.npz"
    np.savez(path, x=np.stack([a, a, a, b, b, b], 1).astype(np.float32), dose=a, size=b, note=np.array(["t"] * 81))
    return path


@pytest.fixture
def trained(tmp_path: Path, data: Path) -> Path:
    """Weights of an architecture of this package, as `torch.save` keeps them."""
    torch.manual_seed(0)
    vae = perceptron((COLUMNS,), hidden=(16,), latent_dim=LATENTS, likelihood="gaussian")
    inputs = torch.from_numpy(np.load(data)["x"])
    optimiser = torch.optim.Adam(vae.parameters(), lr=0.02)
    for _ in range(300):
        posterior = vae.encode(inputs)
        loss = ((vae.decode(posterior.mean) - inputs) ** 2).sum(1).mean() + 0.001 * (posterior.mean**2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    path = tmp_path / "vae.pt"
    torch.save(vae.state_dict(), path)
    return path


def test_a_checkpoint_of_a_known_architecture_gives_a_spec_that_runs(
    invoke: Any, tmp_path: Path, data: Path, trained: Path
) -> None:
    out = tmp_path / "specs" / "first.yaml"
    out.parent.mkdir()
    done = invoke("init", "--from", trained, "--data", data, "--out", out)
    assert done.exit_code == 0, done.stderr
    assert "the spec runs" in done.stdout
    spec = load_spec(out, files=True)
    assert (spec.model.weights, spec.model.name) == ("../vae.pt", "mlp")  # type: ignore[attr-defined]
    assert list(spec.graph.factors) == ["dose", "size"]
    assert [each.name for each in spec.hypotheses] == ["dose-through-one-latent"]
    assert out.read_text().count("\n#") > 5, "it is commented"
    session = open_session(*open_spec(out))
    assert session.dataset.space.names == ("dose", "size")
    before = out.read_text()
    done = invoke("init", "--from", trained, "--data", data, "--out", out)
    assert done.exit_code == 3 and "CV411" in done.stderr and out.read_text() == before


def test_a_network_that_is_not_read_by_default_is_read_as_it_reconstructs(tmp_path: Path) -> None:
    shipped = MODEL_TAG.read({"source": "zoo", "weights": "builtin://dsprites-disentangled"})
    vae = load_model(shipped, tmp_path).vae
    assert vae.layout == "chunk"
    weights = dict(vae.state_dict())
    order = [place for latent in range(vae.latent_dim) for place in (latent, vae.latent_dim + latent)]
    for name in ("weight", "bias"):
        weights[f"encoder.mu_logvar_gen.{name}"] = weights[f"encoder.mu_logvar_gen.{name}"][order]
    torch.save(weights, tmp_path / "interleaved.pt")
    found = write_first_spec(str(tmp_path / "interleaved.pt"), "dsprites", tmp_path, "mine")
    assert found.session is not None and found.session.model.vae.layout == "interleaved"
    assert "posterior: {layout: interleaved}}" in found.text and "Check how it was trained." in found.text


def test_a_folder_of_morphomnist_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "t10k-morpho.csv").touch()
    section = DATA.get("morphomnist").recognise(tmp_path)
    assert section == {"part": "t10k"}
    assert DATA.get("morphomnist").recognise(tmp_path / "t10k-morpho.csv") is None


def test_weights_that_say_what_they_were_trained_on_need_no_data(tmp_path: Path) -> None:
    found = write_first_spec("builtin://dsprites-disentangled", None, tmp_path, "mine")
    spec, diagnostics = parse_spec(found.text)
    assert diagnostics == () == found.diagnostics and found.to_fill == ()
    assert spec is not None and spec.data.kind == "dsprites"
    assert spec.hypotheses[0].circuit == ("$scale",) and spec.hypotheses[0].outcome == "area"
    assert found.session is not None


def test_an_unknown_network_gives_a_template_that_says_what_to_fill_in(invoke: Any, tmp_path: Path, data: Path) -> None:
    torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "other.pt")
    out = tmp_path / "first.yaml"
    done = invoke("init", "--from", tmp_path / "other.pt", "--data", data, "--out", out, "--json")
    told = json.loads(done.stdout)
    assert told["runs"] is False and len(told["to_fill"]) == 3
    text = out.read_text()
    assert "TO FILL IN" in text and "name: mlp" in text and max(map(len, text.split("\n"))) <= 120
    assert parse_spec(text)[1] == (), "all but the module is right"
    codes = [found["code"] for found in json.loads(invoke("validate", out, "--json").stdout)["files"][0]["diagnostics"]]
    assert codes == ["CV018"], "there is no module yet"


def test_no_code_in_weights_is_run(tmp_path: Path, data: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path(tmp_path / "ran").touch, ())

    torch.save({"weight": Bomb()}, tmp_path / "bad.pt")
    with pytest.raises(CausalVAEError, match="CV1"):
        write_first_spec(str(tmp_path / "bad.pt"), str(data), tmp_path, "mine")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("named", "code"), [("absent.csv", "CV442"), ("x.docx", "CV442"), ("", "CV443"), ("no-such-source", "CV442")]
)
def test_data_that_cannot_be_recognised_is_an_error(tmp_path: Path, trained: Path, named: str, code: str) -> None:
    with pytest.raises(CausalVAEError) as caught:
        write_first_spec(str(trained), str(tmp_path / named) if named else None, tmp_path, "mine")
    assert caught.value.code.startswith(code)


def test_data_goes_with_from(invoke: Any) -> None:
    done = invoke("init", "--data", "x.csv")
    assert done.exit_code == 2 and "--from" in done.stderr


def test_columns_of_text_become_factors(tmp_path: Path, trained: Path, data: Path) -> None:
    arrays = np.load(data)
    table = pd.DataFrame(arrays["x"], columns=[f"gene {k}" for k in range(COLUMNS)])
    table = table.assign(**{"cell type": np.where(arrays["dose"] > 0.5, "T", "B"), "batch": arrays["size"].astype(str)})
    table["batch"] = "b" + table["batch"]
    table.to_csv(tmp_path / "cells.csv")
    first = write_first_spec(str(trained), str(tmp_path / "cells.csv"), tmp_path, "cells")
    assert first.session is not None and first.session.dataset.space.names == ("cell_type", "batch")
    assert first.session.dataset.input_shape == (COLUMNS,)


def test_arrays_of_text_become_factors_and_names_of_samples_do_not(tmp_path: Path, trained: Path, data: Path) -> None:
    arrays = dict(np.load(data))
    arrays |= {"kind": np.where(arrays["dose"] > 0.5, "T", "B"), "id": np.array([f"s{k}" for k in range(81)])}
    np.savez(tmp_path / "more.npz", **arrays)
    first = write_first_spec(str(trained), str(tmp_path / "more.npz"), tmp_path, "more")
    assert first.session is not None and list(first.session.spec.graph.factors) == ["dose", "size", "kind"]


def test_the_file_of_training_has_the_factors_of_training(tmp_path: Path, data: Path) -> None:
    arrays = np.load(data)
    table = pd.DataFrame(arrays["x"], columns=["gene a", *(f"gene_{k}" for k in range(1, COLUMNS))])
    table.assign(dose=arrays["dose"], gene=arrays["size"]).to_csv(tmp_path / "cells.csv", index=False)
    (tmp_path / "train.yaml").write_text(
        "spec: causalvae/train-v1\nname: small\nobjective: {name: vae}\n"
        "model: {architecture: mlp, latent_dim: 2, likelihood: gaussian, sigma: 0.05}\n"
        "data: {source: csv, path: cells.csv, inputs: ['gene_*', gene a], factors: [dose]}\n"
        "optimiser: {lr: 0.02}\nbatch_size: 16\nsteps: 100\n"
    )
    weights = train(tmp_path / "train.yaml", tmp_path / "out").weights
    first = write_first_spec(str(weights), str(tmp_path / "cells.csv"), tmp_path, "cells")
    assert "factors: [dose], inputs" in first.text
    columns = [getattr(readout, "column", None) for readout in first.session.spec.graph.attributes.values()]  # type: ignore[union-attr]
    assert columns == ["gene_1", "gene_2", "gene_3", "gene_4", "gene_5", None]


def test_images_are_read_as_in_training(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    source = np.random.default_rng(0)
    for number in range(80):
        grey = np.full((40, 40, 3), source.integers(0, 255), np.uint8)
        Image.fromarray(grey).save(tmp_path / "pictures" / f"{number}.png")
    (tmp_path / "train.yaml").write_text(
        "spec: causalvae/train-v1\nname: small\nmodel: {architecture: mlp, latent_dim: 2}\n"
        "data: {source: images, path: pictures, size: 16, colour: false}\nobjective: {name: vae}\n"
        "optimiser: {lr: 0.02}\nbatch_size: 16\nsteps: 100\n"
    )
    weights = train(tmp_path / "train.yaml", tmp_path / "out").weights
    first = write_first_spec(str(weights), str(tmp_path / "pictures"), tmp_path, "small")
    assert first.session is not None and first.session.dataset.input_shape == (1, 16, 16)
    assert "path: pictures, colour: false, size: 16, samples" in first.text, "and nothing that is the default"


def test_sounds_have_the_length_and_the_rate_of_training(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    moments = np.arange(100) / 1000
    for number in range(60):
        wave = np.sin(2 * np.pi * (20 + number) * moments)
        wavfile.write(tmp_path / "recordings" / f"{number}.wav", 1000, (20_000 * wave).astype(np.int16))
    (tmp_path / "train.yaml").write_text(
        "spec: causalvae/train-v1\nname: small\nobjective: {name: vae}\nsteps: 150\nbatch_size: 16\n"
        "model: {architecture: mlp, latent_dim: 2, likelihood: gaussian, sigma: 0.1}\noptimiser: {lr: 0.02}\n"
        "data: {source: sounds, path: recordings, length: 24, rate: 500}\n"
    )
    weights = train(tmp_path / "train.yaml", tmp_path / "out").weights
    first = write_first_spec(str(weights), str(tmp_path / "recordings"), tmp_path, "small")
    assert first.session is not None and first.session.dataset.input_shape == (1, 24)
    assert "length: 24, rate: 500" in first.text


def test_reasons_are_written_whole_and_once(tmp_path: Path, data: Path) -> None:
    torch.save({"fc1.weight": torch.zeros(3, COLUMNS)}, tmp_path / "own.pt")
    first = write_first_spec(str(tmp_path / "own.pt"), str(data), tmp_path, "own")
    comments = " ".join(line.lstrip("# ") for line in first.text.splitlines() if line.startswith("#"))
    reasons = [part for part in comments.split("{source: checkpoint") if "CV128" in part]
    assert len(reasons) == len(set(reasons)) > 0
    assert all(reason.split(". ")[0].endswith("to read it off") for reason in reasons), comments
    assert first.session is None and "model.factory" in first.to_fill[0]


def test_keys_of_metadata_are_quoted() -> None:
    odd = {"source": "csv", "a: 1}\nexecution: {device": "cuda", "null": None}
    assert YAML(typ="safe", pure=True).load(_flow(odd)) == odd
    assert _flow({"source": "csv"}) == "{source: csv}"


def test_what_a_killed_init_left_is_removed_although_its_spec_is_there(invoke: Any, tmp_path: Path) -> None:
    out = tmp_path / "new.yaml"
    out.touch()
    left = tmp_path / ".new.yaml.0123456789ab.partial"
    left.touch()
    done = invoke("init", "--from", "builtin://none", "--out", out)
    assert done.exit_code == 3 and "CV411" in done.stderr
    assert not left.exists()
