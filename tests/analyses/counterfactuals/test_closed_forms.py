"""Linear networks: what the mapping's counterfactuals are off by is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from causalvae.analyses.counterfactuals.estimate import estimate_counterfactuals
from causalvae.analyses.counterfactuals.measure import measure_counterfactuals
from causalvae.analyses.counterfactuals.section import CounterfactualsAnalysis
from causalvae.analyses.counterfactuals.types import Counterfactuals, FactorSoundness
from causalvae.session import Session
from tests.analyses.counterfactuals.linear_networks import OWN, open_linear

ROOT2 = np.sqrt(2)
LARGE = CounterfactualsAnalysis(samples=400, cycles=1)
TWICE = CounterfactualsAnalysis(samples=64, cycles=2)


def assess(session: Session, folder: Path, section: CounterfactualsAnalysis = LARGE) -> Counterfactuals:
    folder.mkdir(exist_ok=True)
    return estimate_counterfactuals(session, section, measure_counterfactuals(session, section, folder))


def factor(found: Counterfactuals, name: str) -> FactorSoundness:
    return next(item for item in found.factors if item.factor == name)


# Which network, its mapping, a factor, what its own attribute is off by, and the worst of all others.
CASES: dict[str, tuple[str, Mapping[str, Sequence[int | str]], str, float, float]] = {
    "identity": ("identity", OWN, "a", 0.0, 0.0),
    # z_0 := cos a' - sin c_donor; a is off by sin^2 (a' - a) + sin cos (c_donor - c): sqrt(2) sin in all.
    "rotated by 30 degrees": ("rotated by 30 degrees", OWN, "a", ROOT2 * 0.5, ROOT2 * 0.5),
    "rotated by 90 degrees": ("rotated by 90 degrees", OWN, "a", ROOT2, ROOT2),
    "lossy, what is lost": ("lossy", OWN, "b", 1.0, 0.0),
    "lossy, another factor": ("lossy", OWN, "a", 0.0, 1.0),
    "partial": ("partial", OWN, "a", ROOT2 / 2, 0.0),
    "swapped": ("identity", {**OWN, "a": (1,), "b": (0,)}, "a", ROOT2, ROOT2),
    # The donor, unlike the sample's own counterfactual, differs in the other factor as well.
    "overwide": ("identity", {**OWN, "a": (0, 1), "b": ()}, "a", 0.0, ROOT2),
    "padded": ("identity", {**OWN, "a": (0, 5)}, "a", 0.0, 0.0),
    "a dead latent": ("identity", {**OWN, "a": (5,)}, "a", ROOT2, 0.0),
    "at an inner component": ("identity", {"a": ("encoder[0]",)}, "a", 0.0, 0.0),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_are_those_of_the_closed_form(case: str, tmp_path: Path) -> None:
    network, mapping, name, own, others = CASES[case]
    found = factor(
        assess(open_linear(network, {key: units for key, units in mapping.items() if units}), tmp_path), name
    )
    for distance, wanted in ((found.own[0], own), (found.others[0], others)):
        # Five standard errors of a root mean square, and those of the standard deviation that it is divided by.
        assert distance.value == pytest.approx(wanted, abs=5 * wanted * np.sqrt(1 / 800 + 1 / 2000) + 1e-4)
        assert distance.lower <= distance.value <= distance.upper
    assert found.status == ("sound" if max(own, others) < 0.25 else "unsound")


def test_the_worst_factor_comes_first(tmp_path: Path) -> None:
    found = assess(open_linear("partial"), tmp_path)
    assert found.worst is not None
    assert (found.worst.factor, found.worst.worst.attribute) == ("a", "ya")
    assert [item.status for item in found.factors] == ["unsound", "sound", "sound", "sound"]


def test_only_effectiveness_sees_a_rotated_or_lossy_code(tmp_path: Path) -> None:
    """What is passed through again and again stays where it is, and orders commute, for codes of any kind."""
    for name in ("identity", "lossy"):
        found = assess(open_linear(name), tmp_path / name, TWICE)
        once, again = found.composition
        assert (once.cycles, again.cycles) == (1, 2)
        assert [item.value for item in once.distances.attributes] == pytest.approx(
            [item.value for item in again.distances.attributes], abs=1e-4
        )
        assert all(pair.distances.attributes[0].value < 1e-4 for pair in found.commutativity)
        for item in found.factors:
            # There and back leaves what a reconstruction leaves.
            for repetition in item.reversibility:
                assert repetition.reconstructed is not None
                change = repetition.distances.attributes[0].value - repetition.reconstructed.attributes[0].value
                assert abs(change) < 0.3
        assert len(found.commutativity) == 6


def test_reversibility_and_commutativity_of_a_rotated_code(tmp_path: Path) -> None:
    """Setting a and setting it back by donors whose c differs from the sample's leaves z_0 of the last donor.

    z_0 is off by sin (c_donor - c), from which a is off by cos times that: sqrt(2) sin cos. Setting a sets z_0 and
    setting c sets z_2, so that both orders give the same.
    """
    found = assess(open_linear("rotated by 30 degrees"), tmp_path)
    back = factor(found, "a").reversibility[0].distances
    off = {item.attribute: item.value for item in back.attributes}
    assert off["ya"] == pytest.approx(ROOT2 * 0.5 * np.sqrt(0.75), abs=0.2)
    assert off["yc"] == pytest.approx(ROOT2 * 0.25, abs=0.1)
    assert all(pair.distances.attributes[0].value < 1e-4 for pair in found.commutativity)


def test_the_pixels_are_the_numbers_of_the_output(tmp_path: Path) -> None:
    """With every column an attribute, pixels are the root mean square of the attributes' errors."""
    session = open_linear("partial")
    tables = measure_counterfactuals(session, LARGE, tmp_path)
    found = factor(estimate_counterfactuals(session, LARGE, tables), "a")
    values = tables.values[(tables.values["factor"] == "a") & (tables.values["other"] == "")]
    columns = [f"attribute:y{name}" for name in "abcd"]
    output, data = (
        values[values["point"] == point].sort_values("sample")[columns].to_numpy() for point in ("output", "data")
    )
    spans = np.array([readout.affine[1] for readout in session.readouts.values()])
    away = (output - data) / spans
    assert found.pixels == pytest.approx(np.sqrt((away**2).mean()), rel=1e-4)


