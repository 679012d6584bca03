"""The load-time check, on real pretrained networks where they are at hand; the faster last layer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalvae.data.dsprites import SPACE, render_levels
from causalvae.errors import CausalVAEError
from causalvae.models.burgess import burgess
from causalvae.models.check import check_model
from causalvae.models.kinds.checkpoint import CheckpointModel
from causalvae.models.likelihood import negative_log_likelihood
from causalvae.models.loading import load_model
from causalvae.models.subpixel import SubpixelConvTranspose2d, use_subpixel
from causalvae.models.vae import VAE, PosteriorLayout
from causalvae.models.weights import load_into, read_weights
from causalvae.spec.schema import PosteriorSection

PRETRAINED = Path(__file__).parents[3] / "shared" / "pretrained"
needs_pretrained = pytest.mark.skipif(not PRETRAINED.is_dir(), reason="the pretrained networks are not at hand")


@pytest.fixture(scope="module")
def sprites() -> Tensor:
    levels = SPACE.draw(256, np.random.default_rng(5))
    return torch.from_numpy(render_levels(levels))[:, None].float()


def pretrained(name: str, layout: PosteriorLayout) -> VAE:
    vae = burgess(layout=layout)
    load_into(vae, read_weights(f"{name}/model.pt", PRETRAINED))
    return vae


@needs_pretrained
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("VAE_dsprites", 11, 15), ("betaH_dsprites", 15, 60), ("factor_dsprites", 15, 60), ("btcvae_dsprites", 29, 36)],
)
def test_real_networks_reconstruct(name: str, low: float, high: float, sprites: Tensor) -> None:
    found = check_model(pretrained(name, "interleaved"), sprites)
    assert low < found.reconstruction < high
    assert found.reconstruction < 0.5 * found.mean_image
    assert 5 < found.kl < 60
    assert found.images == 256


@needs_pretrained
def test_a_real_network_equals_its_graph(sprites: Tensor) -> None:
    section = CheckpointModel(
        source="checkpoint", weights="btcvae_dsprites/model.pt", posterior=PosteriorSection(layout="interleaved")
    )
    model = load_model(section, PRETRAINED)
    with torch.inference_mode():
        for rows in (1, 2, 33):
            values = model.graph.run(sprites[:rows], torch.zeros(rows, 10), keep=[])
            assert torch.equal(values[model.graph.outputs["output"]], model.vae(sprites[:rows]))


@needs_pretrained
@pytest.mark.parametrize("name", ["VAE_dsprites", "btcvae_dsprites"])
def test_the_wrong_layout_is_caught(name: str, sprites: Tensor) -> None:
    with pytest.raises(CausalVAEError) as caught:
        check_model(pretrained(name, "chunk"), sprites)
    assert caught.value.code == "CV107"
    assert "layout: interleaved" in caught.value.remedy


def test_untrained_networks_are_caught(sprites: Tensor) -> None:
    torch.manual_seed(0)
    with pytest.raises(CausalVAEError) as caught:
        check_model(burgess(), sprites[:32])
    assert caught.value.code == "CV107"


def test_inputs_of_another_shape_are_caught() -> None:
    with pytest.raises(CausalVAEError) as caught:
        check_model(burgess(), torch.rand(2, 3, 64, 64))
    assert caught.value.code == "CV104"
    assert "(3, 64, 64)" in caught.value.message


class Noisy(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.1 * torch.randn_like(x))


def test_noise_inside_the_network_is_caught() -> None:
    vae = VAE(Noisy(4, 4), nn.Linear(2, 4), 2, (4,))
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae, torch.rand(8, 4))
    assert caught.value.code == "CV105"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_caught(value: float) -> None:
    vae = VAE(nn.Linear(4, 4), nn.Linear(2, 4), 2, (4,))
    with torch.no_grad():
        vae.encoder.bias[3] = value  # a log-variance, which the reconstruction does not show
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae, torch.rand(8, 4))
    assert caught.value.code == "CV106"
    assert "encoder.bias" in caught.value.message
    assert "weights" in caught.value.remedy


class Divides(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.nan


def test_what_is_not_finite_has_no_remedy_of_another_kind() -> None:
    with pytest.raises(CausalVAEError) as caught:
        check_model(VAE(nn.Linear(4, 4), Divides(2, 4), 2, (4,)), torch.rand(8, 4))
    assert caught.value.code == "CV106" and "untrained" not in caught.value.remedy


def test_a_negative_standard_deviation_is_told_as_such() -> None:
    vae = VAE(nn.Linear(4, 4), nn.Linear(2, 4), 2, (4,), second="std").requires_grad_(False)
    vae.encoder.bias[2:] = -9.0
    with pytest.raises(CausalVAEError, match="standard deviation is negative") as caught:
        check_model(vae, torch.rand(8, 4), must_reconstruct=False)
    assert caught.value.code == "CV106"
    assert caught.value.place == "model.posterior.second"


def test_an_infinite_weight_behind_a_bounded_activation_is_named() -> None:
    vae = VAE(nn.Linear(4, 4), nn.Sequential(nn.Linear(2, 4), nn.Sigmoid()), 2, (4,)).requires_grad_(False)
    with torch.no_grad():
        vae.decoder[0].weight[1, 1] = float("inf")
    with pytest.raises(CausalVAEError, match=r"decoder\.0\.weight") as caught:
        check_model(vae, torch.rand(8, 4), must_reconstruct=False)
    assert caught.value.code == "CV106"


def test_an_infinite_mask_is_no_fault() -> None:
    class Masked(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 4)
            self.register_buffer("mask", torch.tensor([0.0, 0.0, 0.0, -torch.inf]))

        def forward(self, z: Tensor) -> Tensor:
            return torch.softmax(super().forward(z) + self.mask, 1)

    vae = VAE(nn.Linear(4, 4), Masked(), 2, (4,))
    assert check_model(vae, torch.rand(8, 4), must_reconstruct=False).images == 8


def test_an_output_that_is_not_a_number_is_not_called_random() -> None:
    vae = VAE(nn.Linear(4, 4), nn.Linear(2, 4), 2, (4,))
    with torch.no_grad():
        vae.decoder.bias[0] = float("nan")
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae, torch.rand(8, 4))
    assert caught.value.code == "CV106"


def test_likelihoods_against_their_formulas() -> None:
    torch.manual_seed(2)
    x, p = (torch.rand(5, 7) > 0.5).float(), torch.rand(5, 7) * 0.98 + 0.01
    bernoulli = VAE(nn.Identity(), nn.Identity(), 1, (7,))
    expected = -(x * p.log() + (1 - x) * (1 - p).log()).double().sum(1)
    torch.testing.assert_close(negative_log_likelihood(bernoulli, p, x), expected, rtol=1e-5, atol=1e-5)
    gaussian = VAE(nn.Identity(), nn.Identity(), 1, (7,), activation="none", likelihood="gaussian")
    normal = torch.distributions.Normal(p, 1.0)
    torch.testing.assert_close(
        negative_log_likelihood(gaussian, p, x), -normal.log_prob(x).double().sum(1), rtol=1e-5, atol=1e-5
    )
    fixed = VAE(nn.Identity(), nn.Identity(), 1, (7,), activation="none", likelihood="gaussian", sigma=0.3)
    learned = VAE(nn.Identity(), nn.Identity(), 1, (7,), activation="none", likelihood="gaussian", sigma="learned")
    with torch.no_grad():
        learned.raw_log_sigma.fill_(math.log(0.3))
    narrow = -torch.distributions.Normal(p, 0.3).log_prob(x).double().sum(1)
    for vae in (fixed, learned):
        torch.testing.assert_close(negative_log_likelihood(vae, p, x), narrow, rtol=1e-5, atol=1e-5)
    wrong = negative_log_likelihood(bernoulli, torch.zeros(1, 1), torch.ones(1, 1))
    assert float(wrong) == 100.0


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 3, 2, 8, 8), (4, 2, 1, 5, 7), (2, 1, 4, 1, 1)])
def test_the_subpixel_layer_equals_the_plain_one(bias: bool, shape: tuple[int, ...]) -> None:
    rows, channels_in, channels_out, height, width = shape
    torch.manual_seed(3)
    plain = nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1, bias=bias)
    fast = SubpixelConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1, bias=bias)
    fast.load_state_dict(plain.state_dict())
    x = torch.randn(rows, channels_in, height, width)
    gradients = []
    upstream: Tensor | None = None
    outputs = []
    for layer in (plain, fast):
        given = x.clone().requires_grad_(True)
        y = layer(given)
        outputs.append(y)
        upstream = torch.randn_like(y) if upstream is None else upstream
        gradients.append(torch.autograd.grad(y, [given, *layer.parameters()], upstream))
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_only_fitting_layers_become_subpixel() -> None:
    torch.manual_seed(4)
    net = nn.Sequential(
        nn.ConvTranspose2d(3, 8, 4, stride=2, padding=1),
        nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, groups=2),
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1),
        nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1),
    )
    x = torch.randn(2, 3, 4, 4)
    before, state = net(x), {key: value.clone() for key, value in net.state_dict().items()}
    parameters = [id(parameter) for parameter in net.parameters()]
    use_subpixel(net)
    assert [type(layer) is SubpixelConvTranspose2d for layer in net] == [False, False, False, True]
    assert [id(parameter) for parameter in net.parameters()] == parameters
    assert net.state_dict().keys() == state.keys()
    torch.testing.assert_close(net(x), before, rtol=1e-5, atol=1e-5)


def test_interleaved_and_chunk_layouts_read_the_same_numbers_differently() -> None:
    parameters = torch.arange(12.0).view(2, 6)
    chunk = VAE(nn.Identity(), nn.Identity(), 3, (6,)).split(parameters)
    interleaved = VAE(nn.Identity(), nn.Identity(), 3, (6,), layout="interleaved").split(parameters)
    assert chunk.mean.tolist() == [[0, 1, 2], [6, 7, 8]]
    assert interleaved.mean.tolist() == [[0, 2, 4], [6, 8, 10]]
    assert interleaved.logvar.tolist() == [[1, 3, 5], [7, 9, 11]]


@pytest.mark.parametrize("rescaled", [True, False])
def test_data_that_were_mapped_to_a_found_range_are_named(rescaled: bool) -> None:
    torch.manual_seed(0)
    vae = VAE(nn.Linear(4, 4), nn.Linear(2, 4), 2, (4,), activation="none", likelihood="gaussian")
    with torch.no_grad():
        vae.decoder.bias.fill_(1000.0)
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae.requires_grad_(False), torch.rand(8, 4), rescaled=rescaled)
    assert caught.value.code == "CV107"
    assert ("scale: none" in caught.value.remedy) == rescaled
