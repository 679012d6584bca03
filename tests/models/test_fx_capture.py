"""Symbolic tracing: what it takes, as which operations, and what it refuses rather than take wrongly."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from causalvae.errors import CausalVAEError
from causalvae.models.capture import capture
from causalvae.models.fx_capture import capture_by_fx
from causalvae.models.network import OUTPUTS, AnalysedNetwork
from causalvae.models.operators import ACTIVATIONS, OperatorGraph
from causalvae.models.sites import find_sites
from tests.models.fixtures import FIXTURES, LATENTS, make_vae

ATEN = torch.ops.aten
# Numbers made from the batch size by a function that takes no tensor cannot be traced.
TRACED = [name for name in FIXTURES if name != "batch-sized"]


class Net(nn.Module):
    """Two layers, and between them whatever a test wants."""

    def __init__(self, between: Callable[[Tensor], Tensor], width: int = 6) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.last = nn.Linear(width, 3)
        self.between = between

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.last(self.between(self.first(x))),)


def traced(between: Callable[[Tensor], Tensor], width: int = 6) -> tuple[Net, OperatorGraph]:
    torch.manual_seed(0)
    network = Net(between, width).requires_grad_(False)
    return network, capture_by_fx(network, (0.1 * torch.randn(3, 4),), ("y",), (torch.randn(8, 4),))


def assert_same(network: nn.Module, graph: OperatorGraph, shape: tuple[int, ...] = (4,)) -> None:
    for rows in (1, 2, 3, 9):
        x = torch.randn((rows, *shape), generator=torch.Generator().manual_seed(rows))
        with torch.inference_mode():
            (expected,) = network(x.clone())
            assert torch.equal(graph.run(x)[graph.outputs["y"]], expected), rows


def example_of(name: str, rows: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows)
    return (
        torch.randn((rows, *FIXTURES[name].shape), generator=generator),
        torch.randn((rows, LATENTS), generator=generator),
    )


@pytest.mark.parametrize("name", TRACED)
def test_a_traced_graph_is_the_exported_one_in_sites_values_and_cost(name: str) -> None:
    network = AnalysedNetwork(make_vae(name), True).requires_grad_(False)
    graph, exported = (way(network, example_of(name, 3), OUTPUTS) for way in (capture_by_fx, capture))
    mine, theirs = (find_sites(known, LATENTS, "m") for known in (graph, exported))
    assert [(s.name, s.stage, s.kind, s.shape, s.is_leaf) for s in mine.sites] == [
        (s.name, s.stage, s.kind, s.shape, s.is_leaf) for s in theirs.sites
    ]
    # Torch's own formulas count a bias and a view otherwise than the export's reading does.
    assert graph.flops == pytest.approx(exported.flops, rel=0.06)
    assert (graph.how, exported.how) == ("fx", "export")
    for rows in (1, 2, 17):
        inputs = example_of(name, rows)
        with torch.inference_mode():
            values, expected = graph.run(*inputs), exported.run(*inputs)
            for output, own in zip(OUTPUTS, network(*inputs), strict=True):
                assert torch.equal(values[graph.outputs[output]], own), (output, rows)
            for site in mine.sites:
                assert torch.equal(values[site.node], expected[theirs.site(site.name).node]), site.name


def _skip_then_write(x: Tensor) -> Tensor:
    before = x
    x += 1
    return before * x


def _write_on_a_part(x: Tensor) -> Tensor:
    x[:, 1:3] = x[:, :2] * 2
    return x


def _write_through_a_view(x: Tensor) -> Tensor:
    x.view(-1, 2, 3).mul_(2)
    return x


def _keep_a_view(x: Tensor) -> Tensor:
    part = x[:, :2]
    x.relu_()
    return torch.cat([x[:, 2:], part], 1)


def _leave_a_view(x: Tensor) -> Tensor:
    part = x[:, :2]
    y = part + 1
    x.relu_()
    return torch.cat([x[:, 2:], y], 1)


def _write_twice_under_a_view(x: Tensor) -> Tensor:
    view = x.view(-1, 6)
    x.relu_()
    x.add_(1)
    return x * view


WRITING = {
    "method": lambda x: x.relu_(),
    "statement": lambda x: (x.mul_(2), x)[1],
    "argument": lambda x: (F.leaky_relu(x, 0.1, True), x)[1],
    "keyword": lambda x: (F.elu(x, inplace=True), x * 2)[1],
    "function": lambda x: (torch.sigmoid_(x), x)[1],
    "same value under two names": _skip_then_write,
    "part": _write_on_a_part,
    "view that is read no more": _leave_a_view,
    "dropout's input": lambda x: (F.dropout(x, 0.5, False).relu_(), 1)[0],
}


@pytest.mark.parametrize("how", WRITING)
def test_writing_in_place_is_followed_and_overwrites_no_kept_value(how: str) -> None:
    network, graph = traced(WRITING[how])
    assert_same(network, graph)
    x = torch.randn(5, 4)
    with torch.inference_mode():
        values = graph.run(x)
        assert torch.equal(values[find_first(graph)], network.first(x))


def find_first(graph: OperatorGraph) -> str:
    return next(operation.name for operation in graph.operations if operation.function is ATEN.linear.default)


@fx.wrap
def writes_unseen(x: Tensor) -> Tensor:
    x.clamp_(min=0)
    return x + 1


@fx.wrap
def draws(x: Tensor) -> Tensor:
    return x + torch.rand(())


@fx.wrap
def mixes_large_values(x: Tensor) -> Tensor:
    return x - x.mean(0) if float(x.abs().max()) > 0.8 else x


@fx.wrap
def mixes(x: Tensor) -> Tensor:
    return x - x.mean(0)


REFUSED = {
    "written through another view": (_write_through_a_view, "overwritten through another view"),
    "a view is read after the write": (_keep_a_view, "overwritten through another view"),
    "written twice": (_write_twice_under_a_view, "overwritten through another view"),
    "a function writes": (lambda x: (writes_unseen(x), x)[1], "writes on what it is given"),
    "draws": (draws, ""),
    "mixes rows": (mixes, "depends on the other inputs"),
    "mixes some rows": (lambda x: mixes_large_values(x) * 1, "depends on the other inputs"),
    "control flow": (lambda x: x if x.sum() > 0 else -x, "control flow"),
    "rows as an end": (lambda x: x[: x.shape[0]] * 1, "slice"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_followed_is_refused(what: str) -> None:
    between, said = REFUSED[what]
    with pytest.raises(CausalVAEError) as caught:
        traced(between)
    assert caught.value.code == "CV110"
    assert said in caught.value.message
    assert caught.value.remedy


def test_a_network_that_writes_on_its_parameters_or_has_hooks_is_refused() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 3)
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x: Tensor) -> tuple[Tensor]:
            self.calls.add_(1)
            return (self.last(x) + self.calls,)

    network = Counts().requires_grad_(False)
    with pytest.raises(CausalVAEError, match="writes on a parameter or buffer"):
        capture_by_fx(network, (torch.randn(3, 4),), ("y",))
    assert network.calls.item() == 0
    watched = Net(torch.relu)
    seen: list[object] = []
    watched.first.register_forward_hook(lambda module, given, output: seen.append(output))
    with pytest.raises(CausalVAEError, match="hooks"):
        capture_by_fx(watched, (torch.randn(3, 4),), ("y",))
    assert not seen


def test_symbols_that_forward_keeps_do_not_stay_on_the_network() -> None:
    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> tuple[Tensor]:
            self.kept = self.last(x)
            return (torch.sin(self.kept),)

    network = Keeps().requires_grad_(False)
    network(torch.randn(2, 4))
    assert_same(network, capture_by_fx(network, (torch.randn(3, 4),), ("y",)))
    assert type(network.kept) is Tensor


def _sized(x: Tensor) -> Tensor:
    rows, width = x.shape
    extra = x.new_ones(rows, 2).expand(x.size(0), 2)
    steps = x.reshape(rows * 3, width // 3).sum(1).view(x.size()[0], -1)
    return torch.cat([x * width**-0.5, extra, steps], 1)


def test_numbers_made_from_the_batch_size_follow_it() -> None:
    network, graph = traced(_sized, width=11)
    assert_same(network, graph)
    sizes = {operation.size(5) for operation in graph.operations if operation.size is not None}
    assert {5, 15} <= {size for size in sizes if isinstance(size, int)}
    by_name = graph.by_name
    assert all(not by_name[name].aligned for name in by_name if by_name[name].size is not None)
    merged = [operation for operation in graph.operations if operation.batched and not operation.aligned]
    assert [operation.function for operation in merged if operation.size is None], "values that merge the batch axis"


@fx.wrap
def swap_rows(x: Tensor) -> Tensor:
    return x.flip(0)


def test_a_value_in_another_order_of_rows_is_not_one_row_an_input() -> None:
    """Its shape does not tell; only that each row alone gives another value."""
    network, graph = traced(lambda x: swap_rows(swap_rows(x)))
    assert_same(network, graph)
    aligned = [graph.aligned(operation.name) for operation in graph.operations if "swap" in operation.name]
    assert aligned == [False, True]


def test_calls_become_the_operators_that_the_engine_has_rules_for() -> None:
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(2, 3, 4, stride=2, padding=1)
            self.act = nn.ReLU(inplace=True)
            self.up = nn.ConvTranspose2d(3, 5, 4, stride=(2, 2), padding=1)
            self.drop = nn.Dropout(0.3)
            self.gelu = nn.GELU(approximate="tanh")
            self.lin = nn.Linear(5 * 8 * 8, 7)

        def forward(self, x: Tensor) -> tuple[Tensor]:
            x = self.gelu(self.up(self.act(self.down(x)))) * 2
            return (F.softplus(self.lin(self.drop(x.reshape(-1, 320)).exp()), beta=2) + 0.5,)

    network = Layers().eval().requires_grad_(False)
    graph = capture_by_fx(network, (torch.rand(2, 2, 8, 8),), ("y",))
    assert_same(network, graph, (2, 8, 8))
    functions = [operation.function for operation in graph.operations if operation.function is not None]
    assert functions == [
        ATEN.conv2d.default, ATEN.relu.default, ATEN.conv_transpose2d.input, ATEN.gelu.default, ATEN.mul.Tensor,
        ATEN.reshape.default, ATEN.dropout.default, ATEN.exp.default, ATEN.linear.default, ATEN.softplus.default,
        ATEN.add.Tensor,
    ]  # fmt: skip
    exported = capture(network, (torch.rand(2, 2, 8, 8),), ("y",))
    for kind in (ATEN.conv2d.default, ATEN.conv_transpose2d.input, ATEN.linear.default):
        (mine,), (theirs,) = (
            [operation for operation in known.operations if operation.function is kind] for known in (graph, exported)
        )
        # The export leaves out what is the default.
        assert mine.args[3 : len(theirs.args)] == theirs.args[3:], kind
        assert mine.flops == pytest.approx(theirs.flops, rel=0.01)
    assert {ATEN.relu.default, ATEN.gelu.default, ATEN.softplus.default} <= ACTIVATIONS


class Whole(nn.Module):
    """A module of torch's that does not let itself be traced, between two layers."""

    def __init__(self, middle: nn.Module, is_recurrent: bool) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.middle = middle
        self.is_recurrent = is_recurrent
        self.last = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        x = self.first(x)
        if not self.is_recurrent:
            return (self.last(self.middle(x)),)
        steps = x.unsqueeze(1).expand(-1, 5, -1) * torch.arange(1.0, 6.0).unsqueeze(-1)
        if isinstance(self.middle, nn.MultiheadAttention):
            return (self.last(self.middle(steps, steps, steps)[0].sum(1)),)
        return (self.last(self.middle(steps)[0][:, -1]),)


