"""Graphs of the shipped networks that are stored with the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from causalvae.models import capture as capturing
from causalvae.models.capture import capture, trace
from causalvae.models.stored_graphs import FOLDER, find_stored, graph_key, stored_text
from causalvae.models.structure import structure_of

_GENERATED = Path(__file__).parents[2] / "docs" / "generated.py"
X = torch.linspace(-1.0, 1.0, 12).reshape(3, 4)


class _Own(nn.Module):
    """A network of a user."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x.flatten(1) * 2.0,)


def _layers() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.Softplus(), nn.Unflatten(1, (1, 3))).eval()


def _named(network: nn.Module) -> nn.Module:
    class Tuple(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return (self.inner(x),)

    return Tuple().eval()


def test_the_stored_graphs_are_what_a_trace_gives() -> None:
    spec = importlib.util.spec_from_file_location("generated", _GENERATED)
    assert spec is not None and spec.loader is not None
    generated = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generated)
    found = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert found == generated.shipped_graphs()


def test_a_stored_graph_is_read_as_it_was(tmp_path: Path) -> None:
    network = _named(_layers())
    graph = trace(network, (X,), ("y",))
    text = stored_text(graph)
    assert text is not None
    (tmp_path / "one.json").write_text(text, encoding="utf-8")
    again = find_stored("one", tmp_path)
    assert again is not None and again.outputs == graph.outputs and again.inputs == graph.inputs
    for before, after in zip(graph.operations, again.operations, strict=True):
        sizes = [None if each.size is None else [each.size(rows) for rows in (1, 5)] for each in (before, after)]
        assert sizes[0] == sizes[1]
        fields = ("name", "function", "args", "kwargs", "inputs", "batched", "aligned", "calls", "shape", "flops")
        assert all(getattr(before, name) == getattr(after, name) for name in fields), before.name
    other = _named(_layers())
    with torch.inference_mode():
        found = again.with_weights_of(other).run(X[:2])[again.outputs["y"]]
        assert torch.equal(found, other(X[:2])[0])
    assert find_stored("another", tmp_path) is None


def test_a_graph_with_constants_is_not_stored() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return (x + torch.tensor([1.0, 2.0, 3.0, 4.0]),)

    assert stored_text(trace(Constant().eval(), (X,), ("y",))) is None


def test_no_graph_is_looked_up_for_code_of_a_user() -> None:
    structure = structure_of(_Own().eval(), (X,))
    assert structure is not None and graph_key(structure, ("y",)) is None
    assert graph_key(structure_of(_layers(), (X,)), ("y",)) is not None
    assert graph_key(structure_of(_layers(), (X,)), ("y",)) != graph_key(structure_of(_layers(), (X,)), ("z",))


def test_a_stored_graph_of_another_network_is_traced_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong file costs time and no number."""
    network = _named(nn.Sequential(nn.Linear(4, 4), nn.Tanh()).eval())
    wrong = trace(_named(nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval()), (X,), ("y",))
    monkeypatch.setattr(capturing, "_captured", {})
    monkeypatch.setattr(capturing, "_stored", lambda structure, outputs: wrong.without_weights())
    graph = capture(network, (X,), ("y",))
    with torch.inference_mode():
        assert torch.equal(graph.run(X)[graph.outputs["y"]], network(X)[0])
