from __future__ import annotations

import itertools
import random
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from causalvae.circuits.types import CircuitScore, ClaimTest, Rivals
from causalvae.effects.types import Estimate
from causalvae.models.components import ComponentRef
from causalvae.plan.owner import Owner
from causalvae.report.charts import count_bins, draw_interval, draw_rivals, nice_ticks
from causalvae.report.effect_grids import build_grids, strongest_rows
from causalvae.report.graph_layout import lay_out
from causalvae.report.graph_svg import draw_graph, edge_states, recovered_edges, shared_layout
from causalvae.report.heatmap import STEPS, palette_css, shade
from causalvae.report.numbers import format_bound
from causalvae.report.svg import element, shorten
from tests.report.synthetic_results import build_results
from tests.targets import target


@pytest.mark.parametrize(
    ("bound", "words"),
    [((0.7, None), "≥ 0.7"), ((None, 0.2), "≤ 0.2"), ((0.5, 1.5), "0.5 to 1.5"), ((None, None), "")],
)
def test_bounds_are_written_as_a_reader_would(bound: tuple[float | None, float | None], words: str) -> None:
    assert format_bound(*bound) == words


def test_the_interval_lies_where_its_numbers_say() -> None:
    drawn = draw_interval(ClaimTest("mediated_share", 0.5, None, 0.75, 0.6, 0.9, 0, 1, 10), width=320)
    assert drawn is not None
    root = ElementTree.fromstring(str(drawn))
    space = "{http://www.w3.org/2000/svg}"
    point = next(node for node in root.iter(f"{space}circle"))
    ticks = {node.text: float(node.attrib["x"]) for node in root.iter(f"{space}text")}
    zero, one = ticks["0"], ticks["1"]
    assert float(point.attrib["cx"]) == pytest.approx(zero + 0.75 * (one - zero), abs=0.2)
    region = next(node for node in root.iter(f"{space}rect"))
    assert float(region.attrib["x"]) == pytest.approx(zero + 0.5 * (one - zero), abs=0.2)


def test_both_ends_of_a_bound_are_shaded() -> None:
    drawn = draw_interval(ClaimTest("mediated_share", 0.7, 1.3, 0.9, 0.85, 0.95, 0, 1, 10), width=320)
    assert drawn is not None
    root = ElementTree.fromstring(str(drawn))
    space = "{http://www.w3.org/2000/svg}"
    ticks = {node.text: float(node.attrib["x"]) for node in root.iter(f"{space}text")}
    zero, one = ticks["0"], ticks["1"]
    region = next(node for node in root.iter(f"{space}rect"))
    assert float(region.attrib["x"]) == pytest.approx(zero + 0.7 * (one - zero), abs=0.2)
    assert float(region.attrib["width"]) == pytest.approx(0.6 * (one - zero), abs=0.2)
    edges = [node for node in root.iter(f"{space}line") if node.attrib.get("class") == "bound-edge"]
    assert len(edges) == 2


def test_the_bars_of_a_histogram_hold_every_null() -> None:
    rng = random.Random(1)
    values = [rng.gauss(0, 1) for _ in range(500)]
    counts = count_bins(values, min(values), max(values), 20)
    assert sum(counts) == 500
    assert all(
        count == sum(int(min((v - min(values)) / (max(values) - min(values)) * 20, 19)) == bin_ for v in values)
        for bin_, count in enumerate(counts)
    )


@pytest.mark.parametrize("values", [(), (0.3,), (0.3, 0.3), (float("nan"), 0.2)])
def test_histograms_of_odd_samples(values: tuple[float, ...]) -> None:
    own = CircuitScore((ComponentRef("latent", (0,)),), 0.3, None, 0.7, None, None)
    drawn = draw_rivals(Rivals("every", count=len(values), own=own, errors=values))
    if not [value for value in values if value == value]:
        assert drawn is None
    else:
        ElementTree.fromstring(str(drawn))
    assert draw_rivals(Rivals("none", "whole_site")) is None


def test_ticks_cover_and_are_round() -> None:
    rng = random.Random(0)
    for _ in range(200):
        lowest = rng.uniform(-100, 100) * 10 ** rng.randint(-5, 5)
        highest = lowest + abs(rng.gauss(0, 1)) * 10 ** rng.randint(-5, 5)
        ticks = nice_ticks(lowest, highest)
        step = ticks[1] - ticks[0]
        assert ticks[0] <= lowest + step * 1e-6
        assert ticks[-1] >= highest - step * 1e-6
        assert 2 <= len(ticks) <= 8
    assert nice_ticks(0, 1) == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def count_crossings(layout, edges) -> int:
    total = 0
    for (a, b), (c, d) in itertools.combinations(edges, 2):
        if layout.nodes[a][0] == layout.nodes[c][0] and layout.nodes[b][0] == layout.nodes[d][0]:
            total += (layout.nodes[a][1] - layout.nodes[c][1]) * (layout.nodes[b][1] - layout.nodes[d][1]) < 0
    return total


def test_a_tangled_matching_is_drawn_without_a_crossing() -> None:
    rng = random.Random(4)
    left = [f"f{i}" for i in range(8)]
    right = [f"a{i}" for i in range(8)]
    targets = right[:]
    rng.shuffle(targets)
    edges = list(zip(left, targets, strict=True))
    layout = lay_out(left + right, edges, last=right)
    assert count_crossings(layout, edges) == 0