WHOLE: dict[str, Callable[[], nn.Module]] = {
    "batch norm": lambda: Whole(nn.BatchNorm1d(6), False),
    "lstm": lambda: Whole(nn.LSTM(6, 6, num_layers=2, batch_first=True), True),
    "gru": lambda: Whole(nn.GRU(6, 6, batch_first=True, bidirectional=False), True),
    "attention": lambda: Whole(nn.MultiheadAttention(6, 2, batch_first=True), True),
}


def made(kind: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network = WHOLE[kind]().eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None and module.running_var is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network


@pytest.mark.parametrize("kind", WHOLE)
def test_modules_that_stay_whole_are_functions_of_their_weights(kind: str) -> None:
    network, other = made(kind, 0), made(kind, 1)
    graph = capture_by_fx(network, (torch.randn(3, 4),), ("y",))
    assert_same(network, graph)
    swapped = graph.with_weights_of(other)
    assert_same(other, swapped)
    assert_same(network, graph)
    assert any(call[0] == "middle" for operation in graph.operations for call in operation.calls)


@pytest.mark.parametrize("kind", WHOLE)
def test_threads_run_other_weights_beside_each_other(kind: str) -> None:
    networks = [made(kind, seed) for seed in range(4)]
    graph = capture_by_fx(networks[0], (torch.randn(3, 4),), ("y",))
    graphs = [graph.with_weights_of(network) for network in networks]
    x = torch.randn(6, 4)

    def run(turn: int) -> bool:
        which = turn % len(graphs)
        with torch.inference_mode():
            own = graphs[which].run(x)[graph.outputs["y"]]
            return torch.equal(own, networks[which](x)[0])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(80)))
