"""The shipped network behind three factories: as it is, with a function that no exporter takes, with control flow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from safetensors.torch import save_file

import causalvae
from causalvae.cli.plan_view import print_plan
from causalvae.engine.measurements import Measurements
from causalvae.models.weights import read_weights
from causalvae.plan.types import Plan

FACTORIES = '''
import numpy as np
import torch

from causalvae.models.burgess import burgess


def leave_torch(x):
    return torch.from_numpy(x.detach().numpy().copy())


def plain():
    return burgess()


def leaving():
    """A forward pass that leaves torch and comes back."""
    vae = burgess()
    encode = vae.encoder.forward
    vae.encoder.forward = lambda x: leave_torch(encode(x))
    return vae


def careful():
    """A forward pass that looks at what it is given before it goes on."""
    vae = burgess()
    vae.encoder.__class__ = type("CarefulEncoder", (Careful, type(vae.encoder)), {})
    return vae


class Careful:
    def forward(self, x):
        if not bool(torch.isfinite(x).all()):
            raise ValueError("the input is not finite")
        return super().forward(x)
'''
SPEC = """
spec: causalvae/v1
name: FACTORY
model: {source: python, factory: "theirs_captured:FACTORY", weights: w.safetensors, latent_dim: 10}
data: {source: dsprites, samples: 16}
graph: {factors: [scale], attributes: {area: {readout: area}}, edges: [scale -> area]}
mapping: {scale: "latent[8]"}
interventions:
  - {name: resize, input: {factor: scale}}
  - {name: through, mediation: {treatment: resize, mediators: [$scale], outcomes: [area]}}
  - {name: layer, mediation: {treatment: resize, mediators: ["encoder.conv3[0:16]"], outcomes: [area]}}
alignment: {samples: 32, pairs: 32}
"""
SAID = {
    "plain": "torch.export",
    "leaving": "forward hooks: every intervention needs a whole forward pass (the network cannot be captured",
    "careful": "forward hooks: every intervention needs a whole forward pass (the network cannot be captured",
}


@pytest.mark.slow
def test_every_capture_gives_the_same_numbers_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs_captured.py").write_text(FACTORIES)
    save_file(read_weights("builtin://dsprites-disentangled", tmp_path).state, str(tmp_path / "w.safetensors"))
    found: dict[str, tuple[Plan, Measurements]] = {}
    for factory, said in SAID.items():
        path = tmp_path / f"{factory}.yaml"
        path.write_text(SPEC.replace("FACTORY", factory))
        with causalvae.allow_code(True):
            session = causalvae.open(path)
        plan = causalvae.compile_plan(session)
        found[factory] = plan, causalvae.execute(session, plan, tmp_path / "runs")
        assert plan.captured_by.startswith(said)
        console = Console(file=io.StringIO(), width=300, color_system=None)
        print_plan(console, plan)
        shown = console.file.getvalue()  # type: ignore[attr-defined]
        assert (f"captured by {said}" in shown) == (factory != "plain")
    plan, expected = found["plain"]
    for factory in ("leaving", "careful"):
        own, measured = found[factory]
        assert own.model_digest != plan.model_digest
        assert [arm.id for arm in own.arms] == [arm.id for arm in plan.arms]
        for arm in plan.arms:
            for column in ("area", "image_sq"):
                theirs = expected.values(arm.id, column)
                np.testing.assert_allclose(measured.values(arm.id, column), theirs, rtol=1e-5, atol=1e-4)
    moved = [arm for arm in plan.arms if arm.patches]
    assert any(np.abs(expected.values(arm.id, "image_sq")).max() > 1 for arm in moved)


@pytest.mark.slow
def test_the_report_says_that_hooks_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs_captured.py").write_text(FACTORIES)
    save_file(read_weights("builtin://dsprites-disentangled", tmp_path).state, str(tmp_path / "w.safetensors"))
    path = tmp_path / "careful.yaml"
    path.write_text(SPEC.replace("FACTORY", "careful"))
    with causalvae.allow_code(True):
        outcome = causalvae.run(path, tmp_path / "runs")
    assert outcome.results.model["captured by"].startswith(SAID["careful"])
    for kind in ("markdown", "html"):
        assert SAID["careful"] in outcome.reports[kind].read_text()
    share = [
        e for e in outcome.results.estimates if e.estimand == "mediated_share" and e.owner.name.endswith("through")
    ]
    assert share
    assert share[0].value > 0.95
