"""Which latents carry which factors: known by hand, counted by plain loops, and read back from weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from causalvae.api import train_network
from causalvae.data.dataset import Dataset, open_dataset
from causalvae.data.factors import Factor, FactorSpace, Rows
from causalvae.data.grid import Grid
from causalvae.data.kinds.dsprites import DspritesData
from causalvae.errors import CausalVAEError
from causalvae.models.architectures import build_described
from causalvae.models.card import Card, Carries, active_latents, read_card, write_card
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.loading import load_model
from causalvae.models.vae import VAE
from causalvae.models.weights import read_weights
from causalvae.training.batches import is_chosen
from causalvae.training.carries import measure_carries, measure_pairs
from causalvae.training.loop import train
from tests.training.worlds import TABLE, table_spec

LEVELS = (-1.0, 0.5, 2.0, 3.0)


class Plane(Grid):
    """Inputs are the values of two factors, ``a`` and ``b``; a third has one level. It keeps the rows it was asked."""

    name = "plane"
    input_shape: tuple[int, ...] = (2,)
    space = FactorSpace(
        (Factor("a", "ordinal", LEVELS), Factor("b", "ordinal", LEVELS), Factor("c", "ordinal", (0.0,)))
    )

    def __init__(self) -> None:
        self.asked: list[Rows] = []

    def inputs(self, rows: Rows) -> Tensor:
        self.asked.append(rows)
        return torch.from_numpy(self.values(rows)[:, :2]).to(torch.float32)

    def truth(self, rows: Rows) -> dict[str, Any]:
        return {}

    def describe(self) -> dict[str, Any]:
        return {}


def linear(rows: list[list[float]]) -> nn.Linear:
    weight = torch.tensor(rows, dtype=torch.float32)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = weight
    return layer


def hand_set(factor_b: float = 1.0) -> VAE:
    """Latent 0 is a, latents 1 and 2 are b; b's output is `factor_b` times their mean. Log-variances are zero."""
    encoder = linear([[1, 0], [0, 1], [0, 1], [0, 0], [0, 0], [0, 0]])
    decoder = linear([[1, 0, 0], [0, factor_b / 2, factor_b / 2]])
    return VAE(encoder, decoder, 3, (2,), activation="none", likelihood="gaussian").eval()


def perceptron(**changes: Any) -> VAE:
    described = {"architecture": "mlp", "latent_dim": 3, "likelihood": "gaussian", **changes}
    torch.manual_seed(3)
    return build_described(described, (4,)).eval()


def test_a_linear_network_is_known_by_hand() -> None:
    a, b, c = measure_carries(hand_set(), Plane(), pairs=5, seed=1)
    assert a == Carries("a", 5, 1.0, (1.0, 0.0, 0.0))
    assert b == Carries("b", 5, 1.0, (0.0, 0.5, 0.5))
    assert c == Carries("c", 0, None, None)


@pytest.mark.parametrize("shrunk", [0.8, -0.5, 2.0])
def test_what_is_explained_is_how_far_the_output_goes_along(shrunk: float) -> None:
    _, b, _ = measure_carries(hand_set(shrunk), Plane(), pairs=5, seed=1)
    assert b == Carries("b", 5, shrunk, (0.0, 0.5, 0.5))


def test_a_factor_that_the_network_ignores_has_no_shares() -> None:
    a, b, _ = measure_carries(hand_set(0.0), Plane(), pairs=5, seed=1)
    assert a.shares == (1.0, 0.0, 0.0)
    assert b == Carries("b", 5, 0.0, None)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_the_shares_are_those_of_plain_loops(likelihood: str) -> None:
    """More pairs than go through the network at once."""
    vae = perceptron(likelihood=likelihood)
    x, other = torch.rand(2, 70, 4).unbind()
    explained, shares = measure_pairs(vae, x, other)
    data = both = whole = 0.0
    passed = [0.0, 0.0, 0.0]
    with torch.no_grad():
        for one, two in zip(x, other, strict=True):
            z, other_z = vae.encode(one[None]).mean[0], vae.encode(two[None]).mean[0]
            before, after = vae.decode(z[None])[0], vae.decode(other_z[None])[0]
            patched = []
            for latent in range(3):
                mixed = z.tolist()
                mixed[latent] = float(other_z[latent])
                patched.append(vae.decode(torch.tensor([mixed]))[0])
            for column in range(4):
                dx, dy = float(two[column] - one[column]), float(after[column] - before[column])
                data, both, whole = data + dx * dx, both + dx * dy, whole + dy * dy
                for latent in range(3):
                    passed[latent] += float(patched[latent][column] - before[column]) * dy
    assert explained == pytest.approx(both / data, abs=1e-4)
    assert shares == pytest.approx([each / whole for each in passed], abs=1e-4)
    assert min(map(abs, shares)) > 1e-3, "the test could not tell the latents apart"


