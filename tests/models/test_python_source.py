"""The user's own network: made by code that must be allowed, and read as the spec declares."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from causalvae.cli.app import app
from causalvae.errors import CausalVAEError
from causalvae.models.burgess import burgess
from causalvae.models.kinds.python import PythonModel
from causalvae.models.loading import load_model
from causalvae.models.weights import read_weights
from causalvae.trust import allow_code, code_is_allowed

SHAPE = (1, 6, 6)
MODULE = """
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, layout):
        super().__init__()
        self.body = nn.Linear(36, 12)
        self.mean = nn.Linear(12, 3)
        self.second = nn.Linear(12, 3)
        self.layout = layout

    def forward(self, x):
        h = torch.tanh(self.body(x.flatten(1)))
        mean, second = self.mean(h), self.second(h)
        if self.layout == "heads":
            return mean, second
        if self.layout == "interleaved":
            return torch.stack([mean, second], -1).flatten(1)
        return torch.cat([mean, second], 1)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(3, 36)

    def forward(self, z):
        return self.body(z).view(-1, 1, 6, 6)


class Net(nn.Module):
    def __init__(self, layout):
        super().__init__()
        self.parts = nn.ModuleDict({"enc": Encoder(layout), "dec": Decoder()})


def make(layout="chunk", seed=0):
    torch.manual_seed(seed)
    return Net(layout)


def broken():
    raise RuntimeError("no weights today")


def nothing():
    return {"weights": 1}


VALUE = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_networks.py").write_text(MODULE)
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)
    return tmp_path


def section(**changes: Any) -> PythonModel:
    given = {
        "source": "python",
        "factory": "my_networks:make",
        "encoder": "parts.enc",
        "decoder": "parts.dec",
        "latent_dim": 3,
        **changes,
    }
    return PythonModel.model_validate(given)


def opened(folder: Path, **changes: Any) -> Any:
    with allow_code():
        return load_model(section(**changes), folder, SHAPE)


def test_code_runs_only_where_it_is_allowed(folder: Path) -> None:
    with pytest.raises(CausalVAEError) as caught:
        load_model(section(), folder, SHAPE)
    assert caught.value.code == "CV117"
    assert "--allow-code" in caught.value.remedy
    assert "my_networks" not in sys.modules
    assert opened(folder).vae.latent_dim == 3
    assert not code_is_allowed()
    assert str(folder) not in sys.path


@pytest.mark.parametrize("layout", ["chunk", "interleaved", "heads"])
@pytest.mark.parametrize("second", ["logvar", "var", "log_std"])
def test_posteriors_are_read_as_declared(folder: Path, layout: str, second: str) -> None:
    model = opened(folder, arguments={"layout": layout}, posterior={"layout": layout, "second": second})
    x = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))
    encoder = model.vae.encoder
    hidden = torch.tanh(encoder.body(x.flatten(1)))
    expected = {"logvar": lambda s: s, "var": torch.log, "log_std": lambda s: 2 * s}[second](encoder.second(hidden))
    posterior = model.vae.encode(x)
    torch.testing.assert_close(posterior.mean, encoder.mean(hidden))
    torch.testing.assert_close(posterior.logvar, expected, equal_nan=True)
    assert {"encoder.mean", "encoder.second", "latent"} <= {site.name for site in model.components.sites}


@pytest.mark.parametrize("activation", ["none", "sigmoid", "tanh"])
def test_inputs_and_outputs_are_scaled(folder: Path, activation: str) -> None:
    model = opened(folder, input_range=[-1.0, 1.0], output={"activation": activation})
    x = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1))
    raw = model.vae.decoder(model.vae.split(model.vae.encoder(2 * x - 1)).mean)
    function = {"none": lambda v: v, "sigmoid": torch.sigmoid, "tanh": torch.tanh}[activation]
    with torch.inference_mode():
        outputs = model.graph.run(x, torch.zeros(4, 3))
    torch.testing.assert_close(outputs[model.graph.outputs["output"]], (function(raw) + 1) / 2)


