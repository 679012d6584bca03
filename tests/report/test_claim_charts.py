"""The drawings of a claim's members, Shapley values and failing pairs lie where their numbers say."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from causalvae.circuits.types import Failing, FailingPair, MemberLoss, Minimality, ShapleyValue, Subsets
from causalvae.models.components import ComponentRef
from causalvae.report.claim_charts import MOST_ROWS, draw_failing, draw_losses, draw_shapley

SPACE = "{http://www.w3.org/2000/svg}"


def axis(root: ElementTree.Element) -> tuple[float, float]:
    """Slope and start of the axis: places are start + slope * number."""
    ticks = [
        (float(node.text.replace("−", "-")), float(node.attrib["x"]))  # noqa: RUF001
        for node in root.iter(f"{SPACE}text")
        if node.attrib["class"] == "tick" and node.text
    ]
    (a, x), (b, y) = ticks[0], ticks[-1]
    slope = (y - x) / (b - a)
    return slope, x - slope * a


def member(unit: int, loss: float) -> MemberLoss:
    return MemberLoss(ComponentRef("latent", (unit,)), loss, loss - 0.05, loss + 0.05, 0.01, 0.9, "needed")


def test_losses_are_drawn_against_the_margin() -> None:
    members = tuple(member(unit, 0.1 * unit) for unit in range(4))
    drawn = draw_losses(Minimality(True, 0.05, members, 0.01, 0.9, None, (), 0.95, 96))
    assert drawn is not None
    root = ElementTree.fromstring(str(drawn))
    slope, start = axis(root)
    points = [float(node.attrib["cx"]) for node in root.iter(f"{SPACE}circle")]
    assert points == pytest.approx([start + slope * loss.loss for loss in members], abs=0.5)
    (region,) = root.iter(f"{SPACE}rect")
    assert float(region.attrib["x"]) == pytest.approx(start + slope * 0.05, abs=0.5)


def test_of_many_members_the_least_needed_are_drawn() -> None:
    members = tuple(member(unit, 1.0 - 0.01 * unit) for unit in range(40))
    drawn = draw_losses(Minimality(True, 0.05, members, 0.01, 0.9, None, (), 0.95, 96))
    labels = [node.text for node in ElementTree.fromstring(str(drawn)).iter(f"{SPACE}text")]
    assert "without latent[39]" in labels and "without latent[0]" not in labels
    assert sum(str(text).startswith("without") for text in labels) == MOST_ROWS


def test_shapley_values_and_failing_pairs() -> None:
    values = tuple(ShapleyValue(ComponentRef("latent", (unit,)), 0.5 * unit, 0.4, 0.6, unit == 1) for unit in range(2))
    subsets = Subsets(False, 2, 4, 0, 0, (), 0, None, None, values, 1.0, 1.0, 0.05, 0.95, 384)
    labels = [node.text for node in ElementTree.fromstring(str(draw_shapley(subsets))).iter(f"{SPACE}text")]
    assert labels[:2] == ["latent[0]", "latent[1] (claimed)"]
    failing = Failing(0.7, 0.65, 0.1, 1, 96, 0.05, 0.95, "sd", (FailingPair(3, 2.0, -1.0, 3.0),))
    root = ElementTree.fromstring(str(draw_failing(failing)))
    slope, start = axis(root)
    (point,) = root.iter(f"{SPACE}circle")
    assert float(point.attrib["cx"]) == pytest.approx(start - slope, abs=0.5)
    (bar,) = [node for node in root.iter(f"{SPACE}line") if node.attrib["class"] == "observed"]
    assert float(bar.attrib["x1"]) == pytest.approx(start + 2 * slope, abs=0.5)
    assert draw_failing(Failing(0.7, 0.65, 0.1, 0, 96, 0.05, 0.95, "sd")) is None
