"""Every planted failure turns its number red, with the right name; what is right stays so."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from causalvae.alignment import implied
from causalvae.alignment.assess import assess, direct_relations
from causalvae.alignment.types import Alignment, Interchange, PairCheck, Share
from causalvae.effects.outcomes import Outcomes
from causalvae.engine.progress import Progress
from causalvae.graph import CausalGraph
from causalvae.report.alignment_words import headline_sentences
from causalvae.report.independence_tables import independence_words
from tests.alignment.planted import MECHANISMS, run_planted
from tests.alignment.worlds import WORLDS, Network, Run, World, edges_of, identity, linear_world, run_world

NAMES = "abcd"
MAPPING = {name: (i,) for i, name in enumerate(NAMES)}


def judge(run: Run, **given) -> Alignment:
    return assess(run.spec, Outcomes(run.measurements), run.graph, **given)


def departing(found: Alignment) -> dict[str, set[str]]:
    """Which pairs each link is said to get wrong."""
    named: dict[str, set[str]] = {}
    for check in found.pairs:
        pair = f"{check.source} -> {check.target}"
        if check.graph in ("missing", "undeclared", "reversed"):
            named.setdefault(check.graph, set()).add(pair)
        for link, name in ((check.network, "network"), (check.mapping, "mapping")):
            if link is not None and link.status in ("lost", "added"):
                named.setdefault(f"{name} {link.status}", set()).add(pair)
    return named


def pair(found: Alignment, source: str, target: str) -> PairCheck:
    return next(check for check in found.pairs if (check.source, check.target) == (source, target))


@pytest.mark.parametrize("shape", WORLDS)
def test_a_true_graph_and_a_correct_network_are_green(shape: str) -> None:
    found = judge(run_world(linear_world(WORLDS[shape]), identity(NAMES), edges_of(shape)))
    assert departing(found) == {}
    head = found.headline
    assert (head.graph.as_declared, head.graph.total) == (28, 28)
    assert (head.lost.departs, head.lost.tested, head.invented.departs, head.invented.tested) == (0, 4, 0, 12)
    assert (head.missing.tested, head.spurious.tested) == (4, 12)
    assert head.worst_interchange.accuracy.lower > 0.8
    assert [sentence.mark for sentence in headline_sentences(found)] == ["✓", "✓", "✓"]


def test_the_mapping_is_green_only_where_every_mapped_factor_is_shown_to_be_right() -> None:
    found = judge(run_world(linear_world(WORLDS["chain"]), identity(NAMES), edges_of("chain"), bootstrap=20))

    def mapping_with(factor: str, value: float, lower: float, upper: float):
        share = Share(value, lower, upper, 40)
        worst = Interchange("d", Share(0.84, 0.81, 0.87, 512), share, share)
        others = tuple(item for item in found.interchanges if item.factor not in ("d", factor))
        headline = replace(found.headline, worst_interchange=worst)
        interchanges = (*others, worst, Interchange(factor, share, share, share))
        return headline_sentences(replace(found, headline=headline, interchanges=interchanges))[2]

    # On fewer pairs a higher accuracy may have the lower interval; and a low one may not be shown to be low.
    assert mapping_with("c", 0.9, 0.82, 0.95).mark == "✓"
    assert mapping_with("c", 0.86, 0.7, 0.94).mark == "?"
    failing = mapping_with("c", 0.5, 0.4, 0.6)
    assert failing.mark == "✗" and "interchange accuracy too low for c" in failing.text
    tested = tuple(item for item in found.interchanges if item.factor != "b")
    mapping = headline_sentences(replace(found, interchanges=tested))[2]
    assert mapping.mark == "?" and "interchange accuracy not tested for b" in mapping.text


CORRUPTIONS = {
    "dropped": (("a -> b",), (), {"undeclared": {"a -> b"}}),
    "added between factors": ((), ("a -> c",), {"missing": {"a -> c"}}),
    "added to an attribute": ((), ("d -> ya",), {"missing": {"d -> ya"}}),
    "dropped to an attribute": (("b -> yb",), (), {"undeclared": {"b -> yb"}}),
    "rerouted": (("b -> c",), ("a -> c",), {"undeclared": {"b -> c"}, "missing": {"a -> c"}}),
    "reversed": (("b -> c",), ("c -> b",), {"reversed": {"b -> c", "c -> b"}}),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corrupted_edge_is_named_and_nothing_else(name: str) -> None:
    dropped, added, expected = CORRUPTIONS[name]
    declared = [edge for edge in edges_of("chain") if edge not in dropped] + list(added)
    found = judge(run_world(linear_world(WORLDS["chain"]), identity(NAMES), declared, bootstrap=20))
    assert departing(found) == expected
    graph, *others = headline_sentences(found)
    assert graph.mark == "✗"
    assert all(edge.replace("->", "→") in graph.text for edge in added or dropped)
    assert [sentence.mark for sentence in others] == ["✓", "✓"]


def turn(i: int, j: int, angle: float = np.pi / 4) -> np.ndarray:
    found = np.eye(4)
    found[[i, i, j, j], [i, j, i, j]] = [np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)]
    return found


def random_rotation(seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((4, 4)))[0]


def with_entry(matrix: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    changed = matrix.copy()
    changed[row, column] = value
    return changed


EYE = np.eye(4)
NETWORKS = {
    "rotated": Network(random_rotation(0), random_rotation(0).T, MAPPING),
    "half rotated": Network(turn(0, 3), turn(0, 3).T, MAPPING),
    "swapped": Network(EYE, EYE, {**MAPPING, "a": (3,), "d": (0,)}),
    "shifted": Network(EYE, EYE, {"a": (1,), "b": (2,), "c": (3,), "d": (0,)}),
    "overwide": Network(EYE, EYE, {**MAPPING, "a": (0, 3)}),
    "partial": Network(
        np.vstack([EYE, EYE[:1]]), np.hstack([EYE, 0.5 * EYE[:, :1]]) * np.array([0.5, 1, 1, 1, 1]), MAPPING
    ),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_wrong_mapping_is_blamed_on_the_mapping(kind: str) -> None:
    found = judge(run_world(linear_world(WORLDS["chain"]), NETWORKS[kind], edges_of("chain"), bootstrap=20))
    assert set(departing(found)) <= {"mapping lost", "mapping added"}
    assert departing(found)
    graph, network, mapping = headline_sentences(found)
    assert (graph.mark, network.mark, mapping.mark) == ("✓", "✓", "✗")
    assert found.headline.worst_interchange.accuracy.upper < 0.8


def test_swapped_latents_are_two_relations_missing_and_two_spurious() -> None:
    found = judge(run_world(linear_world(WORLDS["chain"]), NETWORKS["swapped"], edges_of("chain"), bootstrap=20))
    assert departing(found) == {"mapping lost": {"a -> ya", "d -> yd"}, "mapping added": {"a -> yd", "d -> ya"}}
    text = headline_sentences(found)[2].text
    assert "the mapping is wrong; 2 relations missing" in text
    assert "2 spurious" in text


def test_a_padded_mapping_is_right() -> None:
    network = identity(NAMES, spare=2, mapping={**MAPPING, "a": (0, 5)})
    found = judge(run_world(linear_world(WORLDS["chain"]), network, edges_of("chain"), bootstrap=20))
    assert [sentence.mark for sentence in headline_sentences(found)] == ["✓", "✓", "✓"]


def test_a_lossy_and_an_inventing_network_are_blamed_with_the_pair() -> None:
    lossy = Network(with_entry(EYE, 1, 1, 0.1), EYE, MAPPING)
    found = judge(run_world(linear_world(WORLDS["chain"]), lossy, edges_of("chain"), bootstrap=20))
    assert departing(found) == {"network lost": {"b -> yb"}}
    assert pair(found, "b", "yb").network.share == pytest.approx(0.1, abs=0.05)
    # What the network gets wrong is not asked of the mapping.
    assert pair(found, "b", "yb").mapping.status == "untested"
    inventing = Network(EYE, with_entry(EYE, 0, 3, 0.5), MAPPING)
    found = judge(run_world(linear_world(WORLDS["chain"]), inventing, edges_of("chain"), bootstrap=20))
    assert departing(found) == {"network added": {"d -> ya"}}
    sentence = headline_sentences(found)[1]
    assert sentence.mark == "✗"
    assert "invents 1 of 12 (d → ya" in sentence.text


def test_unmapped_factors_are_not_tested() -> None:
    world = linear_world(WORLDS["fork"])
    found = judge(run_world(world, identity(NAMES, mapping={"b": (1,)}), edges_of("fork"), bootstrap=20))
    assert (found.headline.mapped, found.headline.unmapped) == (("b",), ("a", "c", "d"))
    assert "1 of 4 factors mapped (not tested: a, c, d)" in headline_sentences(found)[2].text
    found = judge(run_world(world, identity(NAMES, mapping={}), edges_of("fork"), bootstrap=20))
    assert headline_sentences(found)[2].mark == "?"
    assert headline_sentences(found)[2].text == "Mapping: not tested (no factor is mapped)."


def test_undecided_pairs_are_counted_as_undecided() -> None:
    found = judge(run_world(linear_world(WORLDS["chain"]), identity(NAMES), edges_of("chain"), pairs=2, bootstrap=20))
    assert found.headline.graph.undecided == found.headline.graph.total == 28
    assert [sentence.mark for sentence in headline_sentences(found)] == ["?", "?", "?"]


def hearts(factors, noise: np.ndarray) -> np.ndarray:
    """One factor acts where another has its third level alone."""
    return factors["x"] + 0.12 * (factors["scale"] - 0.75) * (factors["shape"] > 2.5) / np.std(np.linspace(0.5, 1, 6))


def test_an_effect_at_one_level_alone_is_named_with_the_level() -> None:
    labels = {"shape": {1.0: "square", 2.0: "ellipse", 3.0: "heart"}}
    settings = {"mechanisms": {"centre": hearts}, "pairs": 1024, "tolerance": 0.3}
    found = judge(run_planted(declared=("x -> centre",), **settings), labels=labels)
    check = pair(found, "scale", "centre")
    assert check.data.p_present > 0.05
    assert [(level.moderator, level.level) for level in check.levels] == [("shape", "heart")]
    assert check.graph == "undeclared"
    assert "scale → centre is present for shape = heart" in headline_sentences(found)[0].text
    found = judge(run_planted(declared=("x -> centre", "scale -> centre"), **settings), labels=labels)
    assert pair(found, "scale", "centre").graph == "present"
    assert pair(found, "scale", "centre").network.n < 400


def test_a_categorical_factor_is_moved_by_its_cause() -> None:
    world = World(
        {
            "group": lambda found, noise: (noise * 3).astype(int).astype(float),
            "kind": lambda found, noise: np.where(noise < 0.8, found["group"], (noise * 50) % 3 // 1),
        },
        {"y": lambda factors, noise: factors["kind"] + 0.1 * noise},
        {"group": "categorical", "kind": "categorical"},
    )
    found = judge(run_world(world, identity(("group", "kind")), ["group -> kind", "kind -> y"], bootstrap=20))
    assert departing(found) == {}
    # A redraw of an unrelated category moves it by sqrt(2) units, as it does a number.
    assert 0.8 < pair(found, "group", "kind").data.value < 1.42


def test_held_inputs_outside_the_data_are_left_out() -> None:
    found = judge(run_world(linear_world(WORLDS["chain"]), identity(NAMES), edges_of("chain"), bootstrap=20))
    assert 0.02 < found.support.outside < 0.4
    assert found.support.correlation > 0.7
    assert pair(found, "a", "ya").data.n == 512
    assert pair(found, "a", "ya").network.n < 512
    independent = judge(run_planted(bootstrap=20))
    assert independent.support.outside is None


def test_an_attribute_that_does_not_vary_is_told_and_gives_numbers() -> None:
    flat = {"flat": lambda factors, noise: np.full(len(noise), 0.7)}
    found = judge(run_planted(mechanisms=MECHANISMS | flat, bootstrap=20))
    assert any("flat does not vary" in note for note in found.notes)
    assert all(check.graph == "absent" for check in found.pairs if check.target == "flat")


def test_undefined_values_are_left_out() -> None:
    def sometimes(factors, noise: np.ndarray) -> np.ndarray:
        return np.where(noise > 1.5, np.nan, factors["x"])

    found = judge(run_planted(mechanisms={"y": sometimes}, declared=("x -> y",), bootstrap=20))
    check = pair(found, "x", "y")
    assert 440 < check.data.n < 500
    assert (check.graph, check.status) == ("present", "supported")


def test_differences_of_a_periodic_attribute_are_wrapped() -> None:
    def axis(factors, noise: np.ndarray) -> np.ndarray:
        return np.mod(np.pi + factors["x"] + 0.002 * (factors["scale"] - 0.75), np.pi)

    run = run_planted(mechanisms={"axis": axis}, declared=("x -> axis",), bootstrap=20)
    assert pair(judge(run), "scale", "axis").graph != "absent"
    on_circle = replace(run, measurements=replace(run.measurements, periods={"axis": np.pi}))
    assert departing(judge(on_circle)) == {}


def test_what_the_graph_claims_when_all_factors_are_held() -> None:
    graph = CausalGraph(("a", "b"), ("p", "q"), (("a", "b"), ("b", "p"), ("p", "q")))
    assert direct_relations(graph) == {("a", "b"), ("b", "p"), ("b", "q")}


def confounded(shared: float) -> World:
    """Labels that share a cause, and two attributes of one label each."""

    def label(found, noise: np.ndarray) -> np.ndarray:
        mixed = np.where((noise * 1000) % 1 < shared, found.get("a", noise * 3), noise * 3)
        return np.floor(mixed)

    return World(
        {"a": label, "b": label},
        {"ya": lambda f, e: f["a"] + 0.3 * e, "yb": lambda f, e: f["b"] + 0.3 * e},
        {"a": "categorical", "b": "categorical"},
    )


TWO = ("a", "b")


def test_without_counterfactuals_associations_are_told_apart_by_the_other_labels() -> None:
    settings = {"settable": False, "samples": 2000, "bootstrap": 20}
    found = judge(run_world(confounded(0.7), identity(TWO), ["a -> ya", "b -> yb"], **settings))
    assert {check.basis for check in found.pairs} == {"association"}
    assert pair(found, "a", "b").graph == "untested"
    assert departing(found) == {}
    assert pair(found, "a", "ya").status == "supported"
    assert pair(found, "a", "yb").graph == "absent"
    graph, network, mapping = headline_sentences(found)
    assert "association given the labels, edges between factors: not tested" in graph.text
    # Edges between factors are not tested, and interchange needs counterfactuals: neither is green.
    assert [graph.mark, network.mark, mapping.mark] == ["?", "✓", "?"]
    swapped = identity(TWO, mapping={"a": (1,), "b": (0,)})
    found = judge(run_world(confounded(0.7), swapped, ["a -> ya", "b -> yb"], **settings))
    assert departing(found) == {"mapping lost": {"a -> ya", "b -> yb"}, "mapping added": {"a -> yb", "b -> ya"}}
    lossy = replace(identity(TWO), encoder=np.diag([1.0, 0.2]))
    found = judge(run_world(confounded(0.7), lossy, ["a -> ya", "b -> yb"], **settings))
    assert departing(found) == {"network lost": {"b -> yb"}}
    found = judge(run_world(confounded(0.7), identity(TWO), ["a -> ya"], **settings))
    assert departing(found) == {"undeclared": {"b -> yb"}}


def test_labels_without_levels_are_not_tested_without_counterfactuals() -> None:
    world = linear_world({}, TWO)
    found = judge(run_world(world, identity(TWO), ["a -> ya", "b -> yb"], settable=False, bootstrap=20))
    assert found.headline.graph.untested == found.headline.graph.total
    assert any("effects of a, b are not tested" in note and "no levels" in note for note in found.notes)
    assert headline_sentences(found)[0].mark == "?"


def test_independencies_and_the_same_numbers_again() -> None:
    run = run_planted(bootstrap=20)
    found = judge(run)
    of = [check.of for check in found.independencies]
    # Those between factors are the same in both, and are tested in the data.
    assert (of.count("data"), of.count("network")) == (7, 4)
    assert not any(check.rejected for check in found.independencies)
    assert [family.fisher_p > 0.05 for family in found.families] == [True, True]
    assert "Implied independencies of the data (600 distinct samples)" in independence_words(found)[0]
    repeated = judge(run)
    assert {**asdict(repeated), "seconds": 0} == {**asdict(found), "seconds": 0}


def test_data_are_drawn_until_an_independence_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    # On so few samples it cannot be shown, however close to zero the slope.
    monkeypatch.setattr(implied, "FEWEST", 1500)
    # b is almost a function of a, so that it takes many samples to show that c does not depend on b given a.
    world = linear_world({("a", "b"): 1.0, ("a", "c"): 0.5}, "abc")
    edges = ["a -> b", "a -> c", *(f"{n} -> y{n}" for n in "abc")]
    run = run_world(world, identity("abc"), edges, pairs=20, bootstrap=10)
    longer = run_world(world, identity("abc"), edges, pairs=2, samples=10_000, bootstrap=2).measurements.observations
    asked: list[int] = []

    def draw(samples: int):
        asked.append(samples)
        return longer.iloc[:samples]

    found = judge(run, draw=draw)
    assert asked[0] == 1500
    assert len(asked) == 2 and 6000 < asked[1] <= 10_000
    assert found.families[0].samples == asked[1]
    checks = {(check.left, check.right): check for check in found.independencies if check.of == "data"}
    assert checks["b", "c"].result != "dependent"
    assert checks["b", "c"].upper < 0.15
    fixed = run.spec.model_copy(update={"alignment": run.spec.alignment.model_copy(update={"samples": 700})})
    asked.clear()
    assess(fixed, Outcomes(run.measurements), run.graph, draw=draw)
    assert asked == [700]


def test_progress_is_told_to_the_end() -> None:
    run = run_planted(pairs=20, samples=200, bootstrap=20)
    told: list[Progress] = []
    judge(run, on_progress=told.append)
    assert {step.stage for step in told} == {"pairs", "independencies"}
    assert told[-1].done == told[-1].total


def rates(seeds: int) -> tuple[int, int, int]:
    """Runs of true graphs and correct networks that are red, of swapped ones that are not, and all of either."""
    red = missed = 0
    shapes = list(WORLDS)
    for seed in range(seeds):
        shape = shapes[seed % len(shapes)]
        right = judge(run_world(linear_world(WORLDS[shape]), identity(NAMES), edges_of(shape), seed=seed, bootstrap=2))
        red += any(sentence.mark == "✗" for sentence in headline_sentences(right))
        network = replace(identity(NAMES), mapping=NETWORKS["swapped"].mapping)
        wrong = judge(run_world(linear_world(WORLDS[shape]), network, edges_of(shape), seed=seed, bootstrap=2))
        missed += set(departing(wrong)) != {"mapping lost", "mapping added"}
    return red, missed, seeds


def test_few_seeds_give_no_false_alarm_and_miss_nothing() -> None:
    assert rates(6)[:2] == (0, 0)


@pytest.mark.simulation
def test_rates_over_seeds() -> None:
    red, missed, seeds = rates(150)
    assert red <= 0.01 * seeds + 1
    assert missed <= 0.05 * seeds


def test_attributes_without_factors_say_nothing_of_their_independence() -> None:
    run = run_world(linear_world(WORLDS["chain"]), identity(NAMES), edges_of("chain"), bootstrap=20)
    graph = CausalGraph((), run.graph.attributes)
    found = implied.assess_independencies(run.spec, run.measurements, graph, None, lambda done, total: None)
    assert found.checks == () and all(family.fisher_c is None for family in found.families)
    assert independence_words(replace(judge(run), independencies=(), families=found.families)) == ()
