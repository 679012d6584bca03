"""A small distribution, written from docs/extending.md, adds kinds of eight families, which work like ours."""

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
KINDS = ("flashes", "moments", "peak", "median", "cumulative", "agreeing_pairs", "symmetry")
BARE = """
from typing import ClassVar, Literal
from causalvae.spec.objective_section import {base}

class Bare({base}):
    kind: ClassVar[str] = "capped_vae"
    name: Literal["capped_vae"]
"""


SEVERAL = """
import json, sys
from typer.testing import CliRunner
from causalvae.cli.app import app
done = [CliRunner().invoke(app, command) for command in json.loads(sys.argv[1])]
assert not any(each.exit_code for each in done), [each.output for each in done]
print(json.dumps([each.stdout for each in done]))
"""


def start(installed: Path, *arguments: object) -> str:
    """What Python says, with the extension."""
    paths = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=installed, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": paths}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def causalvae(installed: Path, *arguments: object) -> str:
    return start(installed, "-m", "causalvae", *arguments)


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
    commands = [["validate", str(spec)], ["kinds"], ["schema"], ["components", str(spec)], ["plan", str(spec)]]
    validated, listed, schema, components, planned = json.loads(start(installed, "-c", SEVERAL, json.dumps(commands)))
    assert "flashes" in validated
    for kind in KINDS:
        assert kind in listed and kind in schema, kind
    assert "latent" in components
    assert "brighten" in planned
    assert re.search(r"analysis\.symmetry\s+samples as they are\s+16", planned)
    assert re.search(r"intervention:growing\s+treated\s+2\s+120", planned)
    assert re.search(r"analysis:symmetry\s+base\s+1\s+16", planned)


def test_faults_of_its_kinds_are_placed_in_the_text(installed: Path, tmp_path: Path) -> None:
    faults = (
        ("latents: [0]", "latents: [0, 5]", "CV052", 25),
        ("latents: [0]", "latents: [0], sample: 3", "CV020", 26),
        ("latents: [0], samples: 16", "samples: 16", "CV021", 1),
        ("symmetry:", "symetry:", "CV020", 1),
        ("cumulative: {treatment: brighten", "cumulative: {treatment: brigthen", "CV061", 45),
        ('"latent[1]", "latent[0]"]}', '"latent[1]", "latent[7]"]}', "CV052", 81),
        ("source: moments", "source: moments, latent: sample", "CV023", 1),
    )
    text = (SOURCE / "flashes.yaml").read_text(encoding="utf-8")
    lines = {anchor: 1 + text[: text.index(anchor)].count("\n") for anchor in ("symmetry:", "cumulative:")}
    specs = []
    for number, (old, new, _, _) in enumerate(faults):
        assert text.count(old) == 1
        specs.append(tmp_path / f"{number}.yaml")
        specs[-1].write_text(text.replace(old, new), encoding="utf-8")
    paths = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-m", "causalvae", "validate", "--json", *specs], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": paths}, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    found = [file["diagnostics"] for file in json.loads(done.stdout)["files"]]
    assert [[(fault["code"], fault["line"], fault["column"]) for fault in file] for file in found] == [
        [(code, lines["cumulative:" if '"latent[1]"' in old or "cumulative" in old else "symmetry:"], column)]
        for old, _, code, column in faults
    ]
    assert [file[0]["suggestion"] for file in found] == ["", "samples", "", "symmetry", "brighten", "", ""]


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
    (flip,) = results["analyses"]["symmetry"]["flips"]
    sentence = f"Flipping latent 0 moves peak by {flip['change']:.3g} sd."
    assert sentence in results["answer"] and "Symmetry is measured on 16 samples only." in results["warnings"]
    assert "Flipped latents" in printed and sentence in " ".join(printed.split())
    assert results["manifest"]["causalvae-flashes"] == "1.0"
    for name in ("report.html", "report.md"):
        text = (path.parent / name).read_text(encoding="utf-8")
        assert "Agreeing pairs" in text and "moments of a flash" in text
        assert "100% of the pairs agree on peak" in text
        assert "Flipped latents" in text and "Change by a flip" in text and sentence in text
        assert "medians (of " in text and "mediators held at their median over observed samples" in text
    # A level of its own: latent 0 is the light, so latent 1 alone moves nothing and both together move all of it.
    sizes = [
        (each["component"]["label"], each["value"])
        for each in results["estimates"]
        if each["owner"]["name"] == "growing" and each["estimand"] == "effect_size"
    ]
    (brighten,) = (
        each["value"]
        for each in results["estimates"]
        if each["owner"]["name"] == "brighten" and each["estimand"] == "effect_size"
    )
    assert sizes == [
        ("latent[1]", pytest.approx(0.0, abs=1e-5)),
        ("latent[1] + latent[0]", pytest.approx(brighten, rel=1e-5)),
    ]
    assert "cumulative" in results["levels"] and "growing" in text
    assert {each["owner"]["name"] for each in results["estimates"] if each["source"] == "median"} >= {
        "knockout",
        "middle",
    }
    assert results["manifest"]["causalvae-flashes"] == "1.0"


def test_its_analysis_is_computed_and_kept(installed: Path, tmp_path: Path) -> None:
    code = """
import json, sys, causalvae
from pathlib import Path
session = causalvae.open(sys.argv[1])
first = causalvae.run_analysis(session, "symmetry", sys.argv[2])
(file,) = Path(sys.argv[2]).rglob("latent-0.json")
kept = file.read_bytes()
file.unlink()
again = causalvae.run_analysis(session, "symmetry", sys.argv[2])
assert again == first and file.read_bytes() == kept
from causalvae.engine.cohorts import draw_cohort
from causalvae.plan.types import Cohort
rows = draw_cohort(session.dataset, Cohort("c", 16, 1), session.split).rows["base"]
inputs, vae = session.dataset.inputs(rows), session.model.vae
before, after = [], []
for x in inputs.split(1):
    z = vae.encode(x).mean
    before.append(vae.decode(z).max().item())
    z[0, 0] = -z[0, 0]
    after.append(vae.decode(z).max().item())
print(json.dumps([[vars(flip) for flip in first.flips], before, after]))
"""
    paths = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-c", code, SOURCE / "flashes.yaml", tmp_path], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": paths}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ((flip,), before, after) = json.loads(done.stdout)
    assert flip["latent"] == 0 and flip["attribute"] == "peak"
    assert flip["before"] == pytest.approx(sum(before) / 16, rel=1e-5)
    assert flip["after"] == pytest.approx(sum(after) / 16, abs=1e-6)
    size = sum(abs(b - a) for a, b in zip(before, after, strict=True)) / 16
    # Both are divided by the same standard deviation, of an attribute whose mean before is known.
    assert flip["change"] / flip["before"] == pytest.approx(size * 16 / sum(before) / flip["sd"], rel=1e-5)
    assert flip["lower"] < flip["change"] < flip["upper"]


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