def test_the_pairs_differ_in_the_factor_alone() -> None:
    plane = Plane()
    measure_carries(hand_set(), plane, pairs=6, seed=2)
    assert len(plane.asked) == 4
    for column in (0, 1):
        base, counterfactual = plane.asked[2 * column : 2 * column + 2]
        differs = base != counterfactual
        assert differs[:, column].all() and not np.delete(differs, column, axis=1).any()


def test_nothing_that_was_trained_on_is_in_a_pair() -> None:
    plane = Plane()
    found = measure_carries(hand_set(), plane, pairs=100, seed=2, held_out=0.6)
    assert found[0].pairs > 1
    for rows in plane.asked:
        assert is_chosen(rows, 0.6).all()


def test_of_data_without_end_the_first_samples_are_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset(table_spec().data, Path())
    asked: list[Rows] = []
    inputs = dataset.inputs
    monkeypatch.setattr(dataset, "inputs", lambda rows: (asked.append(rows), inputs(rows))[1], raising=False)
    found = measure_carries(perceptron(), dataset, pairs=40, seed=2, held_out=0.1)
    assert [each.pairs for each in found] == [40, 40, 40, 40]
    assert len(asked) == 8
    for base in asked[::2]:
        assert is_chosen(base, 0.1).all()


def test_the_network_is_left_in_its_mode() -> None:
    for mode in (True, False):
        vae = hand_set().train(mode)
        measure_carries(vae, Plane(), pairs=2, seed=1)
        assert vae.training == mode


def table_file(folder: Path, factors: bool) -> Dataset:
    rows = np.random.default_rng(0).random((50, 6))
    header = "p,q,r,s,t,u"
    np.savetxt(folder / "table.csv", rows, delimiter=",", header=header, comments="")
    data: dict[str, Any] = {"source": "csv", "path": "table.csv", "inputs": ["p", "q", "r", "s"]}
    data |= {"factors": ["t", "u"]} if factors else {}
    return open_dataset(table_spec(data=data).data, folder)


@pytest.mark.parametrize("factors", [False, True])
def test_nothing_is_told_of_data_whose_factors_cannot_be_set(factors: bool, tmp_path: Path) -> None:
    dataset = table_file(tmp_path, factors)
    assert len(dataset.space.names) == 2 * factors
    assert measure_carries(perceptron(), dataset, pairs=8, seed=1) == ()


def of_maps() -> VAE:
    """A network whose latent has 4 channels of 8 x 8."""
    torch.manual_seed(0)
    encoder, decoder = nn.Conv2d(1, 8, 8, stride=8), nn.ConvTranspose2d(4, 1, 8, stride=8)
    return VAE(encoder, decoder, 4, (1, 64, 64), latent_shape=(4, 8, 8)).eval()


def test_the_codes_of_a_quantised_network_are_patched_where_they_enter_the_decoder() -> None:
    torch.manual_seed(0)
    vae = build_described({"architecture": "vq", "latent_dim": 4, "codes": 8}, (1, 64, 64)).eval()
    x, other = torch.rand(2, 3, 1, 64, 64).unbind()
    with torch.no_grad():
        # Entries among what the encoder gives, so that positions take different ones.
        given = vae.encode(torch.cat([x, other])).mean.movedim(1, -1).flatten(0, -2)
        vae.latent_layer.codebook.copy_(given[torch.randperm(len(given))[:8]])
        z, other_z = vae.pass_on(vae.encode(x).mean), vae.pass_on(vae.encode(other).mean)
        y, dy = vae.decode(z), vae.decode(other_z) - vae.decode(z)
        patched = torch.cat([z[:, :3], other_z[:, 3:]], dim=1)
        expected = float(((vae.decode(patched) - y) * dy).sum() / (dy * dy).sum())
    _, shares = measure_pairs(vae, x, other)
    assert shares is not None and shares[3] == pytest.approx(expected, abs=1e-3)


def test_of_a_map_of_latents_channels_are_told() -> None:
    vae = of_maps()
    dataset = open_dataset(DspritesData(source="dsprites"), Path())
    found = measure_carries(vae, dataset, pairs=3, seed=1)
    assert [each.factor for each in found] == ["shape", "scale", "orientation", "x", "y"]
    assert all(each.shares is not None and len(each.shares) == 4 for each in found)
    x, other = torch.rand(2, 3, 1, 64, 64).unbind()
    with torch.no_grad():
        z, other_z = vae.pass_on(vae.encode(x).mean), vae.pass_on(vae.encode(other).mean)
        y, dy = vae.decode(z), vae.decode(other_z) - vae.decode(z)
        patched = torch.cat([z[:, :2], other_z[:, 2:3], z[:, 3:]], dim=1)
        expected = float(((vae.decode(patched) - y) * dy).sum() / (dy * dy).sum())
    _, shares = measure_pairs(vae, x, other)
    assert shares is not None and shares[2] == pytest.approx(expected, abs=1e-3)


