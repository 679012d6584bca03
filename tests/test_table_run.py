"""A pandas table through a run: effects in the table's own units, and no word of images or pixels."""

from __future__ import annotations

import html
import json
import re
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

import causalvae
from causalvae.plan.owner import Owner

NETWORK = """
import torch
from torch import nn


class Copy(nn.Module):
    # Each latent is one column, and each output one latent.
    def __init__(self, columns):
        super().__init__()
        self.encoder = nn.Linear(columns, 2 * columns)
        self.decoder = nn.Linear(columns, columns)
        with torch.no_grad():
            self.encoder.weight.copy_(torch.cat([torch.eye(columns), torch.zeros(columns, columns)]))
            self.encoder.bias.copy_(torch.cat([torch.zeros(columns), torch.full((columns,), -6.0)]))
            self.decoder.weight.copy_(torch.eye(columns))
            self.decoder.bias.zero_()


def make():
    return Copy(3)
"""
DOSES = (1, 2, 4, 8)
BATCHES = ("01", "1", "NA", "None", "a", "b", "c", "d", "e", "f")
SPEC = {
    "spec": "causalvae/v1",
    "name": "table",
    "model": {
        "source": "python",
        "factory": "network:make",
        "latent_dim": 3,
        "output": {"activation": "none", "likelihood": "gaussian"},
    },
    "data": {"source": "csv", "path": "t.csv", "inputs": ["*"], "factors": ["dose", "batch"], "samples": 40},
    "graph": {
        "factors": ["dose", "batch"],
        "attributes": {
            "gene": {"readout": {"column": "gene_1"}},
            "both": {"readout": "column", "column": "gene_*"},
            "small": {"readout": {"column": "gene_2"}},
            "time": {"readout": {"column": "time"}},
        },
        "edges": ["dose -> gene", "dose -> both", "dose -> small"],
    },
    "mapping": {"dose": "latent[0]"},
    "interventions": [
        {"name": "up", "input": {"factor": "dose", "contrast": "increase"}},
        {"name": "sweep", "latent": {"components": "latent", "values": {"quantiles": [0.1, 0.9]}}},
        {
            "name": "via",
            "mediation": {"treatment": "up", "mediators": ["$dose"], "outcomes": ["gene", "small", "image"]},
        },
    ],
    "hypotheses": [
        {
            "name": f"claim-{place}",
            "treatment": "up",
            "circuit": ["$dose"],
            "outcome": outcome,
            "expect": {"mediated_share": {"at_least": 0.7}},
            "null": {"circuits": "none"},
        }
        for place, outcome in enumerate(("gene", "image"))
    ],
    "estimation": {"bootstrap": 200, "dowhy": False},
}


def write(folder: Path) -> tuple[Path, pd.DataFrame]:
    rng = np.random.default_rng(0)
    rows = [
        (dose, batch, 1e6 + 5e4 * dose + rng.normal(), 1e-9 * (dose**2 + rng.normal()), 1.7e9 + rng.random())
        for dose, batch in product(DOSES, BATCHES)
    ]
    frame = pd.DataFrame(rows, columns=["dose", "batch", "gene_1", "gene_2", "time"])
    frame.to_csv(folder / "t.csv")
    (folder / "network.py").write_text(NETWORK)
    with (folder / "s.yaml").open("w") as file:
        YAML(typ="safe").dump(SPEC, file)
    return folder / "s.yaml", frame


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("table")
    path, frame = write(folder)
    with causalvae.allow_code(True):
        run = causalvae.run(path, folder / "runs")
        session = causalvae.open(path)
    return run, session.dataset, frame, folder


def test_effects_are_differences_of_the_tables_own_numbers(ran):
    run, _, frame, folder = ran
    found = {
        (e.estimand, e.outcome): e
        for e in run.results.estimates
        if e.owner == Owner.intervention("via") and e.estimator == "exact"
    }
    # The table lists the grid of dose and batch in the order of their levels.
    drawn = pd.concat(map(pd.read_parquet, folder.rglob("pairs*.parquet")))
    drawn = drawn.query("cohort == 'up'").drop_duplicates("pair").sort_values("pair")
    base, other = (
        np.searchsorted(DOSES, drawn[f"{side}:dose"]) * len(BATCHES) + drawn[f"{side}:batch"].to_numpy(int)
        for side in ("base", "counterfactual")
    )
    assert len(drawn) == found["total_effect", "gene"].n
    gene = frame["gene_1"].to_numpy()
    total = found["total_effect", "gene"]
    assert total.unit == "units of gene_1"
    assert total.value == pytest.approx((gene[other] - gene[base]).mean(), rel=1e-6)
    scaled = frame[["gene_1", "gene_2", "time"]].to_numpy()
    scaled = (scaled - scaled.min(axis=0)) / np.ptp(scaled, axis=0)
    whole = found["total_effect", "all columns"]
    assert whole.unit == "column L2"
    assert whole.value == pytest.approx(np.linalg.norm(scaled[other] - scaled[base], axis=1).mean(), rel=1e-5)
    both = frame[["gene_1", "gene_2"]].mean(axis=1).to_numpy()
    means = {(e.estimand, e.outcome): e.value for e in run.results.estimates if e.owner == Owner.intervention("up")}
    assert means["total_effect", "both"] == pytest.approx((both[other] - both[base]).mean(), rel=1e-6)
    # Units that are tiny, and numbers that are huge beside their spread, are no rounding.
    small = frame["gene_2"].to_numpy()
    assert found["total_effect", "small"].value == pytest.approx((small[other] - small[base]).mean(), rel=1e-5)
    assert found["mediated_share", "small"].value == pytest.approx(0, abs=1e-4)
    time = frame["time"].to_numpy()
    assert means["total_effect", "time"] == pytest.approx((time[other] - time[base]).mean(), abs=1e-5)
    assert means["effect_size", "small"] > 1
    assert means["effect_size", "time"] > 0.5


def test_what_a_reader_meets_never_speaks_of_images(ran):
    run, _, _, folder = ran
    (page,) = folder.rglob("report.html")
    shown = re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL)
    told = json.loads((page.parent / "results.json").read_text())
    for text in (html.unescape(shown), (page.parent / "report.md").read_text(), *texts_of(told)):
        assert not re.search(r"\b(images?|pixels?)\b", text, re.IGNORECASE), text[:300]
    assert {verdict.outcome for verdict in run.results.verdicts} == {"gene", "all columns"}
    assert "all columns" in shown


def texts_of(value: object) -> list[str]:
    """Every text of a JSON document that is a value."""
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inside for text in texts_of(part)]


def test_levels_of_text_are_named_by_their_text(ran):
    from causalvae.interventions.input import InputIntervention
    from causalvae.interventions.input.plan import treatment_of

    _, dataset, _, _ = ran
    assert dataset.space["batch"].labels == BATCHES
    for value, level in (("01", 0), ("1", 1), (1, 1), ("NA", 2)):
        section = InputIntervention.model_validate({"factor": "batch", "set": {"to": value}})
        assert treatment_of("put", section, dataset.space).level == level
    section = InputIntervention.model_validate({"factor": "batch", "set": {"to": 0}})
    with pytest.raises(causalvae.CausalVAEError, match="no level 0"):
        treatment_of("put", section, dataset.space)
