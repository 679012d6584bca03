"""The specs of the page on paths are valid."""

from __future__ import annotations

import re
from pathlib import Path

from causalvae.spec import parse_spec

PAGE = (Path(__file__).parents[2] / "docs/paths.md").read_text(encoding="utf-8")
HEAD = "spec: causalvae/v1\nname: page\n"
GRAPH = (
    "graph: {factors: [shape, scale, orientation, x, y], attributes: {area: {readout: area}}, edges: [scale -> area]}\n"
)


def test_specs_of_the_page_are_valid() -> None:
    whole, edges = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    spec, findings = parse_spec(HEAD + GRAPH + whole)
    assert not findings
    assert spec is not None
    assert len(spec.interventions) == 4
    (path,) = re.findall(r"`(path: \[encoder[^`]*)`", PAGE)
    for way in (path, "edges:" + edges.removeprefix("edges:").replace("\n", "\n      ")):
        last = "  - name: more\n    mediation:\n      treatment: resize\n      outcomes: [area]\n      "
        spec, findings = parse_spec(HEAD + GRAPH + whole + last + way)
        assert not findings, way
