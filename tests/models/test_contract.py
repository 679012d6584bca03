"""What lies between encoder and decoder: a latent layer, points, groups, a decoder that reads the input, maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.capturing import find_components
from causalvae.models.check import check_model
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.likelihood import negative_log_likelihood
from causalvae.models.loading import Model, assemble, randomise
from causalvae.models.network import AnalysedNetwork, channel_means
from causalvae.models.vae import VAE

WIDTH = 6


class Mixing(nn.Module):
    """A latent layer with a child: what the decoder receives is a linear map of tanh."""

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.lin = nn.Linear(latents, latents)

    def forward(self, value: Tensor) -> Tensor:
        return self.lin(torch.tanh(value))


class Reading(nn.Module):
    """A decoder of the latent and of the input's last two columns."""

    def __init__(self, latents: int, outputs: int) -> None:
        super().__init__()
        self.lin = nn.Linear(latents + 2, outputs)

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        return self.lin(torch.cat([z, x[:, -2:]], dim=1))


def layered() -> VAE:
    return VAE(nn.Linear(WIDTH, 6), nn.Linear(3, WIDTH), 3, (WIDTH,), latent_layer=Mixing(3))


def pointed() -> VAE:
    return VAE(nn.Linear(WIDTH, 3), nn.Linear(3, WIDTH), 3, (WIDTH,), layout="point", latent_layer=Mixing(3))


def grouped() -> VAE:
    # Listed out of order, and latent 2 belongs to no group.
    groups = {"high": (3, 5), "low": (0, 2)}
    return VAE(nn.Linear(WIDTH, 10), nn.Linear(5, WIDTH), 5, (WIDTH,), groups=groups)


def reading() -> VAE:
    decoder = Reading(3, WIDTH - 2)
    return VAE(
        nn.Linear(WIDTH, 6),
        decoder,
        3,
        (WIDTH,),
        output_shape=(WIDTH - 2,),
        decoder_reads_input=True,
        input_range=(-1.0, 1.0),
        activation="none",
        likelihood="gaussian",
    )


def mapped() -> VAE:
    encoder, decoder = nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1)
    encoder_heads = nn.Sequential(encoder, Halves())
    return VAE(encoder_heads, decoder, 2, (1, 8, 8), layout="heads", latent_shape=(2, 4, 4))


class Halves(nn.Module):
    def forward(self, value: Tensor) -> tuple[Tensor, Tensor]:
        return value[:, :2], value[:, 2:]


MAKERS: dict[str, Callable[[], VAE]] = {
    "layered": layered,
    "pointed": pointed,
    "grouped": grouped,
    "reading": reading,
    "mapped": mapped,
}


def make(name: str) -> VAE:
    torch.manual_seed(3)
    return MAKERS[name]()


@cache
def assembled(name: str, sample: bool) -> Model:
    return assemble(make(name), sample, name, {})


def arguments(vae: VAE, rows: int = 5) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(1)
    return torch.rand((rows, *vae.input_shape), generator=source), torch.randn(
        (rows, *vae.latent_shape), generator=source
    )


@pytest.mark.parametrize("name", MAKERS)
def test_the_captured_output_is_the_vae_s_own(name: str) -> None:
    for sample in {"pointed": (False,), "layered": (False, True)}.get(name, (True,)):
        model = assembled(name, sample)
        x, noise = arguments(model.vae)
        found = model.graph.run(x, noise)
        posterior = model.vae.encode(x)
        value = posterior.sample(noise) if sample else posterior.mean
        latent = model.vae.pass_on(value)
        assert torch.equal(found[model.graph.outputs["latent"]], latent)
        assert torch.allclose(found[model.graph.outputs["output"]], model.vae.decode(latent, x), atol=1e-6)
        assert model.components.captured_by == "torch.export"


@pytest.mark.parametrize("name", MAKERS)
def test_hooks_reach_the_same_sites(name: str) -> None:
    model = assembled(name, name != "pointed")
    network = AnalysedNetwork(model.vae, name != "pointed")
    hooked = capture_by_hooks(network, arguments(model.vae), network.outputs)
    sites = {site.name: site for site in find_components(hooked, model.vae.latent_dim, name).sites}
    assert sites.keys() == {site.name for site in model.components.sites}
    x, noise = arguments(model.vae)
    ours, theirs = model.graph.run(x, noise), hooked.run(x, noise)
    for site in model.components.sites:
        assert torch.allclose(ours[site.node], theirs[sites[site.name].node], atol=1e-6), site.name


def test_a_latent_layer_and_what_it_is_given_are_sites() -> None:
    model = assembled("layered", True)
    names = [site.name for site in model.components.sites]
    for name in ("latent.mean", "latent.logvar", "latent.noise", "latent.exogenous", "latent", "latent_layer.lin"):
        assert name in names
    assert model.components.site("latent_layer.lin").stage == "latent"
    x, noise = arguments(model.vae)
    found = model.graph.run(x, noise)
    exogenous = found[model.components.site("latent.exogenous").node]
    assert torch.equal(exogenous, model.vae.encode(x).sample(noise))
    assert torch.equal(found[model.components.site("latent").node], model.vae.pass_on(exogenous))
    # In mean mode the layer is given the posterior mean.
    still = assembled("layered", False)
    assert still.components.site("latent.exogenous").node == still.components.site("latent.mean").node


