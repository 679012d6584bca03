"""The causal layer against structural equations solved by hand, and the soft interventions of guides."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from causalvae.models.loading import Model, assemble
from causalvae.models.operators import evaluate
from causalvae_neighbours.grace.causal_layer import CausalLayer, PerturbationEncoder
from causalvae_neighbours.grace.network import causal_layer_of, grace_vae

F = {"linear": lambda z: z, "relu": lambda z: max(z, 0.0), "tanh": math.tanh}


def layer_with(weights: list[list[float]], mechanism: str = "linear", directions: Tensor | None = None) -> CausalLayer:
    """A layer whose node j has the given weights of the nodes before it."""
    layer = CausalLayer(len(weights), mechanism, directions)
    with torch.no_grad():
        for node, column in zip(layer.nodes, weights, strict=True):
            node.weights.copy_(torch.tensor(column).reshape(-1, 1))
    return layer


def test_three_nodes_by_hand() -> None:
    # z0 = 1; z1 = 2 + 0.5 * 1 = 2.5; z2 = -1 - 1 * 1 + 2 * 2.5 = 3
    layer = layer_with([[], [0.5], [-1.0, 2.0]])
    assert layer(torch.tensor([[1.0, 2.0, -1.0]])).tolist() == [[1.0, 2.5, 3.0]]
    # With rectified parents: z0 = -1; z1 = 2 + 0.5 * 0 = 2; z2 = -1 - 1 * 0 + 2 * 2 = 3
    layer = layer_with([[], [0.5], [-1.0, 2.0]], "relu")
    assert layer(torch.tensor([[-1.0, 2.0, -1.0]])).tolist() == [[-1.0, 2.0, 3.0]]


def test_a_linear_layer_inverts_one_minus_its_matrix() -> None:
    torch.manual_seed(0)
    layer = CausalLayer(5)
    with torch.no_grad():
        for node in layer.nodes:
            node.weights.normal_()
    u = torch.randn(7, 5)
    a = layer.adjacency()
    assert torch.equal(a, a.triu(1))
    assert torch.allclose(layer(u), u @ torch.linalg.inv(torch.eye(5) - a), atol=1e-4)


@pytest.mark.parametrize("mechanism", ["linear", "relu", "tanh"])
def test_replacing_a_node_is_a_do_on_the_structural_equations(mechanism: str) -> None:
    torch.manual_seed(1)
    layer = CausalLayer(5, mechanism)
    with torch.no_grad():
        for node in layer.nodes:
            node.weights.normal_()
    u = torch.randn(4, 5)
    a, f = layer.adjacency().tolist(), F[mechanism]
    for chosen in range(5):
        hook = layer.nodes[chosen].register_forward_hook(lambda *_: torch.full((4, 1), 1.7))
        found = layer(u)
        hook.remove()
        for row in range(4):
            z: list[float] = []
            for j in range(5):
                made = float(u[row, j]) + sum(a[i][j] * f(z[i]) for i in range(j))
                z.append(1.7 if j == chosen else made)
            assert found[row].tolist() == pytest.approx(z, abs=1e-5)


def test_setting_noise_node_and_latent_are_three_different_things() -> None:
    """Through the captured network, as the engine patches it: do(u_1), do(z_1) inside the layer, the decoder's z_1."""
    model = _model()
    layer = causal_layer_of(model.vae)
    x, noise = torch.rand((3, 6), generator=torch.Generator().manual_seed(2)), torch.zeros(3, 3)
    u = model.vae.encode(x).mean
    clean = layer(u)

    z = _patched(model, "latent_layer.nodes.1", torch.full((3, 1), 2.0), x, noise)
    expected = torch.stack([u[:, 0], torch.full((3,), 2.0), u[:, 2] - u[:, 0] + 2.0 * 2.0], 1)
    assert torch.allclose(z, expected, atol=1e-6)

    changed = u.clone()
    changed[:, 1] = 2.0
    z = _patched(model, "latent.exogenous", changed, x, noise)
    assert torch.allclose(z, layer(changed), atol=1e-6)
    assert torch.allclose(z[:, 1], 2.0 + 0.5 * u[:, 0], atol=1e-6)

    held = clean.clone()
    held[:, 1] = 2.0
    z = _patched(model, "latent", held, x, noise)
    assert torch.allclose(z[:, 2], clean[:, 2])


def _model() -> Model:
    torch.manual_seed(4)
    vae = grace_vae(torch.zeros(6, 6), 3, torch.ones(2))
    with torch.no_grad():
        layer = causal_layer_of(vae)
        layer.nodes[1].get_parameter("weights").copy_(torch.tensor([[0.5]]))
        layer.nodes[2].get_parameter("weights").copy_(torch.tensor([[-1.0], [2.0]]))
    return assemble(vae, False, "tiny", {})


def _patched(model: Model, site: str, value: Tensor, x: Tensor, noise: Tensor) -> Tensor:
    """The latent where a site's value is replaced: everything downstream of it is run again."""
    node = model.components.site(site).node
    clean = model.graph.run(x, noise)
    latent = model.graph.outputs["latent"]
    if node == latent:
        return value
    environment = {**clean, node: value}
    for operation in model.graph.between([node], [latent]):
        if operation.name != node:
            environment[operation.name] = evaluate(operation, environment, len(x))
    return environment[latent]


def test_a_soft_intervention_scales_and_shifts_one_mechanism() -> None:
    layer = layer_with([[], [0.5], [-1.0, 2.0]])
    u = torch.tensor([[1.0, 2.0, -1.0]])
    scale, shift = torch.tensor([[1.0, 0.5, 1.0]]), torch.tensor([[0.0, 3.0, 0.0]])
    # z1 = 0.5 * (2 + 0.5 * 1) + 3 = 4.25; z2 = -1 - 1 + 2 * 4.25 = 6.5
    assert layer(u, scale, shift).tolist() == [[1.0, 4.25, 6.5]]
    assert torch.equal(layer(u, torch.ones(1, 3), torch.zeros(1, 3)), layer(u))


def test_guides_of_one_cell_multiply_and_add() -> None:
    encoder = PerturbationEncoder(torch.tensor([1.0, -1.0, 1.0]), 2)
    with torch.no_grad():
        # A softmax of (log 3, 0) is (3/4, 1/4); softplus(log(e^2 - 1)) is 2.
        encoder.logits.copy_(torch.tensor([[math.log(3.0), 0.0], [0.0, math.log(3.0)], [0.0, 0.0]]))
        encoder.raw_shift.fill_(math.log(math.exp(2.0) - 1.0))
        encoder.log_scale.copy_(torch.tensor([math.log(0.2), 0.0, 0.0]))
    assert torch.allclose(encoder.targets(), torch.tensor([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]]))
    scale, shift = encoder(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]))
    assert torch.allclose(scale, torch.tensor([[1.0, 1.0], [0.4, 0.8], [0.4, 0.8]]))
    assert torch.allclose(shift, torch.tensor([[0.0, 0.0], [1.5, 0.5], [1.0, -1.0]]), atol=1e-6)
    sharp = encoder.targets(temperature=20.0)
    assert float(sharp[0, 0].detach()) > 0.999999


def test_randomising_draws_a_layer_anew() -> None:
    layer = layer_with([[], [5.0]], directions=torch.ones(1))
    for module in layer.modules():
        if module is not layer and hasattr(module, "reset_parameters"):
            module.reset_parameters()
    assert float(layer.adjacency().detach().abs().max()) < 1.0
    assert isinstance(layer.perturbations, nn.Module) and layer.guides == 1
