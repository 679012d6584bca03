"""Classical scores in a run: measured once, kept, told with their baselines, or the reason why there are none."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import causalvae
from causalvae.analyses.disentanglement import measure as scoring
from causalvae.api import run_spec
from causalvae.data.factors import Factor, FactorSpace
from causalvae.disentanglement import Codes, ScoreReport, ScoreRow, ScoreSettings, score, score_factors
from causalvae.models.loading import randomise
from causalvae.models.vae import Posterior
from causalvae.report.document import build_document
from causalvae.report.html_report import render_html
from causalvae.report.json_report import from_json_dict, load_results, to_json_dict
from causalvae.report.markdown_report import render_markdown
from causalvae.results import Results
from causalvae.session import Session, open_session
from causalvae.spec import parse_spec
from causalvae.spec.schema import Spec

DATA = """\
  source: scm
  world: table
  variables: {a: {levels: [low, high]}, b: "uniform(0, 1)", c: "0.5 * b + uniform(0, 0.5)"}
"""
TRAIN = f"""\
spec: causalvae/train-v1
name: tiny
data:
{DATA}
model: {{architecture: mlp, latent_dim: 3, likelihood: gaussian, sigma: 0.1}}
objective: {{name: vae}}
steps: 10
batch_size: 32
"""
SPEC = f"""\
spec: causalvae/v1
name: scored
model: {{source: zoo, weights: tiny.safetensors, untrained: true}}
data:
{DATA}  samples: 16
graph:
  factors: [a, b]
  attributes: {{level: {{readout: mean}}}}
  edges: [a -> level, b -> level]
interventions:
  - {{name: raise, input: {{factor: b}}}}
