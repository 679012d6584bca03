"""Controls of claims pass on a sound claim, and fail where another circuit or another factor does the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import causalvae
from causalvae.effects import open_context
from causalvae.null_claims import exchanged_labels, planted_claims
from causalvae.results import ControlCheck
from tests.circuits.case_networks import case_spec

SHARE = {"mediated_share": {"at_least": 0.7}}


def controls(folder: Path, kind: str, **changes: Any) -> dict[str, ControlCheck]:
    """The controls of a claim about latent 0, by name."""
    spec = case_spec(kind, [{"circuit": ["latent[0]"], "expect": SHARE}], latents=4, **changes)
    spec = spec.model_copy(update={"execution": spec.execution.model_copy(update={"controls": True})})
    with causalvae.allow_code(True):
        session = causalvae.open_session(spec, folder)
        measurements = causalvae.execute(session, causalvae.compile_plan(session), folder / "runs")
    return {check.name: check for check in causalvae.analyse(session, measurements).controls}


def test_they_pass_on_a_sound_claim(tmp_path: Path) -> None:
    found = controls(tmp_path, "single")
    planted, exchanged = found["planted null claim: h0"], found["exchanged labels: h0"]
    assert planted.passed and planted.value == pytest.approx(0, abs=1e-6)
    assert exchanged.passed and exchanged.value < 1e-5
    assert "the labels of t and" in exchanged.description


def test_a_planted_claim_fails_where_every_latent_does_the_same(tmp_path: Path) -> None:
    # All four latents carry t; the larger of the first two is read, and the planted one may be the second.
    spec = case_spec("either", [{"circuit": ["latent[0]"], "expect": SHARE}], latents=4, carriers=2)
    spec = spec.model_copy(update={"execution": spec.execution.model_copy(update={"seed": 0})})
    with causalvae.allow_code(True):
        session = causalvae.open_session(spec, tmp_path)
        measurements = causalvae.execute(session, causalvae.compile_plan(session), tmp_path / "runs")
    (verdict,) = causalvae.analyse(session, measurements).verdicts
    assert verdict.rivals is not None and verdict.rivals.planted is not None
    (check,) = planted_claims((verdict,))
    is_second = verdict.rivals.planted.circuit[0].units == (1,)
    assert check.passed != is_second and check.value == pytest.approx(float(is_second), abs=1e-6)


def test_exchanged_labels_fail_where_another_factor_moves_the_outcome(tmp_path: Path) -> None:
    spec = case_spec("single", [{"circuit": ["latent[0]"], "expect": SHARE}], latents=4)
    graph = spec.graph.model_copy(update={"factors": {name: spec.graph.factors[name] for name in ("t", "u")}})
    graph = graph.model_copy(update={"edges": ("u -> vu",)})
    hypothesis = spec.hypotheses[0].model_copy(update={"treatment": "lift", "outcome": "y"})
    lift = spec.interventions[0].model_copy(
        update={"name": "lift", "input": spec.interventions[0].input.model_copy(update={"factor": "u"})}
    )  # fmt: skip
    spec = spec.model_copy(update={"graph": graph, "interventions": (lift,), "hypotheses": (hypothesis,)})
    with causalvae.allow_code(True):
        session = causalvae.open_session(spec, tmp_path)
        # Let u move y a little, so that there is an effect to compare with: t, which is not declared to, moves it more.
        with torch.no_grad():
            session.model.vae.encoder.weight[0, 1] = 0.1
        plan = causalvae.compile_plan(session)
        measurements = causalvae.execute(session, plan, tmp_path / "runs")
    context = open_context(session.spec, measurements, session.whole)
    checks = exchanged_labels(session, context)
    assert [check.passed for check in checks] == [False]
    assert np.isfinite(checks[0].value) and checks[0].value > 1
