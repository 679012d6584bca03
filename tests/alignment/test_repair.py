"""The search for latents that carry a factor, against all subsets and a loop over pairs."""

from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest

from causalvae.alignment.assess import ellipse_of
from causalvae.alignment.columns import Units, read_columns
from causalvae.alignment.repair import choose_subset, judged_pairs, most_subsets, right_pairs
from causalvae.alignment.types import Repair, Share
from causalvae.effects.outcomes import Outcomes
from causalvae.plan.owner import Owner
from causalvae.report.alignment_findings import finding_sentences
from tests.alignment.test_assess import judge
from tests.alignment.worlds import WORLDS, edges_of, identity, linear_world, run_world


def subsets_of(latents: range) -> list[tuple[int, ...]]:
    return list(chain.from_iterable(combinations(latents, size) for size in (1, 2, 3)))


@pytest.mark.parametrize("wanted", subsets_of(range(5)))
def test_the_best_subset_is_found_where_its_members_help_alone(wanted: tuple[int, ...]) -> None:
    tried: list[tuple[int, ...]] = []

    def accuracies(subsets):
        tried.extend(subsets)
        # Each member is worth 0.3, a stranger costs 0.1.
        return [0.3 * len(set(s) & set(wanted)) - 0.1 * len(set(s) - set(wanted)) for s in subsets]

    assert choose_subset(range(5), accuracies) == wanted
    assert len(tried) == 5 + 6 + 2


def test_a_latent_that_adds_nothing_is_left_out() -> None:
    assert choose_subset([4, 7], lambda subsets: [0.9 + 0.005 * len(s) if 4 in s else 0.1 for s in subsets]) == (4,)
    assert choose_subset([3], lambda subsets: [0.0 for _ in subsets]) == (3,)


def test_right_pairs_equal_a_loop_and_the_interchange_accuracy() -> None:
    network = identity("abcd", mapping={"a": (0, 3), "b": (1,)})
    run = run_world(linear_world(WORLDS["fork"]), network, edges_of("fork"), pairs=80, bootstrap=10)
    found = judge(run)
    units = Units(run.spec, run.measurements)
    outcomes = Outcomes(run.measurements)
    columns = read_columns(run.spec, outcomes, units, ellipse_of(run.spec, run.measurements)[0])[0]
    names = run.plan.attributes
    arms = [run.plan.uses_of(Owner("mapping", "a"), role)[0].arm for role in ("base", "perturbation")]
    (moved,) = run.plan.uses_of(Owner("network", "a"), "counterfactual")
    base, patched, wanted = (
        np.stack([run.measurements.values(arm, name) for name in names], axis=1) for arm in (*arms, moved.arm)
    )
    right = right_pairs(columns, units, base, patched, slice(0, 80))
    sd = [run.measurements.observations[f"input:{name}"].std(ddof=1) for name in names]
    for pair in range(80):
        assert right[pair] == all(abs(patched[pair, i] - wanted[pair, i]) <= 0.25 * sd[i] for i in range(4))
    np.testing.assert_array_equal(right_pairs(columns, units, base[40:], patched[40:], slice(40, 80)), right[40:])
    (mine,) = (item for item in found.interchanges if item.factor == "a")
    assert right[judged_pairs(columns)].mean() == mine.accuracy.value
    still = right_pairs(columns, units, base, base, slice(0, 80))
    assert still[judged_pairs(columns)].mean() == mine.nothing.value < 0.3


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (Share(0.97, 0.93, 0.99, 200), "a: this mapping works: latent[2], latent[5]"),
        (Share(0.3, 0.24, 0.37, 200), "a: no mapping works (entangled)"),
        (Share(0.8, 0.7, 0.88, 60), "a: no mapping is shown to work"),
    ],
)
def test_a_hint_says_whether_the_mapping_works(share: Share, expected: str) -> None:
    run = run_world(linear_world(WORLDS["fork"]), identity("abcd"), edges_of("fork"), pairs=20, bootstrap=2)
    found = replace(judge(run), repairs=(Repair("a", ("latent[2]", "latent[5]"), share, False),))
    assert finding_sentences(found)[0].startswith(expected)


@pytest.mark.parametrize("latents", [1, 2, 3, 4, 9])
def test_a_search_tries_as_many_subsets_as_are_foretold(latents: int) -> None:
    tried: list[tuple[int, ...]] = []
    choose_subset(range(latents), lambda subsets: [0.5 for subset in subsets if not tried.append(subset)])
    assert len(tried) == most_subsets(latents)