def test_edges_run_from_left_to_right_and_long_ones_get_waypoints() -> None:
    edges = [("a", "b"), ("b", "c"), ("c", "y"), ("a", "y")]
    layout = lay_out(["a", "b", "c", "y", "lonely"], edges, last=["y", "lonely"])
    assert [layout.nodes[name][0] for name in "abcy"] == [0, 1, 2, 3]
    assert layout.nodes["lonely"][0] == 3
    assert len(layout.routes["a", "y"]) == 4
    assert all(route[0][0] < route[-1][0] for route in layout.routes.values())
    places = list(layout.nodes.values()) + [point for route in layout.routes.values() for point in route[1:-1]]
    assert len(set(places)) == len(places), "nothing is drawn on top of another"


def test_a_cycle_does_not_hang_the_layout() -> None:
    layout = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")])
    assert set(layout.nodes) == {"a", "b", "c"}
    assert len(layout.routes) == 3


def test_recovered_edges_leave_out_what_is_rightly_absent() -> None:
    results = build_results()
    assert results.alignment is not None
    drawn = {(edge.source, edge.target): edge.style for edge in recovered_edges(results.graph, results.alignment)}
    pairs = results.alignment.pairs
    assert drawn == {(check.source, check.target): check.status for check in pairs if check.status != "absent"}


def test_shades_rise_with_the_effect() -> None:
    steps = [int(shade(value / 100, 1.0)[1:]) for value in range(101)]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert steps[-1] == STEPS - 1
    assert shade(None, 1.0) == shade(float("nan"), 1.0) == "none"
    assert shade(0.0, 0.0) == "s0"


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_palette_is_told_apart_by_lightness_alone() -> None:
    light, dark = (
        [luminance(colour) for _, colour in re.findall(r"--s(\d+):(#[0-9a-f]{6})", part)]
        for part in palette_css().split("@media")
    )
    assert len(light) == len(dark) == STEPS
    assert light == sorted(light, reverse=True)
    assert dark == sorted(dark)


def test_text_on_a_shade_can_be_read() -> None:
    pairs = re.findall(r"--s(\d+):(#[0-9a-f]{6});--i(\d+):(#[0-9a-f]{6})", palette_css())
    assert len(pairs) == 2 * STEPS
    for step, colour, ink_step, ink in pairs:
        assert step == ink_step
        darker, lighter = sorted((luminance(colour), luminance(ink)))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (step, colour, ink)


def grid_estimate(component: str, value: float, outcome: str = "area", **more: str) -> Estimate:
    return Estimate(
        "effect_size", value, "sd", 8, outcome, component=target(component), owner=Owner.intervention("s"), **more
    )


def test_components_are_grouped_by_site_in_the_order_they_came() -> None:
    grids = build_grids(
        [
            grid_estimate("b.conv[1]", 0.2, treatment="t", direction="noising"),
            grid_estimate("b.conv[0]", 0.5, treatment="t", direction="noising"),
            grid_estimate("a.conv[0]", 0.1, treatment="t", direction="noising"),
            grid_estimate("a.conv[0]", 0.3, treatment="t", direction="denoising"),
            grid_estimate("a.fc", float("nan"), treatment="t", direction="noising"),
        ]
    )
    assert [grid.direction for grid in grids] == ["noising", "denoising"]
    noising = grids[0]
    assert [(block.site, [row.short for row in block.rows]) for block in noising.blocks] == [
        ("b.conv", ["1", "0"]), ("a.conv", ["0"]), ("a.fc", ["a.fc"]),
    ]  # fmt: skip
    assert noising.largest == 0.5
    assert [row.component for row in strongest_rows(noising, 2)] == ["b.conv[0]", "b.conv[1]"]


def test_svg_text_is_escaped_and_shortened() -> None:
    assert str(element("text", "<&\"'>", x=1.0)) == '<text x="1">&lt;&amp;&#34;&#39;&gt;</text>'
    assert 'class="&#34;&gt;"' in str(element("g", class_='">'))
    assert shorten("short", 8) == "short"
    assert len(shorten("a much longer name", 8)) == 8


def test_every_recovered_edge_shows_data_network_and_mapping() -> None:
    results = build_results()
    assert results.alignment is not None
    edges = recovered_edges(results.graph, results.alignment)
    tested = [edge for edge in edges if edge.style != "untested"]
    assert all(len(edge.states) == 3 for edge in tested)
    checks = {(check.source, check.target): check for check in results.alignment.pairs}
    kept = next(edge for edge in tested if (edge.source, edge.target) == ("scale", "area"))
    assert edge_states(checks["scale", "area"]) == kept.states
    check = checks["scale", "area"]
    lost = replace(check.network, status="lost")
    assert edge_states(replace(check, graph="reversed", network=lost, mapping=None)) == ("wrong", "wrong", "untested")
    undecided = replace(check.network, status="undecided")
    assert edge_states(replace(check, graph="undecided", network=undecided)) == ("open", "open", kept.states[2])
    drawing = draw_graph(results.graph, edges, shared_layout(results.graph, results.alignment), "recovered")
    assert drawing.count('class="states"') == sum(edge.target in results.graph.attributes for edge in tested)
    assert drawing.count("state-right") + drawing.count("state-wrong") > 3
    assert "data ✓, network ✓, mapping" in drawing