def test_the_decoder_of_a_conditional_network_gets_the_first_samples_condition(tmp_path: Path) -> None:
    """All of the change passes beside a latent that says nothing."""

    class Reads(nn.Module):
        def forward(self, z: Tensor, x: Tensor) -> Tensor:
            return x[:, :1] + 0.0 * z[:, :1]

    vae = VAE(linear([[0, 0]] * 4), Reads(), 2, (2,), activation="none", output_shape=(1,), decoder_reads_input=True)
    x = torch.rand(5, 2)
    assert measure_pairs(vae.eval(), x, 1.0 - x) == (1.0, (0.0, 0.0))


CARD = Card(
    (0.5, 0.1, 3.25),
    (
        Carries("shape", 256, 0.712, (0.6, 0.05, 0.2)),
        Carries("x", 250, 0.99, (0.01, 0.98, -0.002)),
        Carries("c", 0, None, None),
        Carries("label", 9, None, (0.5, 0.5, 0.5)),
        Carries("y", 9, -0.001, None),
        Carries("blur", 9, -0.001, (0.04, 0.0, 0.03)),
    ),
)


def test_a_card_is_read_as_it_was_written() -> None:
    entries = write_card(CARD)
    assert read_card(entries, "w") == CARD
    assert all(isinstance(value, str) for value in entries.values())
    assert json.loads(entries["active_latents"]) == {"kl_above_nats": 0.1, "latents": [0, 2]}
    assert json.loads(entries["carries"])[0] == {
        "factor": "shape",
        "pairs": 256,
        "explained": 0.712,
        "shares": [0.6, 0.05, 0.2],
    }


def test_what_is_not_known_is_not_written() -> None:
    assert write_card(Card()) == {}
    assert read_card({}, "w") == Card()
    assert active_latents(()) == ()


def test_a_card_in_words() -> None:
    assert CARD.in_words("z{}").split("; ") == [
        "shape: z0 0.60, z2 0.20 (explained 0.71)",
        "x: z1 0.98",
        "c: no pairs",
        "label: does not change the data",
        "y: nothing",
        "blur: no latent alone (explained 0.00)",
    ]
    assert CARD.carries[1].in_words() == "x: latent[1] 0.98"


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("carries", "{"),
        ("carries", '[{"factor": "x"}]'),
        ("carries", '[{"factor": "x", "pairs": -1, "explained": 1, "shares": [1]}]'),
        ("carries", '[{"factor": "x", "pairs": 1, "explained": NaN, "shares": [1]}]'),
        ("kl_nats", "[null]"),
        ("kl_nats", "7"),
    ],
)
def test_a_card_that_cannot_be_read_is_refused(entry: str, text: str) -> None:
    with pytest.raises(CausalVAEError) as caught:
        read_card({entry: text}, "w.safetensors")
    assert caught.value.code == "CV102"
    assert "w.safetensors" in caught.value.message


def test_training_writes_what_each_latent_carries(tmp_path: Path) -> None:
    result = train(table_spec(held_out=0.2), tmp_path)
    assert [each.factor for each in result.carries] == list(TABLE["variables"])
    assert all(each.pairs == 256 and each.shares is not None and len(each.shares) == 3 for each in result.carries)
    assert read_card(result.metadata, "w") == Card(result.kl, result.carries)
    dataset = open_dataset(table_spec().data, Path())
    assert measure_carries(result.vae, dataset, pairs=256, seed=5, held_out=0.2) == result.carries
    # Weights of a finished run that has no card yet get theirs from the same command.
    again = train(table_spec(held_out=0.2), tmp_path)
    assert {**again.metadata, "seconds": ""} == {**result.metadata, "seconds": ""}


def test_a_loaded_network_says_what_its_latents_carry_and_older_weights_load_without(tmp_path: Path) -> None:
    result = train(table_spec(supervision={"latents": {"dose": 1}, "share": 0.25}), tmp_path)
    state = {name: value.contiguous() for name, value in result.vae.state_dict().items()}
    older = {name: text for name, text in result.metadata.items() if name not in ("active_latents", "carries")}
    save_file(state, tmp_path / "new.safetensors", metadata=result.metadata)
    save_file(state, tmp_path / "old.safetensors", metadata=older)
    new, old = (
        load_model(ZooModel(source="zoo", weights=f"{name}.safetensors"), tmp_path, result.vae.input_shape).facts
        for name in ("new", "old")
    )
    assert new["what latents carry"] == "; ".join(each.in_words() for each in result.carries)
    assert "what latents carry" not in old
    assert new["supervision"] == "latent[1] on dose; labels for 25% of the samples"
    assert new["active latents"] == old["active latents"]
    assert new["digest"] == old["digest"]


def test_the_outcome_of_training_and_its_weights_say_the_same(tmp_path: Path) -> None:
    spec = table_spec(steps=2)
    outcome = train_network(spec, tmp_path)
    card = read_card(read_weights(outcome.weights.name, tmp_path).metadata, "w")
    assert card == replace(card, kl=outcome.kl, carries=outcome.carries)
    assert len(card.carries) == 4
