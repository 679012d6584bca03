"""The drawings of a claim: its circuit on the network's layers, and its effect pair by pair."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from causalvae.circuits.types import Failing
from causalvae.models.components import ComponentRef, EdgeRef
from causalvae.report.blocks import OpenedDrawing
from causalvae.report.charts import draw_pairs
from causalvae.report.document import build_document
from causalvae.report.html_report import render_html
from causalvae.report.layer_drawing import draw_layers
from causalvae.results import LayerSummary, Results

SPACE = "{http://www.w3.org/2000/svg}"
LAYERS = (
    LayerSummary("encoder.conv1@pre", "encoder", 32),
    LayerSummary("encoder.conv1", "encoder", 32),
    LayerSummary("latent", "latent", 10),
    LayerSummary("decoder.lin", "decoder", 1000),
)


def test_every_unit_has_a_square_and_members_are_filled() -> None:
    circuit = (ComponentRef("encoder.conv1", (3, 4)), ComponentRef("latent", (7,)))
    drawn = draw_layers(LAYERS, circuit, "resize", "area")
    assert drawn is not None
    root = ElementTree.fromstring(str(drawn))
    drawn_units: dict[str, int] = {}
    members = set()
    for group in root.iter(f"{SPACE}g"):
        (title, path) = (group.find(f"{SPACE}{tag}") for tag in ("title", "path"))
        assert title is not None
        assert title.text is not None
        assert path is not None
        site = re.split(r"[\[:]", title.text)[0]
        drawn_units[site] = drawn_units.get(site, 0) + path.attrib["d"].count("M")
        if "is-member" in path.attrib["class"]:
            members.add(title.text)
    assert members == {f"{name}: in the circuit" for name in ("encoder.conv1[3]", "encoder.conv1[4]", "latent[7]")}
    # A wide layer is drawn in fewer squares, each of several units.
    assert drawn_units == {"encoder.conv1": 32, "latent": 10, "decoder.lin": 64}
    texts = [node.text for node in root.iter(f"{SPACE}text")]
    assert {"2 of 32", "1 of 10", "0 of 1000"} <= set(texts)


@pytest.mark.parametrize("treatment", ["turn", "recolour_alone", "W" * 40])
def test_the_name_of_a_treatment_begins_inside_the_drawing(treatment: str) -> None:
    drawn = draw_layers(LAYERS, (ComponentRef("latent"),), treatment, "area")
    label = next(
        node for node in ElementTree.fromstring(str(drawn)).iter(f"{SPACE}text") if node.get("text-anchor") == "end"
    )
    assert float(label.get("x", "0")) >= 7 * len("".join(label.itertext()).removeprefix(treatment))


def test_a_whole_layer_is_all_filled_and_a_circuit_elsewhere_is_not_drawn() -> None:
    drawn = draw_layers(LAYERS, (ComponentRef("latent"),), "resize", "area")
    assert str(drawn).count("is-member") == 10
    wide = draw_layers(LAYERS, (ComponentRef("decoder.lin", (0, 999)),), "resize", "area")
    assert "decoder.lin[0:16]: in the circuit" in str(wide)
    assert "decoder.lin[985:1000]: in the circuit" in str(wide)
    assert draw_layers(LAYERS, (ComponentRef("nowhere", (1,)),), "resize", "area") is None
    assert draw_layers((), (ComponentRef("latent", (1,)),), "resize", "area") is None
    many = tuple(LayerSummary(f"block{k}", "decoder", 4) for k in range(200))
    drawn = draw_layers(many, (ComponentRef("block123", (0,)),), "resize", "area")
    assert "block123[0]: in the circuit" in str(drawn)
    assert str(drawn).count("of 4<") == 10


def test_edges_run_between_their_components_and_the_ends() -> None:
    latent, hidden = ComponentRef("latent", (7,)), ComponentRef("decoder.lin", (0,))
    circuit = (EdgeRef(None, latent), EdgeRef(latent, hidden), EdgeRef(hidden, None))
    drawn = draw_layers(LAYERS, circuit, "resize", "area")
    assert str(drawn).count("is-member") == 2
    root = ElementTree.fromstring(str(drawn))
    curves = [p.attrib["d"] for p in root.iter(f"{SPACE}path") if p.attrib["class"] == "sent"]
    ends = [re.findall(r"([\d.]+ [\d.]+)(?=C|$)", curve) for curve in curves]
    assert len(ends) == 3
    assert ends[0][1] == ends[1][0], "the first edge ends where the second starts"
    assert ends[1][1] == ends[2][0]


def test_pairs_lie_on_the_line_where_the_circuit_carries_the_whole_effect() -> None:
    rng = np.random.default_rng(0)
    totals = tuple(rng.normal(0, 10, 50).tolist())
    failing = Failing(0.7, 0.65, 2.5, 1, 51, 0.05, 0.95, "pixels", (), (*totals, 20.0), (*totals, 0.0))
    root = ElementTree.fromstring(str(draw_pairs(failing, "area")))
    line = next(node for node in root.iter(f"{SPACE}line") if node.attrib["class"] == "bound-edge")
    (x1, y1, x2, y2) = (float(line.attrib[name]) for name in ("x1", "y1", "x2", "y2"))
    points = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter(f"{SPACE}circle")]
    assert len(points) == 50
    for x, y in points:
        assert y == pytest.approx(y1 + (x - x1) / (x2 - x1) * (y2 - y1), abs=0.2)
    assert sum(node.attrib.get("class") == "pair-lost" for node in root.iter(f"{SPACE}path")) == 1
    assert draw_pairs(replace(failing, totals=(), indirects=()), "area") is None


def test_every_edge_of_the_graph_has_a_panel_with_its_three_tests(plain: Results) -> None:
    document = build_document(plain)
    graph = next(section for section in document.sections if section.anchor == "graph")
    drawn = next(block for block in graph.blocks if isinstance(block, OpenedDrawing))
    panels = {panel.anchor: panel for panel in drawn.panels}
    # A pair that departs has a panel even where the graph does not draw its node.
    assert {spot.anchor for spot in drawn.spots} == set(panels) - {"edge-scale-attribute"}
    assert set(re.findall(r'data-opens="([^"]+)"', drawn.drawing)) == set(panels) - {"edge-scale-attribute"}
    assert all(0 <= spot.x <= 100 and 0 <= spot.y <= 100 for spot in drawn.spots)
    page = render_html(document)
    for text in ("Graph against data", "Network against data", "Mapping against network", "1.02 [0.92, 1.12]"):
        assert text in page
    assert panels["edge-shape-is_heart"].title == "shape → is_heart: missing, declared"
    assert panels["edge-orientation-area"].title == "orientation → area: spurious, not declared"