def test_weights_are_read_strictly_with_their_prefix_left_out(folder: Path) -> None:
    with allow_code():
        import importlib

        sys.path.insert(0, str(folder))
        other = importlib.import_module("my_networks").make(seed=5)
        sys.path.remove(str(folder))
    state = {f"model.{name}": value for name, value in other.state_dict().items()}
    save_file({**state, "optimiser.step": torch.ones(1)}, str(folder / "w.safetensors"))
    model = opened(folder, weights="w.safetensors", prefix="model.")
    torch.testing.assert_close(model.vae.encoder.body.weight, other.parts["enc"].body.weight)
    assert model.components.model_digest != opened(folder).components.model_digest
    for prefix, told in (("", "missing"), ("net.", "begins with")):
        with pytest.raises(CausalVAEError, match=told) as caught:
            opened(folder, weights="w.safetensors", prefix=prefix)
        assert caught.value.code == "CV103"


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"factory": "no_such_module:make"}, "CV118", "ModuleNotFoundError"),
        ({"factory": "my_networks:missing"}, "CV118", "has no missing"),
        ({"factory": "my_networks:broken"}, "CV118", "no weights today"),
        ({"factory": "my_networks:nothing"}, "CV118", "dict"),
        ({"factory": "my_networks:VALUE"}, "CV118", "not callable"),
        ({"arguments": {"depth": 3}}, "CV118", "depth"),
        ({"encoder": "enc"}, "CV119", "no module or method 'enc'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(folder: Path, changes: dict[str, Any], code: str, told: str) -> None:
    with pytest.raises(CausalVAEError, match=told) as caught:
        opened(folder, **changes)
    assert caught.value.code == code
    assert caught.value.place.startswith("model.")
    assert ("`arguments`" in caught.value.remedy) == (told in ("depth", "not callable"))


def test_changed_code_is_another_network(folder: Path) -> None:
    before = opened(folder).components.model_digest
    (folder / "my_networks.py").write_text(MODULE.replace("torch.tanh(self.body", "torch.relu(self.body"))
    sys.modules.pop("my_networks")
    assert opened(folder).components.model_digest != before


def test_code_may_have_another_encoding(folder: Path) -> None:
    (folder / "my_networks.py").write_text("# coding: latin-1\n# G\xf6ttingen\n" + MODULE, encoding="latin-1")
    assert opened(folder).vae.latent_dim == 3


def test_changed_code_in_a_file_beside_the_factorys_is_another_network(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = "import torch\nimport my_networks\n\n\ndef make():\n    return my_networks.make()\n"
    (folder / "my_factory.py").write_text(factory)

    def digest_of() -> str:
        for name in ("my_factory", "my_networks"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        return opened(folder, factory="my_factory:make").components.model_digest

    before = digest_of()
    assert digest_of() == before
    (folder / "my_networks.py").write_text(MODULE.replace("torch.tanh(self.body", "torch.relu(self.body"))
    assert digest_of() != before


@pytest.mark.slow
def test_a_users_network_goes_through_the_command_line(tmp_path: Path) -> None:
    """The shipped weights behind a user's own factory give the shipped network's numbers."""
    (tmp_path / "theirs.py").write_text(
        "from causalvae.models.burgess import burgess\n\n\ndef make():\n    return burgess()\n"
    )
    weights = read_weights("builtin://dsprites-disentangled", tmp_path)
    assert weights.state.keys() == burgess().state_dict().keys()
    save_file({f"vae.{name}": value for name, value in weights.state.items()}, str(tmp_path / "w.safetensors"))
    spec = tmp_path / "mine.yaml"
    spec.write_text(
        """
spec: causalvae/v1
name: mine
model:
  source: python
  factory: theirs:make
  weights: w.safetensors
  prefix: vae.
  latent_dim: 10
data: {source: dsprites, samples: 32}
graph: {factors: [scale], attributes: {area: {readout: area}}, edges: [scale -> area]}
mapping: {scale: "latent[8]"}
interventions:
  - {name: resize, input: {factor: scale}}
  - {name: through, mediation: {treatment: resize, mediators: [$scale], outcomes: [area]}}
alignment: {samples: 64, pairs: 64}
estimation: {dowhy: false, bootstrap: 100}
execution: {controls: false}
"""
    )
    assert CliRunner().invoke(app, ["validate", str(spec)]).exit_code == 0
    run = ["run", str(spec), "--out", str(tmp_path / "runs")]
    refused = CliRunner().invoke(app, run)
    assert refused.exit_code == 3
    assert "CV117" in refused.stderr
    assert "--allow-code" in refused.stderr
    # In a process of its own, which finds the factory by the spec's folder alone.
    command = [str(Path(sys.executable).parent / "causalvae"), *run, "--allow-code", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["model"]["network"] == "theirs:make"
    share = [e for e in results["estimates"] if e["estimand"] == "mediated_share" and e["outcome"] == "area"]
    assert share
    assert share[0]["value"] > 0.98
