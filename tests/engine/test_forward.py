"""Forward passes, products and layouts of the engine against PyTorch's own."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from causalvae.engine.forward import run_forward
from causalvae.engine.lowering import lower
from causalvae.engine.outcomes import sum_rows
from causalvae.engine.products import linear
from causalvae.models.loading import Model, assemble
from causalvae.models.operators import OperatorGraph
from causalvae.models.vae import VAE


class Encoder(nn.Module):
    """Images whose values are larger than what is computed at once, and a scale that depends on no input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8)
        self.head = nn.Linear(8 * 16 * 16, 8)
        self.scale = nn.Parameter(torch.rand(8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm(self.conv(x))) * self.scale.exp() + torch.ones(x.shape[0], 1, 1, 1)
        return self.head(F.avg_pool2d(x, 4).flatten(1))


class Decoder(nn.Module):
    """A vector as an image, two of which are joined before a convolution reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 6 * 16), nn.Linear(4, 6 * 16)
        self.merge, self.last = nn.Conv2d(12, 6, 3, padding=1), nn.ConvTranspose2d(6, 1, 4, stride=4)

    def forward(self, z: Tensor) -> Tensor:
        left, right = (F.relu(layer(z)).unflatten(1, (6, 4, 4)) for layer in (self.left, self.right))
        together = torch.cat([F.interpolate(left, scale_factor=4.0), F.interpolate(right, scale_factor=4.0)], 1)
        return self.last(self.merge(together))


@pytest.fixture(scope="module")
def model() -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return assemble(VAE(Encoder(), Decoder(), 4, (1, 64, 64)).eval(), False, "pair", {})


@torch.inference_mode()
@pytest.mark.parametrize("rows", [5, 32])
def test_a_forward_pass_has_the_values_of_the_captured_graph(model: Model, rows: int) -> None:
    graph = lower(model.graph)
    assert isinstance(graph, OperatorGraph) and isinstance(model.graph, OperatorGraph)
    values = torch.rand((32, 1, 64, 64), generator=torch.Generator().manual_seed(1)), torch.zeros(32, 4)
    expected = model.graph.run(*values)
    everything = run_forward(graph, values, rows, None)
    kept = frozenset(name for name in graph.by_name if graph.aligned(name) and name in expected)
    some = run_forward(graph, values, rows, sorted(kept)[::3])
    assert {*graph.outputs.values(), *sorted(kept)[::3]} == set(some)
    for name in kept:
        torch.testing.assert_close(everything[name][:rows], expected[name][:rows], rtol=1e-5, atol=1e-5)
        if name in some:
            assert torch.equal(some[name][:rows], everything[name][:rows])


def test_images_made_of_vectors_lie_channels_last_where_a_convolution_reads_them(model: Model) -> None:
    graph = lower(model.graph)
    assert isinstance(graph, OperatorGraph)
    copies = [operation for operation in graph.operations if operation.name.endswith(".last")]
    assert len(copies) == 2
    assert all(graph.by_name[name].shape == (6, 4, 4) for copy in copies for name in (copy.name, *copy.inputs))
    values = torch.rand(32, 1, 64, 64), torch.zeros(32, 4)
    (merge,) = (each for each in graph.operations if each.function is torch.ops.aten.cat.default)
    with torch.inference_mode():
        joined = run_forward(graph, values, 32, [merge.name])[merge.name]
    assert joined.is_contiguous(memory_format=torch.channels_last) and not joined.is_contiguous()


@pytest.mark.parametrize("shape", [(64, 64), (3, 5), (300, 40)])
@torch.inference_mode()
def test_a_product_does_not_depend_on_the_number_of_rows(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(shape, generator=generator), torch.randn(shape[0], generator=generator)
    x = torch.randn((64, shape[1]), generator=generator)
    found = linear(x, weight, bias)
    torch.testing.assert_close(found, F.linear(x, weight, bias), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(linear(x[:rows], weight, bias), found[:rows]) for rows in (16, 32, 48))
    tokens = linear(x.view(4, 16, -1), weight)
    torch.testing.assert_close(tokens, F.linear(x, weight).view(4, 16, -1), rtol=1e-5, atol=1e-5)
    one = linear(x[:1], weight, bias)
    torch.testing.assert_close(one, found[:1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inputs", [32, 128, 256, 1024, 2000])
@torch.inference_mode()
def test_a_product_rounds_as_pytorch_does(inputs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn((256, inputs), generator=generator) for _ in range(2))
    exact = x.double() @ weight.double().T
    own, theirs = ((found - exact).square().mean().sqrt() for found in (linear(x, weight), F.linear(x, weight)))
    assert own <= 1.05 * theirs


@pytest.mark.parametrize("length", [7, 1024, 2000, 12_288])
def test_sums_of_rows_are_exact_to_a_rounding_in_any_batch(length: int) -> None:
    values = torch.randn((40, length), generator=torch.Generator().manual_seed(0))
    found = sum_rows(values)
    error = (found - values.double().sum(1)).abs() / values.double().abs().sum(1)
    assert float(error.max()) < 6e-8
    assert torch.equal(torch.cat([sum_rows(part) for part in values.split(7)]), found)


@torch.inference_mode()
def test_a_graph_is_freed_with_its_forward_passes(model: Model) -> None:
    graph = lower(model.graph)
    assert isinstance(graph, OperatorGraph)
    run_forward(graph, (torch.zeros(2, 1, 64, 64), torch.zeros(2, 4)), 2, ())
    kept = weakref.ref(graph)
    del graph
    gc.collect()
    assert kept() is None
