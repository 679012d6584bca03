"""`graph`: the declared graph, read back by the programs that it is for."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from pgmpy.base import DAG

from causalvae.graph.exchange import SharedGraph
from causalvae.spec import parse_spec
from tests.spec.faults import GOOD

# pgmpy and pydot use old names of pyparsing.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    text = GOOD.replace("    - scale -> area\n", "    - scale -> area\n    - x -> y\n")
    alignment = "alignment: {alpha: 0.05, correction: holm}\n"
    path.write_text(text.replace(alignment, alignment[:-2] + ", rivals: {other: [x -> area]}}\n"))
    return path


def edges_of(spec: Path) -> set[tuple[str, str]]:
    found = parse_spec(spec.read_text())[0]
    assert found is not None
    return set(found.graph.edge_pairs)


def test_networkx_reads_graphml(invoke: Any, spec: Path) -> None:
    done = invoke("graph", spec, "--format", "graphml")
    graph = nx.read_graphml(io.BytesIO(done.stdout.encode()))
    assert set(graph.edges) == edges_of(spec)
    assert graph.nodes["scale"] == {"role": "factor", "mapping": "latent[3]"}
    assert graph.nodes["area"]["role"] == "attribute"
    assert set(graph.nodes) == {"shape", "scale", "orientation", "x", "y", "area", "centroid_x", "centroid_y", "heart"}


def test_pgmpy_reads_dagitty(invoke: Any, spec: Path) -> None:
    text = invoke("graph", spec, "--format", "dagitty").stdout
    graph = DAG.from_dagitty(text)
    assert {(str(cause).strip('"'), str(effect).strip('"')) for cause, effect in graph.edges} == edges_of(spec)
    assert '"scale" [exposure]' in text and '"area" [outcome]' in text


def test_dot_has_every_node_and_edge(invoke: Any, spec: Path) -> None:
    text = invoke("graph", spec).stdout
    pydot = pytest.importorskip("pydot")
    (graph,) = pydot.graph_from_dot_data(text)
    assert {
        (edge.get_source().strip('"'), edge.get_destination().strip('"')) for edge in graph.get_edges()
    } == edges_of(spec)
    assert len(graph.get_nodes()) == 9
    if shutil.which("dot"):
        assert subprocess.run(["dot", "-Tsvg"], input=text, text=True, capture_output=True).returncode == 0


def test_a_rival_and_a_file(invoke: Any, spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "graph.graphml"
    assert invoke("graph", spec, "-f", "graphml", "--rival", "other", "--out", out).exit_code == 0
    assert set(nx.read_graphml(out).edges) == {("x", "area")}
    done = invoke("graph", spec, "--rival", "others")
    assert done.exit_code == 3 and "CV439" in done.stderr and "It has other" in done.stderr
    assert json.loads(invoke("graph", spec, "--json").stdout)["format"] == "dot"


def test_names_are_quoted() -> None:
    graph = SharedGraph('a"; b -> c', {"x-1": "factor", "y": "attribute"}, [("x-1", "y")], {"y": ('latent["\\]',)})
    assert 'digraph "a\\"; b -> c" {' in graph.write("dot")
    assert '"x-1" -> "y"' in graph.write("dagitty")
    read = nx.read_graphml(io.BytesIO(graph.write("graphml").encode()))
    assert set(read.edges) == {("x-1", "y")}
