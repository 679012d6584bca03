"""The product as a user starts it: by command line, on shipped and on other people's weights."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from causalvae.cli.app import app

ROOT = Path(__file__).parents[1]
SPECS = ROOT / "specs"
PRETRAINED = ROOT.parent / "shared" / "pretrained"
COMMAND = Path(sys.executable).parent / "causalvae"

pytestmark = pytest.mark.slow


def causalvae(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False, timeout=900
    )


def again(*arguments: object) -> Result:
    """The same in this process: what loads the libraries anew each time takes most of the time of a second run."""
    return CliRunner().invoke(app, [*map(str, arguments)])


def write_spec(path: Path, source: Path, **sections: object) -> Path:
    """`source` with whole sections replaced."""
    yaml = YAML(typ="safe")
    content = yaml.load(source)
    content.update(sections)
    with path.open("w") as file:
        yaml.dump(content, file)
    return path


def test_demo_finds_what_the_shipped_model_was_built_for(tmp_path: Path) -> None:
    done = causalvae("run", SPECS / "dsprites_scale.yaml", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (path.parent for path in tmp_path.rglob("results.json"))
    results = json.loads((folder / "results.json").read_text())
    results = results.get("results", results)
    status = {verdict["hypothesis"]: verdict["status"] for verdict in results["verdicts"]}
    assert status == {
        "scale-through-one-latent": "supported",
        "x-through-one-latent": "supported",
        "orientation-through-one-latent": "refuted",
        "orientation-through-two-latents": "inconclusive",
    }
    assert all(control["passed"] for control in results["controls"]), results["controls"]
    assert all(check["passed"] for check in results["readouts"])
    assert re.search(r"scale-through-one-latent\s+\S*\s*supported", done.stdout)
    assert str(folder / "report.html") in done.stdout.replace("\n", "")
    page = (folder / "report.html").read_text()
    assert len(page) < 1_500_000
    assert "Cost by what is patched" in page

    explained = again("plan", SPECS / "dsprites_scale.yaml", "--explain", "--out", tmp_path, "--json")
    costs = json.loads(explained.stdout)["explained"]["costs"]
    assert sum(cost["live"] for cost in costs if cost["arms"]) == results["execution"]["patched rows run"]
    assert all(cost["predicted_seconds"] > 0 and cost["seconds"] > 0 for cost in costs)
    assert not re.search(r"""(?:src|href)\s*=\s*["']https?:""", page)

    exact, dowhy = (
        {
            (row["estimand"], row["outcome"]): row["value"]
            for row in results["estimates"]
            if row["owner"]["name"] == "via_scale" and row["estimator"] == estimator
        }
        for estimator in ("exact", "dowhy")
    )
    assert dowhy
    for key, value in dowhy.items():
        assert value == pytest.approx(exact[key], rel=1e-9, abs=1e-9), key

    tables = folder.parent / "tables" / results["manifest"]["tables digest"]
    outcomes = pd.concat(pd.read_parquet(path) for path in sorted((tables / "outcomes").iterdir()))
    assert not outcomes.isna().any().any()
    assert {"arm", "pair", "area", "image_sq", "image_dot", "live"} <= set(outcomes.columns)


def test_a_wrong_claim_is_refuted_and_strict_exits_with_1(tmp_path: Path) -> None:
    wrong = SPECS / "dsprites_wrong.yaml"
    done = causalvae("run", wrong, "--out", tmp_path, "--strict")
    assert done.returncode == 1, done.stderr
    assert re.search(r"scale-through-the-latent-of-x\s+\S*\s*refuted", done.stdout)
    # The tables are there, so the same run again only analyses; without --strict a refuted claim is no failure.
    tables = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("outcomes/*.parquet")}
    assert again("run", wrong, "--out", tmp_path).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("outcomes/*.parquet")} == tables
    # Other words and other statistics are another report of the same tables.
    reports = {path: path.read_bytes() for path in tmp_path.rglob("results.json")}
    other = write_spec(tmp_path / "other.yaml", wrong, description="Said otherwise.", estimation={"bootstrap": 200})
    assert again("run", other, "--out", tmp_path).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("outcomes/*.parquet")} == tables
    assert {path: path.read_bytes() for path in reports} == reports
    assert len(list(tmp_path.rglob("results.json"))) == 2


@pytest.mark.skipif(not PRETRAINED.is_dir(), reason=f"no pretrained VAEs in {PRETRAINED}")
def test_the_same_spec_runs_on_other_peoples_weights(tmp_path: Path) -> None:
    model = {
        "source": "checkpoint",
        "name": "burgess",
        "weights": str(PRETRAINED / "btcvae_dsprites" / "model.pt"),
        "posterior": {"layout": "interleaved"},
    }
    # Fewer samples and resamples than the demo, for time; everything else but the model section is the demo's.
    fewer = {
        "data": {"source": "dsprites", "samples": 32, "seed": 7},
        "estimation": {"bootstrap": 200, "dowhy": False},
        "alignment": {"pairs": 64, "samples": 64},
    }
    spec = write_spec(tmp_path / "spec.yaml", SPECS / "dsprites_scale.yaml", model=model, **fewer)
    done = causalvae("run", spec, "--out", tmp_path / "runs", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert "supported" in done.stdout or "refuted" in done.stdout
    assert results

    model["posterior"] = {"layout": "chunk"}
    wrong = write_spec(tmp_path / "wrong.yaml", SPECS / "dsprites_scale.yaml", model=model, **fewer)
    refused = again("run", wrong, "--out", tmp_path / "runs")
    assert refused.exit_code == 3
    assert "CV107" in refused.stderr
    assert "layout: interleaved" in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr


def test_a_bad_spec_exits_with_2_and_loads_nothing(tmp_path: Path) -> None:
    graph = {"factors": ["scale"], "attributes": {"area": {"readout": "area"}}, "edges": ["size -> area"]}
    spec = write_spec(tmp_path / "spec.yaml", SPECS / "dsprites_wrong.yaml", graph=graph)
    done = causalvae("run", spec, "--out", tmp_path / "runs")
    assert done.returncode == 2
    assert "spec.yaml:" in done.stderr + done.stdout
    assert not (tmp_path / "runs").exists()
