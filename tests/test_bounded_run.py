"""A sweep of more units than results list: what a person opens stays small, and Parquet has everything."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import causalvae
from causalvae import pair_pictures
from causalvae.cli.app import app
from causalvae.effects import sweeps
from causalvae.effects.sweeps import MOST_LISTED
from causalvae.effects.types import Estimate, UnitRole
from causalvae.engine.tables import FileTable
from causalvae.files import read_sealed
from causalvae.outcome import as_frame
from causalvae.results import Results

SPEC = """
spec: causalvae/v1
name: wide
model: {source: zoo, weights: "builtin://dsprites-disentangled"}
data: {source: dsprites, samples: 12, seed: 7}
graph:
  factors: [scale, x]
  attributes: {area: {readout: area}, cx: {readout: centroid, axis: x}}
  edges: [scale -> area, x -> cx]
interventions:
  - {name: resize, input: {factor: scale}}
  - name: every_unit
    activation:
      components: [encoder.lin1, encoder.lin2, decoder.lin3]
      by: unit
      from: resize
      pairs: 12
estimation: {bootstrap: 60, dowhy: false}
alignment: {samples: 30, pairs: 30}
execution: {controls: false, device: cpu}
"""
KEYS = ["owner", "direction", "component", "estimand", "outcome", "unit"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[causalvae.RunOutcome, Results]:
    """A run, and the same analysis with all estimates in memory, which reads few components at a time as well."""
    folder = tmp_path_factory.mktemp("wide")
    path = folder / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    outcome = causalvae.run(path, out=folder)
    session = causalvae.open(path)
    measurements = causalvae.execute(session, causalvae.compile_plan(session), folder / "wide")
    asked: list[int] = []
    read = FileTable.block
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps, "_COMPONENTS", 256)
        patch.setattr(pair_pictures, "_HELD", 256 * 12)
        patch.setattr(
            FileTable, "block", lambda table, arms, *rest: asked.append(len(arms)) or read(table, arms, *rest)
        )
        whole = causalvae.analyse(session, measurements)
    # Where more were read at once, memory would grow with the sweep.
    assert sum(asked) > 1024 and max(asked) <= 256
    return outcome, whole


def _plain(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """In one order, what is missing being NaN and notes text in both."""
    frame = frame.astype(object).map(lambda value: np.nan if value is None else "" if value == () else value)
    return frame.sort_values(keys).reset_index(drop=True).infer_objects()


def _read(path: Path) -> pd.DataFrame:
    read_sealed(path)
    return pq.read_table(path).to_pandas()


def test_parquet_has_every_effect_and_unit(runs: tuple[causalvae.RunOutcome, Results]) -> None:
    outcome, whole = runs
    assert len(whole.estimates) > 1024 * 3 > MOST_LISTED
    for found, kind, held, keys in (
        (outcome.effects, Estimate, whole.estimates, KEYS),
        (_read(outcome.folder / "units.parquet"), UnitRole, whole.units, KEYS[:3]),
    ):
        assert list(found.columns) == [*(field.name for field in dataclasses.fields(kind)), "site"]
        same = _plain(found.drop(columns="site"), keys), _plain(as_frame(held, kind), keys)
        pd.testing.assert_frame_equal(*same, check_dtype=False, rtol=0, atol=1e-12)
    assert set(outcome.effects["site"]) == {"", "encoder.lin1", "encoder.lin2", "decoder.lin3"}


def test_results_list_the_strongest_on_each_outcome(runs: tuple[causalvae.RunOutcome, Results]) -> None:
    outcome, whole = runs
    listed = outcome.results.estimates
    kept = set(listed)
    assert len(listed) < MOST_LISTED < len(whole.estimates)
    # Listed estimates are those of the whole analysis, in its order.
    assert list(listed) == [estimate for estimate in whole.estimates if estimate in kept]
    for name in ("area", "cx", "image"):
        mine = [e for e in whole.estimates if e.outcome == name and e.component]
        assert set(sorted(mine, key=lambda e: -e.value)[: MOST_LISTED // 3 // 3]) <= kept
    components = {unit.component for unit in outcome.results.units}
    assert components == {e.component for e in listed if e.component}


def test_summaries_are_of_all_components(runs: tuple[causalvae.RunOutcome, Results]) -> None:
    outcome, whole = runs
    assert [sweep.direction for sweep in outcome.results.sweeps] == ["denoising"]
    for sweep in outcome.results.sweeps:
        assert sweep.components == 1024 > sweep.listed
        units = [unit for unit in whole.units if unit.direction == sweep.direction]
        counts = Counter((unit.role, unit.on if unit.role == "monosemantic" else "") for unit in units)
        assert {(tally.role, tally.on): tally.units for tally in sweep.units} == counts
        for tally in sweep.units:
            shares = [u.output_share for u in units if u.role == tally.role and tally.on in ("", u.on)]
            assert (tally.least, tally.most) == (min(shares), max(shares))
        for layer in sweep.layers:
            mine = [
                e
                for e in whole.estimates
                if e.direction == sweep.direction
                and e.outcome == layer.outcome
                and e.component.label.startswith(layer.site + "[")
            ]
            assert layer.components == len(mine)
            assert layer.mean == pytest.approx(np.mean([e.value for e in mine]))
            best = max(mine, key=lambda e: e.value)
            assert (layer.largest, layer.strongest) == (best.value, best.component)
    # The words are the same as without a bound.
    assert outcome.results.answer == whole.answer
    assert [e for e in outcome.results.estimates if e.estimand == "polysemantic_share"] == [
        e for e in whole.estimates if e.estimand == "polysemantic_share"
    ]


def test_files_are_small_and_reports_are_made_again(runs: tuple[causalvae.RunOutcome, Results]) -> None:
    outcome, _ = runs
    sizes = {name: path.stat().st_size for name, path in outcome.reports.items()}
    assert sizes["html"] < 2e6 and sizes["json"] < 5e6
    assert causalvae.load_run(outcome.folder).results.sweeps == outcome.results.sweeps
    before = {name: outcome.reports[name].read_text() for name in ("html", "markdown")}
    done: Any = CliRunner().invoke(app, ["report", str(outcome.folder)])
    assert done.exit_code == 0, done.output
    assert before == {name: outcome.reports[name].read_text() for name in before}
    assert "effects.parquet" in before["html"] and "1,024 components are listed" in before["html"]
