from dataclasses import asdict

import numpy as np
import pytest

from causalvae.alignment.assess import assess
from causalvae.alignment.types import Alignment
from causalvae.engine.progress import Progress
from tests.alignment.planted import MECHANISMS, Run, area, run_planted


def judge(run: Run) -> Alignment:
    return assess(run.spec, run.plan, run.measurements, run.graph)


def test_the_true_graph_agrees_in_every_number() -> None:
    run = run_planted()
    found = judge(run)
    assert found.primary == "component"
    assert (found.precision, found.recall, found.f1, found.shd) == (1.0, 1.0, 1.0, 0)
    assert len(found.edges) == 12
    assert len(found.independencies) == 7
    assert not any(check.rejected for check in found.independencies)
    assert found.fisher_p > 0.05
    assert found.samples == 600
    assert (found.correction, found.alpha) == ("holm", 0.05)
    assert any("None of 7 implied independencies is rejected" in note for note in found.notes)
    repeated = judge(run)
    assert {**asdict(repeated), "seconds": 0} == {**asdict(found), "seconds": 0}


def test_a_wrong_graph_is_counted() -> None:
    found = judge(run_planted(declared=("scale -> area", "x -> centre", "x -> area")))
    # shape -> area is there and not declared, x -> area is declared and not there; two others agree.
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert found.f1 == pytest.approx(2 / 3)
    assert found.shd == 2
    text = "\n".join(found.notes)
    assert "Spurious at the mapped components" in text
    assert "shape -> area" in text
    assert "Missing on the input" in text
    assert "violated" in text


def test_undecided_pairs_count_as_declared_in_the_distance() -> None:
    found = judge(run_planted(pairs=2))
    assert {check.status for check in found.edges} == {"undecided"}
    assert found.shd == 0
    assert found.precision is None
    assert found.recall == 0.0
    assert found.f1 == 0.0


@pytest.mark.parametrize(
    ("mapped", "primary"), [(("shape", "scale", "x"), "component"), (("shape", "scale"), "input"), ((), "input")]
)
def test_the_summary_counts_components_where_every_reaching_factor_is_mapped(mapped: tuple, primary: str) -> None:
    found = judge(run_planted(mapped=mapped))
    assert found.primary == primary
    assert (found.shd, found.f1) == (0, 1.0)
    if primary == "input":
        assert any("without a mapping" in note and "x" in note for note in found.notes)


def test_an_unmapped_factor_that_reaches_nothing_does_not_matter() -> None:
    found = judge(
        run_planted(mechanisms={"area": area}, declared=("shape -> area", "scale -> area"), mapped=("shape", "scale"))
    )
    assert found.primary == "component"


def test_a_graph_of_one_factor() -> None:
    def square(factors: dict, noise: np.ndarray) -> np.ndarray:
        return factors["x"] ** 2 + 0.05 * noise

    found = judge(run_planted(mechanisms={"square": square}, declared=("x -> square",), factors=("x",)))
    assert [check.status for check in found.edges] == ["supported", "supported"]
    assert (found.fisher_c, found.fisher_p, found.independencies) == (None, None, ())
    assert (found.precision, found.recall, found.shd) == (1.0, 1.0, 0)
    assert any("implies no independence" in note for note in found.notes)


def test_no_declared_edge_and_none_found() -> None:
    def noise_only(factors: dict, noise: np.ndarray) -> np.ndarray:
        return noise

    found = judge(run_planted(mechanisms={"noise": noise_only}, declared=()))
    assert (found.precision, found.recall, found.f1, found.shd) == (None, None, None, 0)
    assert {check.status for check in found.edges} == {"absent"}


def test_determined_attributes_are_named_and_not_tested() -> None:
    def exact(factors: dict, noise: np.ndarray) -> np.ndarray:
        return factors["x"] ** 3

    run = run_planted(
        mechanisms=MECHANISMS | {"exact": exact},
        declared=("shape -> area", "scale -> area", "x -> centre", "x -> exact"),
    )
    found = judge(run)
    assert not any("exact" in (check.left, check.right) for check in found.independencies)
    assert any("exact is a function of x" in note for note in found.notes)


def test_progress_is_told_to_the_end() -> None:
    run = run_planted(pairs=20, samples=200)
    told: list[Progress] = []
    assess(run.spec, run.plan, run.measurements, run.graph, on_progress=told.append)
    for stage in ("edges", "independencies"):
        steps = [step for step in told if step.stage == stage]
        assert [step.done for step in steps] == list(range(1, len(steps) + 1))
        assert steps[-1].done == steps[-1].total
