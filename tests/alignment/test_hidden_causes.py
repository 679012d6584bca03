"""Hidden common causes are named, and nothing else is taken for one."""

import numpy as np
import pandas as pd
import pytest

from causalvae.alignment.assess import assess
from causalvae.alignment.types import Alignment
from causalvae.effects.outcomes import Outcomes
from causalvae.report.alignment_findings import finding_sentences
from tests.alignment.worlds import Run, identity, linear_world, run_world

NAMES = "abc"
READ = [f"{name} -> y{name}" for name in NAMES]


def judge(run: Run, draw=None) -> Alignment:
    return assess(run.spec, Outcomes(run.measurements), run.graph, draw=draw)


@pytest.fixture(scope="module")
def alone() -> Run:
    """No factor moves another, in the world and in the graph."""
    return run_world(linear_world({}, NAMES), identity(NAMES), READ, pairs=300, bootstrap=2)


def samples(n: int, shared: float, to_attribute: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Three factors of unit variance, of which a and b correlate by `shared`; yb also follows what only c hears."""
    rng = np.random.default_rng(seed)
    hidden, other = rng.standard_normal((2, n))
    own = rng.standard_normal((3, n))
    a, b = (np.sqrt(shared) * hidden + np.sqrt(1 - shared) * noise for noise in own[:2])
    c = np.sqrt(0.5) * other + np.sqrt(0.5) * own[2]
    reads = {"ya": a, "yb": b + to_attribute * other, "yc": c}
    return pd.DataFrame(
        {f"factor:{name}": column for name, column in zip(NAMES, (a, b, c), strict=True)}
        | {f"input:{name}": column + 0.1 * rng.standard_normal(n) for name, column in reads.items()}
    )


def named(found: Alignment) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(cause.left, cause.right, cause.given) for cause in found.hidden]


def test_a_hidden_common_cause_of_two_factors_is_named(alone: Run) -> None:
    found = judge(alone, lambda n: samples(n, 0.5))
    assert named(found) == [("a", "b", ())]
    assert found.hidden[0].size == pytest.approx(0.5 * np.sqrt(2), abs=0.08)
    (words,) = (text for text in finding_sentences(found) if "Hidden" in text)
    assert "Hidden common cause of a and b: they depend on one another (0.7" in words


def test_a_hidden_common_cause_of_a_factor_and_an_attribute_is_named(alone: Run) -> None:
    found = judge(alone, lambda n: samples(n, 0.0, to_attribute=0.7))
    assert named(found) == [("c", "yb", ("b",))]


@pytest.mark.parametrize("shared", [0.0, 0.06])
def test_independent_factors_and_faint_dependences_have_none(alone: Run, shared: float) -> None:
    assert named(judge(alone, lambda n: samples(n, shared, seed=1))) == []


def test_an_edge_that_the_graph_leaves_out_is_no_hidden_cause() -> None:
    world = linear_world({("a", "b"): 0.8, ("b", "c"): 0.8}, NAMES)
    run = run_world(world, identity(NAMES), ["a -> b", *READ], pairs=300, samples=1000, bootstrap=2)
    found = judge(run)
    # a and c depend on one another given the declared parents, since b -> c is not declared.
    assert any(check.rejected and {check.left, check.right} == {"a", "c"} for check in found.independencies)
    assert named(found) == []


def test_a_declared_common_effect_is_not_conditioned_on() -> None:
    # c is declared as a cause of both, and is their effect: given c they would depend on one another.
    world = linear_world({("a", "c"): 0.6, ("b", "c"): 0.6}, NAMES)
    run = run_world(world, identity(NAMES), ["c -> a", "c -> b", *READ], pairs=300, samples=1000, bootstrap=2)
    assert named(judge(run)) == []


@pytest.mark.simulation
def test_rates_of_hidden_causes(alone: Run) -> None:
    false = sum(named(judge(alone, lambda n, seed=seed: samples(n, 0.0, seed=seed))) != [] for seed in range(100))
    missed = sum(
        named(judge(alone, lambda n, seed=seed: samples(n, 0.2, seed=seed))) != [("a", "b", ())] for seed in range(100)
    )
    assert false <= 5
    assert missed <= 2
