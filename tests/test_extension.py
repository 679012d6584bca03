"""A small distribution, written from docs/extending.md, adds kinds of six families, which work like ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "tests" / "extension"
KINDS = ("flashes", "moments", "peak", "median", "agreeing_pairs")
BARE = """
from typing import ClassVar, Literal
from causalvae.spec.objective_section import {base}

class Bare({base}):
    kind: ClassVar[str] = "capped_vae"
    name: Literal["capped_vae"]
"""


def causalvae(installed: Path, *arguments: object) -> str:
    paths = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-m", "causalvae", *map(str, arguments)], cwd=installed, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": paths}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the extension is installed into."""
    folder = tmp_path_factory.mktemp("extension")
    # Building writes beside the sources.
    copy = shutil.copytree(SOURCE, folder / "source")
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
            "--target", folder / "installed", copy,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "installed"


def test_the_page_has_the_whole_extension() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    blocks = set(re.findall(r"```(?:python|toml|yaml)\n(.*?)\n```", page, flags=re.DOTALL))
    files = [path for path in SOURCE.rglob("*") if path.suffix in (".py", ".toml", ".yaml") and path.stem != "__init__"]
    assert blocks == {path.read_text(encoding="utf-8").strip() for path in files}


@pytest.mark.slow
def test_its_kinds_are_seen_everywhere(installed: Path) -> None:
    spec = SOURCE / "flashes.yaml"
    assert "flashes" in causalvae(installed, "validate", spec)
    listed = causalvae(installed, "kinds")
    schema = causalvae(installed, "schema")
    for kind in KINDS:
        assert kind in listed and kind in schema, kind
    components = causalvae(installed, "components", spec)
    assert "latent" in components
    assert "brighten" in causalvae(installed, "plan", spec)


@pytest.mark.slow
def test_its_kinds_reach_the_reports(installed: Path, tmp_path: Path) -> None:
    printed = causalvae(installed, "run", SOURCE / "flashes.yaml", "--out", tmp_path)
    assert re.search(r"light\s+\S*\s*supported", printed)
    (path,) = tmp_path.rglob("results.json")
    results = json.loads(path.read_text(encoding="utf-8"))
    (verdict,) = results["verdicts"]
    tests = {test["name"]: test for test in verdict["tests"]}
    # The latent is the light of a flash, so every pair agrees and all of the effect is carried.
    assert tests["agreeing_pairs"]["value"] == 1.0
    assert tests["mediated_share"]["value"] == pytest.approx(1.0, abs=1e-6)
    assert {check["attribute"] for check in results["readouts"]} <= {"peak"}
    assert results["data"]["source"] == "flashes"
    for name in ("report.html", "report.md"):
        text = (path.parent / name).read_text(encoding="utf-8")
        assert "Agreeing pairs" in text and "moments of a flash" in text
        assert "100% of the pairs agree on peak" in text
        assert "medians (of " in text and "mediators held at their median over observed samples" in text
    assert {each["owner"]["name"] for each in results["estimates"] if each["source"] == "median"} >= {
        "knockout",
        "middle",
    }
    assert results["manifest"]["causalvae-flashes"] == "1.0"


@pytest.mark.slow
def test_its_objective_trains(installed: Path, tmp_path: Path) -> None:
    printed = causalvae(installed, "train", SOURCE / "train.yaml", "--out", tmp_path)
    (weights,) = tmp_path.rglob("capped.safetensors")
    assert "KL" in printed
    with safe_open(str(weights), framework="numpy") as file:
        assert json.loads(file.metadata()["distributions"]) == {"causalvae-flashes": "1.0"}
    # Another version may train otherwise, so its checkpoints are not taken.
    newer = shutil.copytree(installed, tmp_path / "newer")
    (path,) = newer.glob("*.dist-info/METADATA")
    path.write_text(path.read_text(encoding="utf-8").replace("Version: 1.0", "Version: 1.1"), encoding="utf-8")
    paths = os.pathsep.join([str(newer), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    again = subprocess.run(
        [sys.executable, "-m", "causalvae", "train", SOURCE / "train.yaml", "--out", tmp_path], cwd=tmp_path,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False,
    )  # fmt: skip
    told = " ".join((again.stdout + again.stderr).split())
    assert again.returncode == 3
    assert "CV403" in told and "causalvae-flashes 1.0, and causalvae-flashes 1.1 is installed" in told


@pytest.mark.parametrize(("base", "lacks"), [("PenaltySection", "penalty"), ("ObjectiveSection", "trainer")])
def test_an_objective_that_defines_too_little_is_refused(
    installed: Path, tmp_path: Path, base: str, lacks: str
) -> None:
    broken = shutil.copytree(installed, tmp_path / "broken")
    (broken / "causalvae_flashes" / "capped_vae.py").write_text(BARE.format(base=base).replace("Bare", "CappedVae"))
    paths = os.pathsep.join([str(broken), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-m", "causalvae", "validate", SOURCE / "train.yaml"], cwd=tmp_path, capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": paths}, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "CV099" in done.stdout + done.stderr and f"does not define {lacks}" in " ".join(
        (done.stdout + done.stderr).split()
    )