def test_a_point_has_no_variance_no_noise_and_no_kl() -> None:
    model = assembled("pointed", False)
    names = {site.name for site in model.components.sites}
    assert not names & {"latent.logvar", "latent.noise"}
    assert model.components.site("latent.mean").kind == "encoder's point"
    posterior = model.vae.encode(arguments(model.vae)[0])
    assert posterior.is_point and torch.equal(posterior.sample(torch.ones(5, 3)), posterior.mean)
    with pytest.raises(CausalVAEError) as refused:
        AnalysedNetwork(model.vae, True)
    assert refused.value.code == "CV122"


def test_a_group_holds_its_latents_and_leads_to_the_decoder() -> None:
    model = assembled("grouped", True)
    x, noise = arguments(model.vae)
    found = model.graph.run(x, noise)
    latent = found[model.components.site("latent").node]
    assert torch.equal(found[model.components.site("latent.low").node], latent[:, 0:2])
    assert torch.equal(found[model.components.site("latent.high").node], latent[:, 3:5])
    assert model.components.first_latent("latent.high") == 3 and model.components.first_latent("encoder") is None
    hooked = capture_by_hooks(model.network, (x, noise), model.network.outputs)
    changed = hooked.rerun({"latent.high#1": torch.zeros_like}, x, noise)["output"]
    expected = latent.clone()
    expected[:, 3:5] = 0
    assert torch.equal(changed, model.vae.decode(expected))


@pytest.mark.parametrize("groups", [{"a": (0, 6)}, {"a": (0, 2), "b": (1, 3)}, {"mean": (0, 1)}, {"a": (2, 2)}])
def test_groups_that_leave_the_latent_or_meet_are_refused(groups: dict[str, tuple[int, int]]) -> None:
    with pytest.raises(CausalVAEError) as refused:
        VAE(nn.Linear(WIDTH, 10), nn.Linear(5, WIDTH), 5, (WIDTH,), groups=groups)
    assert refused.value.code == "CV121"


@pytest.mark.parametrize("shape", [(WIDTH + 1,), (WIDTH, 1)])
def test_outputs_that_are_no_part_of_the_input_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(CausalVAEError) as refused:
        VAE(nn.Linear(WIDTH, 6), nn.Linear(3, 8), 3, (WIDTH,), output_shape=shape)
    assert refused.value.code == "CV120"


def test_a_decoder_that_reads_the_input_is_given_it_as_the_encoder_is() -> None:
    vae = make("reading").eval()
    x, _ = arguments(vae)
    z = vae.encode(x).mean
    expected = vae.decoder.lin(torch.cat([z, 2 * x[:, -2:] - 1], dim=1)) / 2 + 0.5  # type: ignore[operator,union-attr]
    assert torch.allclose(vae(x), expected, atol=1e-6)
    with pytest.raises(ValueError, match="reads the input"):
        vae.decode(z)
    # The likelihood is of the output part alone.
    assert torch.equal(vae.target(x), x[:, :4])
    far = x.clone()
    far[:, -2:] += 100
    assert torch.equal(negative_log_likelihood(vae, vae(x), far), negative_log_likelihood(vae, vae(x), x))


def test_the_load_check_takes_points_and_conditions() -> None:
    with torch.no_grad():
        for name in ("pointed", "reading"):
            vae = make(name)
            x = torch.rand((64, *vae.input_shape), generator=torch.Generator().manual_seed(2))
            found = check_model(_fitted(vae, x), x)
            assert (found.kl is None) == (name == "pointed")
            assert found.reconstruction < found.mean_image


def _fitted(vae: VAE, x: Tensor) -> VAE:
    """The network with the best last layer there is for `x`, so that it beats the mean image."""
    vae.activation, vae.likelihood = "none", "gaussian"
    z = vae.pass_on(vae.encode(x).mean)
    features = z if not vae.decoder_reads_input else torch.cat([z, vae.scale_input(x)[:, -2:]], dim=1)
    last = vae.decoder if isinstance(vae.decoder, nn.Linear) else vae.decoder.lin
    assert isinstance(last, nn.Linear)
    design = torch.cat([features, torch.ones(len(x), 1)], dim=1)
    found = torch.linalg.lstsq(design, vae.scale_input(vae.target(x))).solution
    last.weight.copy_(found[:-1].T)
    last.bias.copy_(found[-1])
    return vae


def test_a_random_copy_draws_the_latent_layer_anew() -> None:
    model = assembled("layered", False)
    copied = randomise(model, 5)
    x, noise = arguments(model.vae)
    found = copied.graph.run(x, noise)[copied.graph.outputs["latent"]]
    assert torch.equal(found, copied.vae.pass_on(copied.vae.encode(x).mean))
    assert not torch.allclose(found, model.graph.run(x, noise)[model.graph.outputs["latent"]])


def test_tables_hold_the_means_of_a_map_s_channels() -> None:
    value = torch.arange(16.0).reshape(2, 2, 2, 2)
    assert torch.equal(channel_means(value), torch.tensor([[1.5, 5.5], [9.5, 13.5]]))
    assert channel_means(value[..., 0, 0]) is not None and torch.equal(
        channel_means(value[:, :, 0, 0]), value[:, :, 0, 0]
    )
