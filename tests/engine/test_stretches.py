"""Large values are re-run a few rows at a time: the same numbers, whatever is computed together."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from causalvae.engine import stretches as stretches_module
from causalvae.engine import suffix as suffix_module
from causalvae.engine.changes import Whole
from causalvae.engine.lowering import lower
from causalvae.engine.memory import BatchSize
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.rules import _single_channels
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.stretches import Stretch, stretches
from causalvae.engine.suffix import Suffix
from causalvae.engine.workers import single_threaded_kernels
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.plan.types import Arm, Patch
from causalvae.spec.value_source import make_source

ROWS, SIDE = 21, 64
SITES = ("encoder.conv", "encoder.norm", "latent", "decoder.grow", "decoder.conv1", "decoder.norm2", "decoder.gate")


class Encoder(nn.Module):
    """Large images, then a product whose rounding depends on the number of rows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(4, 8)
        self.down = nn.Conv2d(8, 8, 4, stride=4)
        self.head = nn.Linear(8 * 16 * 16, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm(self.conv(x)))
        return self.head(F.gelu(self.down(x)).flatten(1))


class Decoder(nn.Module):
    """Small images that become large; values that several operations read, a gate, a division by one, a dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.grow = nn.Linear(4, 24 * 8 * 8)
        self.conv1, self.norm1 = nn.Conv2d(24, 24, 3, padding=1), nn.GroupNorm(4, 24)
        self.conv2, self.norm2 = nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24)
        self.gate, self.drop = nn.Conv2d(24, 24, 1), nn.Dropout(0.5)
        self.last = nn.ConvTranspose2d(24, 1, 4, stride=2, padding=1)
        self.norm2.running_mean.uniform_(-1, 1)
        self.norm2.running_var.uniform_(0.5, 2)

    def forward(self, z: Tensor) -> Tensor:
        x = self.grow(z).unflatten(1, (24, 8, 8))
        x = F.interpolate(x, scale_factor=4, mode="nearest")
        x = (x + self.conv2(F.silu(self.norm1(self.conv1(x))))) / 1.0
        y = self.drop(self.norm2(x))
        return self.last(torch.sigmoid(self.gate(y)) * y + x.mean((2, 3), keepdim=True))


@cache
def model() -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = VAE(Encoder(), Decoder(), 4, (1, SIDE, SIDE))
    return assemble(vae.eval(), False, "large", {})


@cache
def shard() -> ShardInputs:
    generator = torch.Generator().manual_seed(2)
    sides = {side: torch.rand((ROWS, 1, SIDE, SIDE), generator=generator) for side in ("base", "counterfactual")}
    return ShardInputs("c", 0, sides, torch.zeros(ROWS, 4))


def outputs(site: str, rows: int, shortcuts: Shortcuts | None = None) -> Tensor:
    """(arms, rows, ...): interchange of the first units, and of the whole site."""
    swap = make_source("interchange")
    arms = [Arm("c", "base", (Patch(site, units, swap),), ROWS) for units in ((0,), (1,), (2,), None)]
    graph = lower(model().graph)
    clean = run_clean(graph, shard())
    group = Group(graph, model().components, arms, clean, {}, [ROWS] * len(arms), shortcuts or Shortcuts())
    result = clean.sides["base"][graph.outputs["output"]].expand(len(arms), *[-1] * 4).clone()
    for batch in group.batches(group.live(), BatchSize(rows)):
        result[batch.arms, batch.pairs] = batch.output
    return result


def undivided(graph: object, operations: tuple[object, ...], ends: frozenset[str]) -> tuple[Stretch, ...]:
    found = stretches(graph, operations, ends)  # type: ignore[arg-type]
    return tuple(Stretch(stretch.operations, 0, stretch.kept) for stretch in found)


@pytest.mark.parametrize("site", SITES)
@torch.inference_mode()
def test_divided_and_undivided_rows_have_equal_outputs(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with single_threaded_kernels():
        together, apart = outputs(site, 64), outputs(site, 32)
        assert torch.equal(together, apart)
        monkeypatch.setattr(suffix_module, "stretches", undivided)
        assert torch.equal(together, outputs(site, 64))


@pytest.mark.parametrize("site", SITES)
@torch.inference_mode()
def test_outputs_are_those_of_the_network_with_a_hook(site: str) -> None:
    found = outputs(site, 64)
    network, at = model().vae, site if site != "latent" else "encoder.head"
    module, follows = network.get_submodule(at), {"encoder.norm": F.silu, "decoder.gate": torch.sigmoid}.get(site)
    kept: list[Tensor] = []
    handle = module.register_forward_hook(lambda module, given, value: kept.append(value.clone()))
    network(shard().sides["counterfactual"])
    handle.remove()
    # A site is the value after the activation that follows; a channel may as well be replaced before it.
    assert follows is None or torch.isfinite(follows(kept[0])).all()
    for arm, unit in enumerate((0, 1, 2, slice(None))):
        if site == "latent" and unit == slice(None):
            unit = slice(0, 4)

        def patch(module: nn.Module, given: object, value: Tensor, unit: int | slice = unit) -> Tensor:
            value = value.clone()
            value[:, unit] = kept[0][:, unit]
            return value

        handle = module.register_forward_hook(patch)
        expected = network(shard().sides["base"])
        handle.remove()
        torch.testing.assert_close(found[arm], expected, rtol=0, atol=2e-6)


def test_only_large_values_are_divided_and_products_are_not() -> None:
    graph = lower(model().graph)
    node = model().components.site("encoder.conv").node
    ends = {"output": graph.outputs["output"]}
    parts = Suffix(graph, (node,), ends, from_input=False, windows=True)._stretches
    assert [part.rows > 0 for part in parts] == [True, False, True]
    assert all(16 <= part.rows <= 64 for part in parts if part.rows)
    functions = [{str(operation.function) for operation in part.operations} for part in parts]
    assert ["aten.linear.default" in names for names in functions] == [False, True, False]


@torch.inference_mode()
def test_fewer_rows_than_a_batch_are_computed_of_large_values(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    evaluate = Suffix._evaluate

    def watch(self: Suffix, operation: object, changes: object, others: object, clean: object, pairs: Tensor) -> object:
        computed.append(len(pairs))
        return evaluate(self, operation, changes, others, clean, pairs)  # type: ignore[arg-type]

    swap = make_source("interchange")
    graph = lower(model().graph)
    arms = [Arm("c", "base", (Patch("decoder.norm2", None, swap),), 5)]
    clean = run_clean(graph, shard())
    monkeypatch.setattr(Suffix, "_evaluate", watch)
    monkeypatch.setattr(stretches_module, "_WANTED", 2**20)
    group = Group(graph, model().components, arms, clean, {}, [5], Shortcuts())
    (batch,) = group.batches(group.live(), BatchSize(64))
    assert len(batch.output) == 5
    assert set(computed) == {16}


class Residual(nn.Module):
    """A value that is read again after a dropout and an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.last = nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 6)

    def forward(self, z: Tensor) -> Tensor:
        x = self.first(z)
        return self.last(x + F.relu(self.drop(x)))


