"""What to declare of a network whose reconstructions show that it is read wrongly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.check import check_model
from causalvae.models.readings import declared_reading, find_alternatives
from causalvae.models.vae import VAE

LATENTS, WIDTH = 2, 6
LOADINGS = torch.randn(WIDTH, LATENTS, generator=torch.Generator().manual_seed(3))


def data(shift: float = -1.0) -> Tensor:
    """Numbers in (0, 1) that two latents explain; most are dark."""
    z = torch.randn(200, LATENTS, generator=torch.Generator().manual_seed(4))
    return torch.sigmoid(z @ LOADINGS.T + shift)


class Encoder(nn.Module):
    """The latents of `data` exactly, written down as a spec may declare it."""

    def __init__(self, layout: str, second: str, low: float, high: float, shift: float) -> None:
        super().__init__()
        self.layout, self.low, self.high, self.shift = layout, low, high, shift
        self.second = {"logvar": -4.6, "var": 0.01, "log_std": -2.3}[second]

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = ((x - self.low) / (self.high - self.low)).clamp(1e-4, 1 - 1e-4)
        mean = (torch.logit(x) - self.shift) @ torch.linalg.pinv(LOADINGS).T
        second = torch.full_like(mean, self.second)
        if self.layout == "heads":
            return mean, second
        if self.layout == "interleaved":
            return torch.stack([mean, second], 2).flatten(1)
        return torch.cat([mean, second], 1)


class Decoder(nn.Module):
    """`data` of the latents, or its logits."""

    def __init__(self, ends: str, shift: float) -> None:
        super().__init__()
        self.ends, self.shift = ends, shift

    def forward(self, z: Tensor) -> Tensor:
        logits = z @ LOADINGS.T + self.shift
        # tanh(x / 2) = 2 sigmoid(x) - 1
        return {"none": logits, "sigmoid": torch.sigmoid(logits), "tanh": torch.tanh(logits / 2)}[self.ends]


TRUTH = {
    "layout": "chunk",
    "second": "logvar",
    "activation": "none",
    "likelihood": "bernoulli",
    "input_range": (0.0, 1.0),
}


def network(ends: str = "sigmoid", shift: float = -1.0, truth: dict[str, Any] | None = None, **declared: Any) -> VAE:
    """A network that is as `truth` says and is read as `declared` says."""
    is_so = {**TRUTH, **(truth or {})}
    encoder = Encoder(is_so["layout"], is_so["second"], *is_so["input_range"], shift)
    return VAE(encoder, Decoder(ends, shift), LATENTS, (WIDTH,), **{**is_so, **declared})


def said(vae: VAE, x: Tensor) -> list[str]:
    declared = declared_reading(vae)
    return [found.reading.words(declared) for found in find_alternatives(vae, x)]


def test_networks_that_are_read_rightly_pass() -> None:
    for ends, changes in (
        ("sigmoid", {}),
        ("none", {"activation": "sigmoid"}),
        ("tanh", {"input_range": (-1.0, 1.0)}),
        ("sigmoid", {"layout": "heads", "second": "var"}),
        ("sigmoid", {"layout": "interleaved", "second": "log_std"}),
        ("sigmoid", {"likelihood": "gaussian"}),
    ):
        found = check_model(network(ends, truth=changes), data())
        assert found.reconstruction < found.mean_image
        # The variance is 0.01 whatever it is written as.
        assert found.kl is not None and 2 * 1.3 < found.kl < 2 * 3.5


@pytest.mark.parametrize(
    ("ends", "truth", "wrong", "first"),
    [
        ("sigmoid", {}, {"activation": "sigmoid"}, "output: {activation: none}"),
        ("none", {"activation": "sigmoid"}, {"activation": "none"}, "output: {activation: sigmoid}"),
        ("sigmoid", {"layout": "interleaved"}, {"layout": "chunk"}, "posterior: {layout: interleaved}"),
        ("sigmoid", {}, {"layout": "interleaved"}, "posterior: {layout: chunk}"),
        ("tanh", {"input_range": (-1.0, 1.0)}, {"input_range": (0.0, 1.0)}, "input_range: [-1, 1]"),
        (
            "sigmoid",
            {"layout": "interleaved", "second": "var"},
            {"layout": "chunk", "second": "logvar", "activation": "sigmoid"},
            "posterior: {layout: interleaved}, output: {activation: none}",
        ),
    ],
)
def test_the_true_declaration_is_listed_first(
    ends: str, truth: dict[str, Any], wrong: dict[str, Any], first: str
) -> None:
    vae = network(ends, truth=truth, **wrong)
    before = declared_reading(vae)
    assert said(vae, data())[0] == first
    assert declared_reading(vae) == before, "looking for other readings leaves the network read as it was"
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae, data())
    assert caught.value.code == "CV107"
    assert f"`{first}`" in caught.value.remedy


def test_every_declaration_that_passes_is_in_the_message() -> None:
    vae = network(activation="sigmoid")
    found = find_alternatives(vae, data())
    words = said(vae, data())
    # A tanh of small probabilities is nearly the probabilities: it passes, and is not what the network is.
    assert words[0] == "output: {activation: none}"
    assert "output: {activation: tanh}" in words
    assert found[0].squashed and found[0].explained > 0.999 > found[words.index("output: {activation: tanh}")].explained
    # Whatever is listed does pass.
    for alternative in found:
        read = {name: getattr(alternative.reading, name) for name in TRUTH}
        found_so = check_reading(network(), read)
        assert found_so == pytest.approx((alternative.cost, alternative.mean_image))
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae, data())
    for said_so in words:
        assert f"`{said_so}`" in caught.value.remedy
    assert "already lie in the range of the data" in caught.value.remedy


def check_reading(vae: VAE, read: dict[str, Any]) -> tuple[float, float]:
    for name, value in read.items():
        setattr(vae, name, value)
    # Whether the activation fits is asked of readings that pass.
    found = check_model(vae, data(), must_reconstruct=False)
    assert found.reconstruction < found.mean_image
    return found.reconstruction, found.mean_image


def test_what_stands_beside_the_means_is_among_the_declarations() -> None:
    """Log-variances below zero have no logarithm: read as variances they are no numbers."""
    vae = network(second="var")
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae, data())
    assert caught.value.code == "CV106"
    assert "posterior: {second: logvar}" in caught.value.remedy
    assert "posterior: {second: log_std}" in caught.value.remedy


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_second_activation_is_caught_where_reconstructions_still_beat_the_mean(
    activation: str, likelihood: str
) -> None:
    # Bright data: a sigmoid of a sigmoid lies around 0.65.
    bright = 0.6
    x = data(bright)
    vae = network(shift=bright, activation=activation, likelihood=likelihood)
    loose = check_model(vae, x, must_reconstruct=False)
    assert loose.reconstruction < loose.mean_image, "otherwise this tests something else"
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae, x)
    assert (caught.value.code, caught.value.place) == ("CV107", "model.output")
    assert "output: {activation: none}" in caught.value.remedy
    assert check_model(network(shift=bright, likelihood=likelihood), x).reconstruction < loose.reconstruction


def test_a_missing_sigmoid_is_caught_where_reconstructions_still_beat_the_mean() -> None:
    """Sharp logits cut off at 0 and 1 reconstruct black and white data, but an output of 40 is no pixel."""
    x = (data(0.0) > 0.5).float()
    vae = VAE(nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, WIDTH), WIDTH, (WIDTH,), activation="none")
    with torch.no_grad():
        vae.encoder.weight.copy_(torch.cat([torch.eye(WIDTH), torch.zeros(WIDTH, WIDTH)]))
        vae.encoder.bias.zero_()
        vae.decoder.weight.copy_(80 * torch.eye(WIDTH))
        vae.decoder.bias.fill_(-40.0)
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae, x)
    assert "output: {activation: sigmoid}" in caught.value.remedy
    vae.activation = "sigmoid"
    assert check_model(vae, x).reconstruction < 1e-3


def test_data_of_another_kind_is_told_what_to_write() -> None:
    vae = network()
    x = 1 - 0.02 * torch.rand(200, WIDTH, generator=torch.Generator().manual_seed(1))
    with pytest.raises(CausalVAEError) as caught:
        check_model(vae, x)
    assert "out_of_distribution: true" in caught.value.remedy
    assert check_model(vae, x, must_reconstruct=False).images == 200