estimation: {{bootstrap: 20, dowhy: false}}
alignment: {{samples: 24, pairs: 24}}
execution: {{controls: false}}
"""
SCORES = "disentanglement: {samples: 120, votes: 40, predictor: bagging, bins: 4}\n"


NAME = "disentanglement"


def kept_in(folder: Path) -> Path:
    (found,) = (folder / "runs" / "scored" / "analyses" / NAME).iterdir()
    return found


def read(text: str) -> Spec:
    spec, faults = parse_spec(text)
    assert spec is not None, faults
    return spec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scored")
    (place / "train.yaml").write_text(TRAIN, encoding="utf-8")
    causalvae.train(place / "train.yaml", place)
    return place


@pytest.fixture(scope="module")
def scored(folder: Path) -> Results:
    return run_spec(read(SPEC + SCORES), folder, folder / "runs").results


@pytest.fixture
def session(folder: Path) -> Session:
    return open_session(read(SPEC + SCORES), folder)


def direct(session: Session) -> tuple[ScoreSettings, Callable[[torch.Tensor], Codes]]:
    settings = ScoreSettings(
        samples=120, test_samples=60, bins=4, votes=40, test_votes=20, density_samples=120, regressor="bagged trees"
    )

    def represent(inputs: torch.Tensor) -> Codes:
        posterior = session.model.vae.encode(inputs)
        return Codes.of_gaussian(posterior.mean, posterior.logvar)

    return settings, represent


def test_a_runs_scores_are_those_of_the_package(scored: Results, session: Session) -> None:
    found = scored.scores
    assert found is not None and not found.absent
    settings, represent = direct(session)
    alone = score(session.dataset, represent, settings)
    assert [row.name for row in found.rows] == [entry.name for entry in alone.scores]
    for row, entry in zip(found.rows, alone.scores, strict=True):
        assert row.value == (None if entry.value is None else pytest.approx(entry.value, abs=1e-6)), row.name
        assert row.note == entry.note
    assert found.dead == tuple(np.flatnonzero(~alone.active).tolist())
    factors = score_factors(session.dataset, settings)
    copy = randomise(session.model, 0).vae
    random = score(session.dataset, lambda inputs: Codes(copy.encode(inputs).mean), settings)
    assert random.active.all()
    for row in found.rows:
        if row.name != "MIG of posterior samples":
            assert row.oracle == pytest.approx(factors[row.name].value), row.name
            assert row.random == pytest.approx(random[row.name].value, abs=1e-6), row.name


def test_the_factors_themselves_are_a_perfect_code(scored: Results) -> None:
    assert scored.scores is not None
    oracle = {row.name: row.oracle for row in scored.scores.rows}
    assert oracle["DCI informativeness"] == pytest.approx(1, abs=0.1)
    assert oracle["FactorVAE score"] == 1


def test_what_was_measured_is_not_measured_again(
    scored: Results, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any) -> Any:
        raise AssertionError("measured again")

    for name in ("score", "score_factors"):
        monkeypatch.setattr(scoring, name, refuse)
    again = run_spec(read(SPEC + SCORES), folder, folder / "runs").results
    assert again.scores == scored.scores
    # Another claim, more pairs, other statistics: the scores are the same.
    other = SPEC.replace("bootstrap: 20", "bootstrap: 30").replace("samples: 16", "samples: 18")
    session = open_session(read(other + SCORES), folder)
    places = kept_in(folder)
    assert scoring.find_scores(session.spec.analyses[NAME], session, places) == scored.scores
    # Other settings, or other weights, are other scores.
    changed = open_session(read(SPEC + SCORES.replace("votes: 40", "votes: 50")), folder)
    components = dataclasses.replace(session.model.components, model_digest="others")
    retrained = dataclasses.replace(session, model=dataclasses.replace(session.model, components=components))
    for other in (changed, retrained):
        with pytest.raises(AssertionError, match="measured again"):
            scoring.find_scores(other.spec.analyses[NAME], other, places)


def test_without_the_section_nothing_is_scored_and_nothing_else_changes(scored: Results, folder: Path) -> None:
    plain = run_spec(read(SPEC), folder, folder / "runs").results
    assert plain.scores is None
    assert plain.estimates == scored.estimates and plain.metrics == scored.metrics
    assert "Classical disentanglement" not in render_html(build_document(plain))
    # The spec's digest is what it was before the language had the section, and another kind of interval.
    dumped = read(SPEC).model_dump(mode="json", by_alias=True, exclude={"variants", "base"})
    del dumped["estimation"]["interval"]
    # Nor do the later keys of the alignment change it, with the number of samples that was the default.
    alignment = dumped["alignment"]
    del alignment["rivals"], alignment["relabellings"]
    alignment["samples"] = 1000 if alignment["samples"] == "auto" else alignment["samples"]
    dumped["graph"]["attributes"] = {name: section.record for name, section in read(SPEC).graph.attributes.items()}
    # An intervention has its other three levels there too, without a value.
    levels = dict.fromkeys(("input", "latent", "activation", "mediation"))
    dumped["interventions"] = [levels | item for item in dumped["interventions"]]
    assert read(SPEC).digest == causalvae.digest.digest(dumped)
    asked = read(SPEC.replace("bootstrap: 20", "bootstrap: 20, interval: bca"))
    assert asked.estimation.bca and asked.digest != read(SPEC).digest


def test_stages_without_the_measurement_warn_that_there_are_no_scores(session: Session, folder: Path) -> None:
    measurements = causalvae.execute(session, causalvae.compile_plan(session), folder / "runs" / "scored")
    results = causalvae.analyse(session, measurements)
    assert results.scores is None and any("disentanglement" in warning for warning in results.warnings)
    measured = causalvae.measure(session, measurements, folder / "runs" / "scored")
    results = causalvae.analyse(session, measurements, measured=measured)
    assert results.scores is not None and not any("disentanglement" in warning for warning in results.warnings)


def test_results_of_before_are_still_read(scored: Results, folder: Path) -> None:
    content = to_json_dict(scored)
    assert from_json_dict(json.loads(json.dumps(content))).scores == scored.scores
    del content["scores"]
    assert from_json_dict(content).scores is None
    held = load_results(folder / "runs" / "scored" / read(SPEC + SCORES).digest)
    assert held.scores == scored.scores


def test_reports_show_scores_baselines_and_dead_latents(scored: Results) -> None:
    rows = (ScoreRow("MIG", 0.2, 0.1, 0.3, 0.9, 0.01, "<b>bins</b>"), ScoreRow("SAP", None, note="none & why"))
    report = ScoreReport(rows, "", "<data>", ("a<i>", "b"), 3, (1,), 0.01, 20, 10, "lasso", importance=(
        (0.7, 1.0), (None, None), (0.3, 0.0)
    ))  # fmt: skip
    told = dataclasses.replace(scored, scores=report)
    page = render_html(build_document(told))
    assert "&lt;b&gt;bins&lt;/b&gt;" in page and "<b>bins" not in page and "a<i>" not in page and "<data>" not in page
    assert "0.20 [0.10, 0.30]" in page and "latent[1]" in page and "1811.12359" in page
    text = render_markdown(build_document(told)).replace("\\", "")
    assert "0.20 [0.10, 0.30]" in text and "0.900" in text and "0.010" in text
    assert "outside its interval" not in page
    biased = dataclasses.replace(report, rows=(ScoreRow("MIG", 0.42, 0.44, 0.46),))
    page = render_html(build_document(dataclasses.replace(scored, scores=biased)))
    assert "MIG lies outside its interval, which allows for the bias" in page
    none = dataclasses.replace(scored, scores=ScoreReport(absent="No <labels>."))
    assert "There are no scores: No &lt;labels&gt;." in render_html(build_document(none))


def test_data_without_factors_says_why_there_are_no_scores(folder: Path, session: Session) -> None:
    class Unlabelled:
        name = "photographs"
        size = None
        space = FactorSpace(())

    bare = dataclasses.replace(session, dataset=Unlabelled())  # type: ignore[arg-type]
    found = scoring.find_scores(bare.spec.analyses[NAME], bare, folder / "nowhere")
    assert found is not None and not found.rows
    assert "photographs has no labelled factors" in found.absent
    assert not list((folder / "nowhere").glob("*"))


def test_notes_say_what_is_unusual(folder: Path, session: Session) -> None:
    found = scoring.find_scores(session.spec.analyses[NAME], session, kept_in(folder))
    assert found is not None
    assert any("cut into bins" in note and "b, c" in note for note in found.notes)


def test_a_killed_write_leaves_no_half_file_and_progress_ends_where_it_should(
    folder: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder / "killed"
    monkeypatch.setattr(scoring, "_shared", {})
    few = session.spec.analyses[NAME].model_copy(update={"scores": ("mig", "dci")})
    asked = dataclasses.replace(session, spec=session.spec.model_copy(update={"disentanglement": few}))

    def stop(value: Any, path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(scoring, "write_json", stop)
        with pytest.raises(KeyboardInterrupt):
            scoring.find_scores(few, asked, place)
    assert not list(place.glob("*.json"))
    told: dict[str, list[tuple[int, int]]] = {}
    found = scoring.find_scores(few, asked, place, lambda p: told.setdefault(p.stage, []).append((p.done, p.total)))
    assert found is not None and len(list(place.glob("*.json"))) == 3
    assert {row.name.partition(" ")[0] for row in found.rows} == {"MIG", "DCI"}
    assert set(told) == {
        "encoding", "scores", "encoding, random weights", "scores, random weights", "scores, factors"
    }  # fmt: skip
    for stage, steps in told.items():
        assert steps[-1][0] == steps[-1][1], stage
        assert [done for done, _ in steps] == sorted(done for done, _ in steps), stage


def test_the_documented_section_is_the_default() -> None:
    text = (Path(__file__).parents[1] / "docs" / "disentanglement.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(disentanglement:\n.*?)```", text, flags=re.DOTALL)
    said = read(SPEC + block).disentanglement
    left_out = read(SPEC + "disentanglement: {}\n").disentanglement
    assert said is not None and left_out is not None
    assert said.model_copy(update={"test_samples": None}) == left_out
    assert said.held_out == left_out.held_out
    assert said.model_fields_set == set(type(said).model_fields)


def test_maps_are_scored_by_channel_and_points_without_kl() -> None:
    mean, logvar = torch.randn(5, 3, 2, 2), torch.randn(5, 3, 2, 2)
    of_map = SimpleNamespace(encode=lambda inputs: Posterior(mean, logvar))
    codes = scoring._represent(of_map, 1, lambda done, total: None)(torch.zeros(5, 1))  # type: ignore[arg-type]
    torch.testing.assert_close(codes.mean, mean.mean(dim=(2, 3)))
    divergence = 0.5 * (mean**2 + logvar.exp() - 1 - logvar)
    torch.testing.assert_close(codes.kl, divergence.sum(dim=(2, 3)))
    assert codes.logvar is None
    of_point = SimpleNamespace(encode=lambda inputs: Posterior(mean[:, :, 0, 0], logvar[:, :, 0, 0], True))
    codes = scoring._represent(of_point, 1, lambda done, total: None)(torch.zeros(5, 1))  # type: ignore[arg-type]
    assert codes.kl is None and codes.logvar is None


def test_notes_of_unusual_networks_and_data() -> None:
    factors = (Factor("hair", "categorical", (0.0, 1.0), settable=False), Factor("age", "continuous", (0.0, 9.0)))
    space = SimpleNamespace(
        model=SimpleNamespace(
            vae=SimpleNamespace(is_point=True, latent_shape=(4, 8, 8), latent_layer=torch.nn.Identity())
        ),
        dataset=SimpleNamespace(space=FactorSpace(factors)),
        spec=SimpleNamespace(data=SimpleNamespace(condition=("hair",))),
    )
    told = " ".join(scoring._notes(space))  # type: ignore[arg-type]
    for words in (
        "gives points",
        "channels of a map",
        "(Identity)",
        "receives hair",
        "samples: age",
        "only observe hair",
    ):
        assert words in told, words


@pytest.mark.parametrize("size", [200, None])
def test_baselines_on_fewer_samples_of_finite_data_are_not_those_on_more(
    size: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys: list[str] = []
    monkeypatch.setattr(scoring, "_kept", lambda folder, kind, key, measure, shared: keys.append(key))
    monkeypatch.setattr(scoring, "randomise", lambda model, seed: model)
    session = SimpleNamespace(
        dataset=SimpleNamespace(size=size),
        model=SimpleNamespace(vae=torch.nn.Linear(1, 1)),
        spec=SimpleNamespace(execution=SimpleNamespace(seed=0)),
    )
    for draws in (1, 2):
        scoring._baselines(session, ScoreSettings(draws=draws), [], tmp_path, 1, lambda stage, unit: print)
    # Of data without end every draw has as many samples.
    assert (keys[:2] == keys[2:]) == (size is None)