@torch.inference_mode()
def test_what_a_dropout_passes_on_is_not_overwritten() -> None:
    aten, rows = torch.ops.aten, 32
    model = assemble(VAE(nn.Linear(6, 4), Residual(), 2, (6,)).eval(), False, "residual", {})
    captured = lower(model.graph)
    operations = [
        replace(operation, function=aten.dropout.default, args=(*operation.args[:1], 0.5, False), kwargs={})
        if operation.function is aten.clone.default
        else operation
        for operation in captured.operations
    ]
    graph = captured.rewritten(operations, captured.parameters)
    assert any(operation.function is aten.dropout.default for operation in graph.operations)
    site, end = model.components.site("latent").node, graph.outputs["output"]
    z = torch.randn((rows, 2), generator=torch.Generator().manual_seed(0))
    suffix = Suffix(graph, (site,), {"output": end}, from_input=False, windows=True)
    clean = {end: torch.zeros(rows, 6)}
    found = suffix.run({site: lambda value, some: Whole(z[some])}, clean, torch.arange(rows))["output"]
    torch.testing.assert_close(found, model.vae.decode(z), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [5, 40])
@torch.inference_mode()
def test_a_few_channels_of_a_row_round_alike_with_any_other_rows(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    # (channels in, kernel, channels out); two channels are changed in each row.
    weight = torch.randn((6, 3, 3, 4), generator=generator)
    moved = torch.randn((32, 2, size + 2, size + 2), generator=generator)
    units, given = torch.tensor([[0, 1]]).expand(32, 2), ((1, 1), (1, 1), ((0, size), (0, size)))
    found = _single_channels(moved, weight, units, *given)
    exact = F.conv2d(moved.double(), weight[:2].permute(3, 0, 1, 2).double())
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-5)
    # The same row among rows of other units: one at a time, and two at a time.
    for length in (1, 2):
        mixed = (torch.arange(32)[:, None] // length % 3 * 2 + torch.arange(2)) % 6
        again, mine = _single_channels(moved, weight, mixed, *given), mixed[:, 0] == 0
        assert int(mine.sum()) > 4 and torch.equal(again[mine], found[mine])
