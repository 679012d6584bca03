"""Networks of one structure are traced once; anything else that a trace depends on makes another structure."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from causalvae.models import capture as capturing
from causalvae.models.capture import capture
from causalvae.models.structure import structure_of

X = (torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),)
SLOPE = {"now": 1.0}


class Small(nn.Module):
    def __init__(self, power: int = 2, tied: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.power = power
        self.first, self.second = nn.Linear(4, 4, bias=bias), nn.Linear(4, 4, bias=bias)
        if tied:
            self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (SLOPE["now"] * self.second(torch.tanh(self.first(x))) ** self.power,)


class Constant(Small):
    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.ones(4)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.first(x + self.shift),)


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """The networks that are traced, with nothing captured before."""
    seen: list[nn.Module] = []
    trace = capturing._traced

    def traced(network: nn.Module, *rest: object) -> object:
        seen.append(network)
        return trace(network, *rest)

    monkeypatch.setattr(capturing, "_traced", traced)
    monkeypatch.setattr(capturing, "_captured", {})
    return seen


def test_another_network_of_the_same_structure_is_not_traced(traces: list[nn.Module]) -> None:
    networks = [Small(), Small()]
    graphs = [capture(network, X, ("y",)) for network in networks]
    assert traces == networks[:1]
    for network, graph in zip(networks, graphs, strict=True):
        with torch.no_grad():
            assert torch.equal(graph.run(*X)[graph.outputs["y"]], network(*X)[0])
    assert graphs[1].parameters.keys() == graphs[0].parameters.keys()
    (kept,) = capturing._captured.values()
    assert not kept.parameters.keys() & kept.origins.keys()


@pytest.mark.parametrize("other", [Small(3), Small(tied=True), Small(bias=False), Small().double(), Constant()])
def test_what_differs_is_another_structure(other: nn.Module) -> None:
    first = structure_of(Small(), X)
    assert first is not None and first == structure_of(Small(), X)
    assert first != structure_of(other, X)
    assert first != structure_of(Small(), (X[0][:2],))


def test_what_cannot_be_compared_is_traced_each_time(traces: list[nn.Module]) -> None:
    hooked = Small()
    hooked.first.register_forward_hook(lambda *given, by=X: None if by is X else given)
    assert structure_of(Constant(), X) is None
    for network in (Constant(), Constant(), hooked):
        capture(network, X, ("y",))
    assert len(traces) == 3


def test_a_graph_that_does_not_give_the_network_s_values_is_traced_anew(
    traces: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    capture(Small(), X, ("y",))
    monkeypatch.setitem(SLOPE, "now", math.pi)
    network = Small()
    graph = capture(network, X, ("y",))
    assert len(traces) == 2
    with torch.no_grad():
        assert torch.equal(graph.run(*X)[graph.outputs["y"]], network(*X)[0])


def test_only_so_many_are_kept(traces: list[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capturing, "_MOST_CAPTURED", 2)
    for power in (1, 2, 3, 2, 1):
        capture(Small(power), X, ("y",))
    assert [network.power for network in traces] == [1, 2, 3, 1]
