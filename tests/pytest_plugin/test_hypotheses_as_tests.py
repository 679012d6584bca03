"""Hypotheses as tests of pytest, in sample projects."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

# Imported here, so that sessions within a test do not import torch anew.
import causalvae.api
import causalvae.pytest_plugin.items
from causalvae.spec.places import builtin_names
from tests.report.synthetic_results import build_results

pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "regression_tests"
SPEC = (EXAMPLE / "size.causal.yaml").read_text(encoding="utf-8")
# Where the package's entry points are installed pytest has loaded the plugin already.
PLUGIN = () if entry_points(group="pytest11", name="causalvae") else ("-p", "causalvae.pytest_plugin")
FIRST, SECOND = "size-goes-through-one-latent", "size-leaves-the-place"

Judge = Callable[..., pytest.RunResult]


@pytest.fixture
def session(pytester: pytest.Pytester) -> Judge:
    return lambda *options: pytester.runpytest_inprocess(*PLUGIN, "-q", *options)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Let runs give these verdicts; returns the specs that were run."""

    def give(*statuses: str) -> list[Any]:
        ran: list[Any] = []
        model = build_results().verdicts[0]
        verdicts = [
            replace(model, hypothesis=name, claim="a <claim>\x1b[2J", status=status)  # type: ignore[arg-type]
            for name, status in zip((FIRST, SECOND), statuses, strict=True)
        ]

        def run_spec(spec: Any, folder: Path, out: Path, origins: Any = None) -> Any:
            ran.append(spec)
            return SimpleNamespace(results=SimpleNamespace(verdicts=verdicts), reports={"html": Path("r.html")})

        monkeypatch.setattr(causalvae.api, "run_spec", run_spec)
        return ran

    return give


def test_each_hypothesis_is_a_test_of_one_run(pytester: pytest.Pytester, session: Judge, judged: Any) -> None:
    pytester.path.joinpath("size.causal.yaml").write_text(SPEC)
    ran = judged("supported", "refuted")
    result = session()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [f"*{SECOND} is refuted: *", "claim: a <claim>*", "report: r.html", f"FAILED *{SECOND}*"]
    )
    assert "\x1b[2J" not in result.stdout.str() and "Traceback" not in result.stdout.str()
    assert len(ran) == 1
    session("-k", FIRST).assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize(
    ("status", "strict", "outcome"),
    [
        ("supported", True, {"passed": 1}),
        ("refuted", False, {"failed": 1}),
        ("unspecific", False, {"failed": 1}),
        ("inconclusive", False, {"passed": 1}),
        ("inconclusive", True, {"failed": 1}),
    ],
)
def test_what_fails(
    pytester: pytest.Pytester, session: Judge, judged: Any, status: str, strict: bool, outcome: dict[str, int]
) -> None:
    pytester.path.joinpath("size.causal.yaml").write_text(SPEC)
    pytester.makeini(f"[pytest]\ncausalvae_strict = {strict}\n")
    judged(status, "supported")
    result = session("-k", FIRST)
    result.assert_outcomes(**outcome, deselected=1)
    if status == "inconclusive":
        assert f"{FIRST} is inconclusive: " in result.stdout.str()


def test_a_spec_with_faults_is_an_error_of_collection_with_all_of_them(
    pytester: pytest.Pytester, session: Judge
) -> None:
    bad = SPEC.replace("treatment: resize", "treatment: resiez").replace("samples: 64", "sampels: 64")
    pytester.path.joinpath("bad.causal.yaml").write_text(bad)
    result = session()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*error?CV020?*", "*--> bad.causal.yaml:*", "*did you mean 'samples'*", "*error?CV061?*"]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_run_that_fails_fails_every_test_with_the_remedy(
    pytester: pytest.Pytester, session: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_spec(*arguments: Any, **options: Any) -> Any:
        raise causalvae.CausalVAEError("CV104", "It does not fit.", "Mend it.")

    pytester.path.joinpath("size.causal.yaml").write_text(SPEC)
    monkeypatch.setattr(causalvae.api, "run_spec", run_spec)
    result = session()
    result.assert_outcomes(failed=2)
    assert result.stdout.str().count("CV104: It does not fit. Mend it.") >= 2


def test_a_grid_is_a_test_for_each_point(pytester: pytest.Pytester, session: Judge, judged: Any) -> None:
    pytester.path.joinpath("size.causal.yaml").write_text(SPEC + "grid: {data.seed: [1, 2, 3]}\n")
    ran = judged("supported", "supported")
    session().assert_outcomes(passed=6)
    assert [spec.data.seed for spec in ran] == [1, 2, 3]
    session("--collect-only").stdout.fnmatch_lines([f"*{FIRST}?seed=1?"])


@pytest.fixture
def weights() -> Iterator[Path]:
    from importlib import resources

    assert "dsprites-disentangled" in builtin_names()
    with resources.as_file(resources.files("causalvae") / "models/builtin/dsprites-disentangled.safetensors") as path:
        yield path


@pytest.mark.slow  # Two runs of a network, which the claim is about.
def test_the_sample_project_fails_when_the_weights_change(pytester: pytest.Pytester, weights: Path) -> None:
    """The changed network is the same up to the order of its latents, which the spec's mapping names."""
    with safe_open(weights, "pt") as file:
        metadata = {key: value for key, value in file.metadata().items() if key != "checksum"}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    last = [name for name, value in state.items() if name.startswith("encoder") and value.shape[0] == 20]
    first = [name for name, value in state.items() if name.startswith("decoder") and value.shape[-1] == 10]
    assert len(last) == 2 and len(first) == 1
    order = [8 if latent == 0 else 0 if latent == 8 else latent for latent in range(10)]
    changed = {name: state[name][order + [10 + latent for latent in order]].contiguous() for name in last}
    changed[first[0]] = state[first[0]][:, order].contiguous()
    pytester.path.joinpath("pytest.ini").write_text((EXAMPLE / "pytest.ini").read_text())
    for name, held in (("before", state), ("after", state | changed)):
        save_file(held, pytester.path / f"{name}.safetensors", metadata)
        text = SPEC.replace("builtin://dsprites-disentangled", f"{name}.safetensors")
        pytester.path.joinpath(f"{name}.causal.yaml").write_text(text)
    # A process of its own: torch cannot be imported twice in one.
    result = pytester.runpytest_subprocess(*PLUGIN, "-q", "-rA")
    result.stdout.fnmatch_lines_random([f"PASSED before.causal.yaml::{FIRST}", f"PASSED before.causal.yaml::{SECOND}"])
    result.stdout.fnmatch_lines_random([f"*{FIRST} is refuted: *", f"FAILED after.causal.yaml::{FIRST}*"])


def test_a_session_without_specs_imports_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("def test_it():\n    assert True\n")
    (tmp_path / "conftest.py").write_text(
        "import sys\n"
        "def pytest_sessionfinish():\n"
        "    found = sorted(name for name in sys.modules if name.startswith('causalvae'))\n"
        "    print('modules:', found, 'pydantic' in sys.modules, 'torch' in sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-s", "-q", *PLUGIN, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert (
        "modules: ['causalvae', 'causalvae.pytest_plugin', 'causalvae.pytest_plugin.names'] False False" in done.stdout
    )


def test_the_plugin_is_declared() -> None:
    declared = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.pytest11]\ncausalvae = "causalvae.pytest_plugin"\n' in declared
