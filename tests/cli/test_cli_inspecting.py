from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import causalvae
from causalvae.plan.controls import exact_arms
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Cohort, Controls, PassRecord, Patch, Plan, Treatment, Use
from causalvae.spec.value_source import make_source
from tests.targets import target

HEAVY = ("torch", "pandas", "numpy", "dowhy", "pgmpy", "scipy", "sklearn", "networkx", "jinja2")


@pytest.mark.parametrize("arguments", [["validate", "SPEC"], ["--help"], ["run", "--help"], ["schema"], ["--version"]])
def test_light_commands_load_no_heavy_library(arguments: list[str], starter: Path) -> None:
    arguments = [str(starter) if argument == "SPEC" else argument for argument in arguments]
    script = (
        "import sys\n"
        f"sys.argv = ['causalvae', *{arguments!r}]\n"
        "from causalvae.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code in (0, None), stop.code\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_validate_says_that_a_spec_is_valid(invoke, starter: Path) -> None:
    done = invoke("validate", starter)
    assert done.exit_code == 0
    assert "✓" in done.stdout
    assert "valid" in done.stdout
    assert done.stderr == ""


def test_validate_prints_every_fault_of_every_file(invoke, starter: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(starter.read_text().replace("treatment: resize", "treatment: resise").replace("-> area", "-> aera"))
    done = invoke("validate", starter, bad, tmp_path / "absent.yaml")
    assert done.exit_code == 2
    for words in ("resise", "aera", "absent.yaml", "CV001"):
        assert words in done.stderr
    assert done.stdout.count("✓") == 1
    assert done.stdout.count("✗") == 2
    assert max(map(len, done.stderr.splitlines())) <= 80 + len(str(tmp_path))


def test_validate_as_json(invoke, starter: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("spec: causalvae/v1\nname: x\n")
    done = invoke("validate", "--json", starter, bad)
    assert done.exit_code == 2
    content = json.loads(done.stdout)
    assert content["valid"] is False
    assert [file["valid"] for file in content["files"]] == [True, False]
    assert content["files"][1]["diagnostics"][0]["code"].startswith("CV0")
    assert content["files"][0]["digest"] == causalvae.load_spec(starter).digest


def test_validate_reads_training_specs_as_such(invoke, tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("spec: causalvae/train-v1\nname: t\nobjective: {name: vae}\nsteps: 10\n")
    assert invoke("validate", path).exit_code == 0
    path.write_text("spec: causalvae/train-v1\nname: t\nobjective: {name: vea}\nsteps: 10\n")
    done = invoke("validate", path)
    assert done.exit_code == 2
    assert "vea" in done.stderr


@dataclass(frozen=True)
class FakeSite:
    name: str
    stage: str
    kind: str
    shape: tuple[int, ...]

    @property
    def units(self) -> int:
        return self.shape[0]


def test_components(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sites = (
        FakeSite("encoder.conv1", "encoder", "Conv2d", (32, 32, 32)),
        FakeSite("latent", "latent", "latent", (10,)),
    )
    idle = ("classifier.weight", "classifier.bias", "scale")
    session = SimpleNamespace(components=sites, unused_parameters=idle)
    monkeypatch.setattr(causalvae, "open", lambda path, on_progress: session, raising=False)
    done = invoke("components", starter)
    assert done.exit_code == 0
    assert "uses these parts of the network: classifier, scale." in " ".join(done.stdout.split())
    assert "32 x 32 x 32" in done.stdout
    assert "encoder.conv1" in done.stdout
    content = json.loads(invoke("components", starter, "--json").stdout)
    assert content["unused_parameters"] == list(idle)
    assert content["components"][1] == {
        "name": "latent", "stage": "latent", "kind": "latent", "shape": [10], "units": 10,
    }  # fmt: skip


def make_plan() -> Plan:
    cohorts = (
        Cohort("observed", 100, 3),
        Cohort("resize", 64, 7, Treatment("resize", "scale", None, "hold", "increase")),
    )
    base, counterfactual = Arm("resize", "base", (), 64), Arm("resize", "counterfactual", (), 64)
    patched = Arm("resize", "base", (Patch("latent", (3,), make_source("interchange")),), 64)
    uses = (
        Use(Owner.intervention("resize"), "base", base.id),
        Use(Owner.intervention("resize"), "counterfactual", counterfactual.id),
        Use(Owner.hypothesis("h"), "base", base.id),
        Use(Owner.hypothesis("h"), "sufficiency", patched.id, target("latent[3]"), "unit"),
    )
    passes = (PassRecord("share", 256, 192, 256.0, 192.0, "equal arms are run once"),)
    return Plan("demo", "a" * 16, "b" * 16, cohorts, (base, counterfactual, patched), uses, ("area",), passes=passes)


def test_plan_reads_like_explain(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(make_plan(), controls=Controls(exact_arms("resize", ("latent",), 32), make_plan()))
    monkeypatch.setattr(causalvae, "open", lambda path, on_progress: SimpleNamespace(), raising=False)
    monkeypatch.setattr(causalvae, "compile_plan", lambda session, on_progress: plan, raising=False)
    done = invoke("plan", starter)
    assert done.exit_code == 0
    for words in (
        "3 arms, 192 rows",
        "do(scale = another level), rising; others hold",
        "hypothesis:h",
        "256 → 192",
        "Exact controls: 3 arms on 32 pairs of resize.",
        "Random copy: 3 of these arms, 192 rows.",
    ):
        assert words in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    shared = next(line for line in done.stdout.splitlines() if "hypothesis:h" in line and "base" in line)
    assert shared.split()[-3:] == ["1", "64", "1"], "one arm of 64 rows that serves another purpose too"
    content = json.loads(invoke("plan", starter, "--json").stdout)
    assert content["digest"] == plan.digest
    assert len(content["arms"]) == 3


def test_a_refused_spec_is_told_the_same_way_by_every_command(invoke, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("spec: causalvae/v1\nname: x\nname: y\n")
    for command in ("components", "plan"):
        done = invoke(command, bad)
        assert done.exit_code == 2
        assert "Traceback" not in done.stderr
        assert "The spec is refused" in done.stderr
        assert done.stdout == ""
