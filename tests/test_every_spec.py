"""Every spec of the repository is run by a test, or it is said here why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from causalvae.cli.app import app

ROOT = Path(__file__).parents[1]
SPECS = {
    path.relative_to(ROOT).as_posix()
    for folder in ("specs", "examples", "docs")
    for path in (ROOT / folder).rglob("*.yaml")
    if "runs" not in path.parts
}
SMALL = ("data.samples=24", "estimation.bootstrap=50", "estimation.dowhy=false")
# Run here, with fewer samples: the command and the values that are set.
HERE = {
    "specs/dsprites_counterfactuals.yaml": (
        "run",
        (
            *SMALL,
            "counterfactuals.samples=24",
            "counterfactuals.cycles=1",
            "alignment.pairs=16",
            "alignment.samples=60",
        ),
    ),
    "specs/dsprites_discover.yaml": (
        "discover",
        (
            *SMALL,
            "discoveries.pairs=24",
            "discoveries.scores=[removal]",
            *(f"discoveries.circuits.{name}-edges.sites=[latent]" for name in ("scale", "x")),
            *(f"discoveries.circuits.{name}-channels.sites=[decoder.convT2]" for name in ("scale", "x")),
        ),
    ),
    "specs/shipped_comparison.yaml": ("compare", (*SMALL, "alignment.pairs=16", "alignment.samples=60")),
}
# Run by these tests.
ELSEWHERE = {
    "specs/compiled_comparison.yaml": "test_docstrings.py",
    "specs/compiled_or.yaml": "test_docstrings.py",
    "specs/dsprites_scale.yaml": "test_end_to_end.py",
    "specs/dsprites_sweep.yaml": "test_screened_sweep.py",
    "specs/dsprites_wrong.yaml": "test_end_to_end.py",
    "specs/morphomnist.yaml": "test_shipped_specs.py",
    "specs/shapes_hue.yaml": "test_shipped_specs.py",
    "specs/pretrained/celeba.yaml": "test_pretrained_specs.py",
    "specs/pretrained/chairs.yaml": "test_pretrained_specs.py",
    "specs/pretrained/mnist.yaml": "test_pretrained_specs.py",
    "examples/by_hand/bent.yaml": "test_by_hand.py",
    "examples/by_hand/interacting.yaml": "test_by_hand.py",
    "examples/grace/learned_graph.yaml": "neighbours/test_learned_graph.py",
    "examples/grace/programmes.yaml": "neighbours/test_grace_analysis.py",
    "examples/half_avae/analyse.yaml": "neighbours/test_examples_analysed.py",
    "examples/quantum/analyse.yaml": "neighbours/test_examples_analysed.py",
    "examples/regression_tests/size.causal.yaml": "pytest_plugin/test_hypotheses_as_tests.py",
}
# Validated alone.
NOT_RUN = {
    "specs/pretrained/dsprites_discover.yaml": "a published network, whose channels take minutes",
    "specs/pretrained_comparison.yaml": "four published networks, which take minutes",
    "specs/shapes_scm.yaml": "its network does not ship; specs/shapes_hue.yaml is like it",
    "specs/pendulum.yaml": "its network does not ship",
    "specs/study/": "trains and analyses networks for an hour; tests/study runs studies",
    "specs/train/": "trains for minutes to hours; tests/training trains",
    "examples/grace/train.yaml": "trains for half a minute and more; tests/neighbours trains",
    "examples/half_avae/train.yaml": "trains for half a minute and more; tests/neighbours trains",
    "examples/quantum/train.yaml": "trains for half a minute and more; tests/neighbours trains",
    "docs/discrete.yaml": "its network does not ship; docs/discrete_table.py trains it",
}


def test_every_spec_is_run_or_it_is_said_why_not() -> None:
    said = {
        spec for spec in SPECS for name in NOT_RUN if spec == name or (name.endswith("/") and spec.startswith(name))
    }
    assert set(HERE) | set(ELSEWHERE) | said == SPECS
    for spec, test in ELSEWHERE.items():
        text = (ROOT / "tests" / test).read_text(encoding="utf-8")
        assert Path(spec).stem.removesuffix(".causal") in text or test == "test_docstrings.py", spec


@pytest.mark.slow
@pytest.mark.parametrize("spec", HERE)
def test_it_runs_with_fewer_samples(spec: str, tmp_path: Path) -> None:
    command, values = HERE[spec]
    settings = [word for value in values for word in ("--set", value)]
    result = CliRunner().invoke(app, [command, str(ROOT / spec), "--out", str(tmp_path / "runs"), *settings])
    assert result.exit_code == 0, result.output
    assert any((tmp_path / "runs").rglob("*"))
