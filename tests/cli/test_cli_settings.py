"""Options of `run` and others that change the spec: --set, --seed, --samples, --device; grids; --dry-run, --open."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import webbrowser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import causalvae
from causalvae.spec import load_spec
from tests.cli.test_cli_inspecting import make_plan
from tests.report.synthetic_results import build_results


def recorded(given: dict[str, Any], folder: Path) -> Any:
    def run(path: Path, out: Path = Path("runs"), on_progress: Any = None, settings: Any = ()) -> Any:
        given.update(path=path, settings=settings)
        page = folder / "report.html"
        return SimpleNamespace(results=build_results(), folder=folder, reports={"html": page})

    return run


def test_run_passes_settings_on(invoke, starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(causalvae, "run", recorded(given, tmp_path), raising=False)
    options = ("--set", "estimation.bootstrap=50", "--seed", 3, "--samples", 64, "--device", "cpu")
    assert invoke("run", starter, *options).exit_code == 0
    assert given["settings"] == (
        "estimation.bootstrap=50",
        "data.seed=3",
        "execution.seed=3",
        "data.samples=64",
        "execution.device=cpu",
    )
    spec = load_spec(starter, settings=given["settings"])
    assert (spec.data.samples, spec.data.seed, spec.execution.device) == (64, 3, "cpu")


def test_run_refuses_a_setting_before_it_loads_anything(invoke, starter: Path) -> None:
    done = invoke("run", starter, "--set", "hypotheses.nobody.alpha=1", "--device", "tpu")
    assert done.exit_code == 2
    assert "--set:1:12" in done.stderr and "CV045" in done.stderr
    assert "execution.device=tpu" in done.stderr and "CV023" in done.stderr


@pytest.mark.parametrize("command", ["plan", "components"])
def test_other_commands_pass_settings_on(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    given: dict[str, Any] = {}

    def opened(path: Path, on_progress: Any, settings: Any = ()) -> Any:
        given.update(settings=settings)
        return SimpleNamespace(components=(), unused_parameters=())

    monkeypatch.setattr(causalvae, "open", opened, raising=False)
    monkeypatch.setattr(causalvae, "compile_plan", lambda session, on_progress: make_plan(), raising=False)
    assert invoke(command, starter, "--set", "data.samples=64").exit_code == 0
    assert given["settings"] == ("data.samples=64",)


def test_a_dry_run_shows_plan_and_folder_and_writes_nothing(
    invoke, starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causalvae, "open", lambda path, on_progress, settings=(): SimpleNamespace(), raising=False)
    monkeypatch.setattr(causalvae, "compile_plan", lambda session, on_progress: make_plan(), raising=False)
    monkeypatch.setattr(causalvae, "run", None, raising=False)
    before = sorted(tmp_path.rglob("*"))
    done = invoke("run", starter, "--dry-run", "--samples", 64, "--out", tmp_path / "runs")
    assert done.exit_code == 0
    digest = load_spec(starter, settings=("data.samples=64",)).digest
    assert f"would run in {tmp_path / 'runs' / 'my-first-run' / digest} (new)" in done.stdout
    assert "3 arms" in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_of_a_grid_lists_its_runs(
    invoke, starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causalvae, "open", lambda path, on_progress, settings=(): SimpleNamespace(), raising=False)
    monkeypatch.setattr(causalvae, "compile_plan", lambda session, on_progress: make_plan(), raising=False)
    done = invoke("run", starter, "--dry-run", "--set", "grid={data.seed: [1, 2], data.samples: [64, 128]}")
    lines = [line for line in done.stdout.splitlines() if "would run in" in line]
    assert [line.partition(": ")[0] for line in lines] == [
        f"seed={seed}, samples={samples}" for seed in (1, 2) for samples in (64, 128)
    ]
    assert len({line.split()[-2] for line in lines}) == 4


def test_a_grid_is_run_side_by_side(invoke, starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def compare(paths: list[Path], out: Path, on_progress: Any, on_side: Any, settings: Any = ()) -> Any:
        given.update(paths=paths, settings=settings)
        runs = (SimpleNamespace(name="seed=1", measures=(), results=build_results()),)
        return SimpleNamespace(folder=tmp_path, reports={}, results=SimpleNamespace(runs=runs))

    monkeypatch.setattr(causalvae, "compare", compare, raising=False)
    grid = "grid={data.seed: [1, 2]}"
    done = invoke("run", starter, "--set", grid, "--json", "--quiet", "--strict")
    assert given == {"paths": [starter], "settings": (grid,)}
    assert list(json.loads(done.stdout)["sides"]) == ["seed=1"]
    assert done.exit_code == 1, "a hypothesis of the results is refuted"


def test_one_run_of_a_grid_is_refused_from_python(starter: Path, tmp_path: Path) -> None:
    with pytest.raises(causalvae.CausalVAEError, match=r"CV430.*compare"):
        causalvae.run(starter, tmp_path, settings=["grid={data.seed: [1, 2]}"])


def test_open_shows_the_report(invoke, starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(causalvae, "run", recorded({}, tmp_path), raising=False)
    monkeypatch.setattr(webbrowser, "open", lambda uri: bool(shown.append(uri)) or True)
    assert invoke("run", starter, "--open").exit_code == 0
    assert shown == [(tmp_path / "report.html").as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda uri: False)
    assert "No browser was found" in invoke("run", starter, "--open").stderr
    assert "browser" not in invoke("run", starter).stderr


def test_a_stopped_run_prints_the_command_that_resumes(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr(causalvae, "run", stop, raising=False)
    done = invoke("run", starter, "--set", "description=two words")
    assert done.exit_code == 130
    assert f"\n  causalvae run {starter} --set 'description=two words'\n" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str) -> None:
    for words, wanted in (("causalvae val", "validate"), ("causalvae run --sam", "--samples")):
        environment = {
            **os.environ,
            "_CAUSALVAE_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": words,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        command = [
            sys.executable,
            "-c",
            "import sys; sys.argv[0] = 'causalvae'\nfrom causalvae.cli.app import main; main()",
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert wanted in done.stdout, done.stderr