def test_what_is_not_tested_says_why(tmp_path: Path) -> None:
    session = open_linear("identity", {"a": (0,), "b": (1,)})
    graph = session.graph
    without = type(graph)(graph.factors, graph.attributes, tuple(edge for edge in graph.edges if edge[0] != "b"))
    found = assess(type(session)(**{**vars(session), "graph": without}), tmp_path)
    assert {item.factor: item.why for item in found.untested} == {
        "b": "no_attribute", "c": "unmapped", "d": "unmapped",
    }  # fmt: skip
    assert [item.factor for item in found.factors] == ["a"]


CHAIN = {
    "a": "normal(0, 1)",
    "b": {"equation": "0.8 * a + normal(0, 0.6)"},
    "c": {"equation": "0.8 * b + normal(0, 0.6)"},
    "d": "normal(0, 1)",
}


def test_other_factors_are_held_and_samples_outside_the_data_are_left_out(tmp_path: Path) -> None:
    """Held inputs of a chain a -> b -> c leave the data's ellipse; a true code is sound inside, a partial one not."""
    edges = ("a -> b", "b -> c")
    found = assess(open_linear("identity", variables=CHAIN, edges=edges), tmp_path / "identity")
    outside = {item.factor: item.outside for item in found.factors}
    assert 0.05 < outside["b"] < 0.6
    assert all(item.samples == round(400 * (1 - item.outside)) for item in found.factors)
    assert found.status == "sound"
    assert assess(open_linear("partial", variables=CHAIN, edges=edges), tmp_path / "partial").status == "unsound"


def test_what_was_measured_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, section = open_linear("partial"), CounterfactualsAnalysis(samples=30, cycles=1)
    first = assess(session, tmp_path, section)
    monkeypatch.setattr("causalvae.analyses.counterfactuals.measure._Run", None)
    assert assess(session, tmp_path, section) == first


def test_batches_change_nothing(tmp_path: Path) -> None:
    section = CounterfactualsAnalysis(samples=50, cycles=2)
    for rows in (7, 64):
        (tmp_path / str(rows)).mkdir()
    tables = [
        measure_counterfactuals(
            open_linear("rotated by 30 degrees", execution={"device": "cpu", "batch_rows": rows}),
            section,
            tmp_path / str(rows),
        )
        for rows in (7, 64)
    ]
    keys = ["factor", "other", "point", "cycles", "sample"]
    few, many = (table.values.sort_values(keys).reset_index(drop=True) for table in tables)
    assert (few[keys] == many[keys]).all().all()
    columns = [name for name in map(str, few) if name.startswith("attribute:")]
    np.testing.assert_allclose(few[columns], many[columns], rtol=1e-5, atol=1e-6)
