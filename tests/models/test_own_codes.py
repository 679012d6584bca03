"""Codebooks and conditions of tutorial networks that only one part takes, on images, sounds and rows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from causalvae.engine.shards import ShardInputs
from causalvae.engine.traversals import decode_steps
from causalvae.errors import CausalVAEError
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked_sites import find_hooked_sites
from causalvae.models.kinds.python import PythonModel
from causalvae.models.latent_shape import fit_latent
from causalvae.models.loading import assemble
from causalvae.models.opened import Opened
from causalvae.models.own_network import read_own
from causalvae.models.variants.quantiser import Quantiser
from causalvae.plan.types import Patch
from causalvae.spec.value_source import make_source
from tests.models.test_variants import ROWS, by_engine

WIDTH, CODES, LENGTH = 3, 5, 64


class Codebook(nn.Module):
    """Entries as rows or columns of a matrix, with or without a gradient passed straight through."""

    def __init__(self, columns: bool, passes: bool) -> None:
        super().__init__()
        self.columns, self.passes = columns, passes
        codes = torch.randn(CODES, WIDTH, generator=torch.Generator().manual_seed(1))
        self.codes = nn.Parameter(codes.T.contiguous() if columns else codes)

    def forward(self, z: Tensor) -> Any:
        codes = self.codes.T if self.columns else self.codes
        flat = z.movedim(1, -1).reshape(-1, WIDTH)
        taken = torch.cdist(flat, codes).argmin(1)
        quantised = codes[taken].view(len(z), *z.shape[2:], WIDTH).movedim(-1, 1)
        return (z + (quantised - z).detach() if self.passes else quantised), taken.view(len(z), *z.shape[2:])


class Rounding(nn.Module):
    """Not a codebook: each number is rounded."""

    def forward(self, z: Tensor) -> Any:
        return torch.round(2 * z) / 2, None


class SoundVQ(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.encoder = nn.Conv1d(1, WIDTH, 8, stride=8)
        with torch.no_grad():
            # Far enough apart for several codes to be taken.
            self.encoder.weight.mul_(6.0)
        self.vq = layer
        self.decoder = nn.ConvTranspose1d(WIDTH, 1, 8, stride=8)

    def forward(self, x: Tensor) -> Any:
        quantised, codes = self.vq(self.encoder(x))
        return self.decoder(quantised), codes


def read(network: nn.Module, x: Tensor, condition: int = 0, **keys: Any) -> Opened:
    plain = {"source": "python", "factory": "a:b", "latent_dim": WIDTH, "output": {"activation": "none"}}
    opened = read_own(network.eval(), PythonModel.model_validate({**plain, **keys}), x, condition)
    fit_latent(opened.vae, x)
    return opened


@pytest.fixture
def waves() -> Tensor:
    return torch.rand(9, 1, LENGTH, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("passes", [False, True])
def test_the_codes_of_a_codebook_have_an_address(waves: Tensor, columns: bool, passes: bool) -> None:
    network = SoundVQ(Codebook(columns, passes))
    opened = read(network, waves)
    layer = opened.vae.latent_layer
    assert isinstance(layer, Quantiser) and opened.facts["codes"] == str(CODES)
    assert opened.unused == (), "the codebook is used"
    with torch.no_grad():
        quantised, codes = network.vq(network.encoder(waves))
        mean = opened.vae.encode(waves).mean
        assert torch.equal(layer(mean), quantised), "bit for bit"
        assert torch.equal(layer.numbers_of(mean), codes) and len(codes.unique()) > 1
    model = assemble(opened.vae, False, "codes", {}, waves)
    (site,) = [site for site in model.components.sites if site.name == "latent_layer.code"]
    assert site.shape == (CODES, LENGTH // 8)


def test_a_layer_that_is_no_codebook_stays_as_it_is(waves: Tensor) -> None:
    opened = read(SoundVQ(Rounding()), waves)
    assert not isinstance(opened.vae.latent_layer, Quantiser) and "codes" not in opened.facts


def test_a_channel_of_a_sequence_moves_as_a_whole(waves: Tensor) -> None:
    network = SoundVQ(Codebook(False, True))
    vae = read(network, waves).vae
    own, values = torch.randn(1, WIDTH, LENGTH // 8), torch.tensor([-1.0, 0.0, 2.0])
    with torch.no_grad():
        found = decode_steps(vae, own, None, 1, values)
        for value, output in zip(values, found, strict=True):
            moved = own.clone()
            moved[0, 1] += value - own[0, 1].mean()
            torch.testing.assert_close(output, network.decoder(moved)[0])


class DecoderConditioned(nn.Module):
    """As scVI by default: the encoding part does not see the batch."""

    def __init__(self, columns: int = 4, batches: int = 2) -> None:
        super().__init__()
        self.heads = nn.Linear(columns, 2 * WIDTH)
        self.out = nn.Linear(WIDTH + batches, columns)

    def encode(self, x: Tensor) -> Any:
        mean, logvar = self.heads(x).chunk(2, dim=1)
        return mean, logvar

    def decode(self, z: Tensor, batch: Tensor) -> Tensor:
        return torch.sigmoid(self.out(torch.cat([z, batch], 1)))

    def forward(self, x: Tensor, batch: Tensor) -> Any:
        mean, logvar = self.encode(x)
        return self.decode(mean + torch.randn_like(mean) * torch.exp(0.5 * logvar), batch), mean, logvar


def test_a_condition_may_be_of_the_decoding_part_alone() -> None:
    network = DecoderConditioned()
    x, batch = torch.rand(9, 4), F.one_hot(torch.arange(9) % 2, 2).float()
    given = torch.cat([x, batch], 1)
    vae = read(network, given, condition=2).vae
    with torch.no_grad():
        mean, logvar = network.encode(x)
        posterior = vae.encode(given)
        # Columns of the whole input lie apart in memory, so the last bits may differ.
        torch.testing.assert_close((posterior.mean, posterior.logvar), (mean, logvar))
        torch.testing.assert_close(vae.decode(mean, given), network.decode(mean, batch))
        other = torch.cat([x, batch.flip(1)], 1)
        torch.testing.assert_close(vae.decode(mean, other), network.decode(mean, batch.flip(1)))
        assert not torch.allclose(network.decode(mean, batch), network.decode(mean, batch.flip(1)))


class ByClass(DecoderConditioned):
    """Its decoding part takes the number of a class, of any number of axes, as an embedding does."""

    def decode(self, z: Tensor, batch: Tensor) -> Tensor:
        known = F.one_hot(batch.long(), 2).float()
        return torch.sigmoid(self.out(torch.cat([z, known], 1)))


def test_each_class_is_given_by_its_number() -> None:
    network, classes = ByClass(), torch.arange(9) % 2
    given = torch.cat([torch.rand(9, 4), F.one_hot(classes, 2).float()], 1)
    opened, z = read(network, given, condition=2), torch.randn(9, WIDTH)
    assert opened.facts["condition as"] == "the number of the class"
    with torch.no_grad():
        torch.testing.assert_close(opened.vae.decode(z, given), network.decode(z, classes))
        assert not torch.allclose(network.decode(z, classes), network.decode(z, 0 * classes))


@pytest.mark.parametrize("make", [DecoderConditioned, ByClass])
def test_the_condition_has_an_address(make: type[DecoderConditioned]) -> None:
    network, classes = make(), F.one_hot(torch.arange(ROWS) % 2, 2).float()
    x, other = (torch.cat([torch.rand(ROWS, 4), rows], 1) for rows in (classes, classes.flip(1)))
    model = assemble(read(network, x, condition=2).vae, False, "conditioned", {}, x)
    noise = torch.zeros(ROWS, WIDTH)
    hooked = capture_by_hooks(model.network, (x[:3], noise[:3]), model.network.outputs)
    sites = {site.name for site in model.components.sites}
    assert {site.name for site in find_hooked_sites(hooked, WIDTH, "m").sites} == sites > {"decoder.condition", "out"}
    inputs = ShardInputs("c", 0, {"base": x, "counterfactual": other}, noise)
    with torch.no_grad():
        moved = by_engine(model, Patch("decoder.condition", None, make_source("interchange")), inputs)
        label = classes.flip(1)
        expected = network.decode(network.encode(x[:, :4])[0], label.argmax(1) if make is ByClass else label)
    torch.testing.assert_close(moved, expected)


@pytest.mark.parametrize("condition", [1, 2, 4])
def test_what_is_not_one_class_is_never_given_as_a_class(condition: int) -> None:
    """A column of whole numbers is ordinal, so its condition is one number: every sample would be of class 0."""
    parts = [F.one_hot(torch.arange(9) % 2, 2).float(), F.one_hot(torch.arange(9) % 3 % 2, 2).float()]
    given = torch.cat(parts, 1) if condition == 4 else torch.rand(9, condition)
    with pytest.raises(CausalVAEError) as caught:
        read(ByClass(), torch.cat([torch.rand(9, 4), given], 1), condition=condition)
    assert caught.value.code == "CV142" and "{kind: categorical}" in caught.value.remedy


class LastState(nn.Module):
    """Its encoding part reads the last state of a recurrent layer, whose axes are (layers, rows, units)."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 6, batch_first=True)
        self.heads = nn.Linear(6, 2 * WIDTH)
        self.out = nn.Linear(WIDTH, 12)

    def encode(self, x: Tensor) -> Any:
        _, state = self.rnn(x)
        return self.heads(state[-1]).chunk(2, dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return self.out(z)


def test_a_module_without_an_address_is_named_as_such() -> None:
    x = torch.rand(9, 4, 3)
    model = assemble(read(LastState(), x).vae, False, "states", {}, x)
    assert "heads" in {site.name for site in model.components.sites}
    for address in ("rnn", "encoder.rnn"):
        with pytest.raises(CausalVAEError) as caught:
            model.components.resolve(address)
        assert caught.value.code == "CV301" and "is a module of the network" in caught.value.message


@pytest.mark.parametrize(
    ("x", "condition", "remedy"),
    [
        (torch.rand(9, 7), 0, "data.inputs"),
        (torch.rand(9, 8), 2, "data.inputs"),
        (torch.rand(9, 1, 8, 8), 0, "data.size"),
    ],
)
def test_inputs_that_a_network_does_not_take_are_named_with_what_to_change(
    x: Tensor, condition: int, remedy: str
) -> None:
    with pytest.raises(CausalVAEError) as caught:
        read(DecoderConditioned(), x, condition=condition) if condition else read(SoundVQ(Rounding()), x)
    assert caught.value.code == "CV130" and remedy in caught.value.remedy
    assert ("without the condition" in caught.value.message) == bool(condition)


class Centred(LastState):
    """Its encoding part subtracts the mean over the batch."""

    def encode(self, x: Tensor) -> Any:
        mean, logvar = super().encode(x)
        return mean - mean.mean(0), logvar


def test_a_part_that_mixes_rows_has_the_users_name() -> None:
    x = torch.rand(9, 4, 3)
    with pytest.raises(CausalVAEError) as caught:
        assemble(read(Centred(), x).vae, False, "centred", {}, x)
    assert caught.value.code == "CV110" and "NetworkPart" not in caught.value.message
    assert "in encode." in caught.value.message
