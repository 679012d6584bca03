"""The shipped shape probe, and the training that makes one."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from causalvae.data.dataset import DspritesDataset
from causalvae.errors import CausalVAEError
from causalvae.readouts.probe import WEIGHTS, Probe, load_probe, save_probe, shipped_probe
from causalvae.readouts.probe_training import ProbeRecipe, blur, measure_accuracy, soften
from causalvae.training.shape_probe import draw_sprites, train_shape_probe


def held_out(n, rng):
    return draw_sprites(n, rng, held_out=True)


def test_the_shipped_probe_is_small_and_says_how_it_was_made():
    probe = shipped_probe("shape")
    assert probe.labels == ("square", "ellipse", "heart")
    assert (WEIGHTS / "dsprites-shape.safetensors").stat().st_size <= 300_000
    assert {"recipe", "seconds", "held_out_accuracy", "made_by"} <= probe.metadata.keys()
    assert ProbeRecipe(**json.loads(probe.metadata["recipe"])) == ProbeRecipe()
    assert not any(parameter.requires_grad for parameter in probe.parameters())


def test_the_shipped_probe_is_as_accurate_as_it_says():
    probe = shipped_probe("shape")
    accuracy = measure_accuracy(probe, held_out, seed=77, n=1500)
    assert min(accuracy.values()) >= 0.99
    recorded = json.loads(probe.metadata["held_out_accuracy"])
    assert accuracy == pytest.approx(recorded, abs=0.01)


def test_a_blend_of_two_shapes_is_read_as_in_between():
    """From a square to a heart the probability of a heart goes from none to all, and turns near the middle."""
    dataset = DspritesDataset()
    levels = dataset.draw(60, np.random.default_rng(5))
    ends = []
    for shape in (0, 2):
        levels[:, 0] = shape
        ends.append(dataset.inputs(levels))
    shares = np.linspace(0, 1, 11)
    heart = [
        float(shipped_probe("shape").probabilities((1 - share) * ends[0] + share * ends[1])[:, 2].mean())
        for share in shares
    ]
    assert heart[0] < 0.02
    assert heart[-1] > 0.98
    assert np.diff(heart).min() > -0.02
    assert 0.25 < shares[np.searchsorted(heart, 0.5)] < 0.75


def test_probabilities_sum_to_one_and_have_a_gradient():
    images, _ = draw_sprites(10, np.random.default_rng(0))
    soft = blur(images, torch.full((10,), 1.0)).requires_grad_()
    found = shipped_probe("shape").probabilities(soft)
    assert torch.allclose(found.sum(dim=1), torch.ones(10, dtype=torch.float64))
    (found[:, 0] * (1 - found[:, 0])).sum().backward()
    assert soft.grad is not None
    assert torch.isfinite(soft.grad).all()
    assert (soft.grad.flatten(1).abs().sum(dim=1) > 0).all()


def test_the_gradient_of_a_probability_is_that_of_finite_differences():
    images, _ = draw_sprites(2, np.random.default_rng(1))
    soft = blur(images, torch.full((2,), 1.5))
    probe = Probe("shape", ("a", "b"))
    torch.manual_seed(0)
    probe.double().requires_grad_(False)
    place = soft.double().requires_grad_()
    probe.probabilities(place)[:, 0].sum().backward()
    rng = np.random.default_rng(2)
    direction = torch.from_numpy(rng.standard_normal(soft.shape)) * (soft > 0.05)
    step = 1e-5
    ahead, behind = (probe.probabilities(place.detach() + sign * step * direction)[:, 0].sum() for sign in (1, -1))
    assert float((ahead - behind) / (2 * step)) == pytest.approx(float((place.grad * direction).sum()), rel=1e-4)


def test_held_out_sprites_are_never_trained_on():
    seen = {image.tobytes() for image in draw_sprites(6000, np.random.default_rng(0))[0].numpy().astype(bool)}
    kept = {image.tobytes() for image in held_out(1500, np.random.default_rng(1))[0].numpy().astype(bool)}
    assert len(kept) > 1000
    # A few grid points of squares and ellipses, turned by a symmetry of theirs, draw one image.
    assert len(seen & kept) <= 0.002 * len(kept)


def test_neighbours_share_place_and_size():
    images, levels = draw_sprites(400, np.random.default_rng(3))
    assert set(np.unique(levels)) == {0, 1, 2}
    rows = images.amax(dim=(1, 3))
    middle = (rows * torch.arange(64)).sum(dim=1) / rows.sum(dim=1)
    assert (middle[::2] - middle[1::2]).abs().max() < 3.5


def test_blur_agrees_with_a_plain_sum():
    images, _ = draw_sprites(3, np.random.default_rng(4))
    sigma = torch.tensor([0.4, 1.0, 1.6])
    found = blur(images, sigma)
    for k in range(3):
        offsets = np.arange(-5, 6)
        kernel = np.exp(-(offsets**2) / (2 * sigma[k].item() ** 2))
        kernel /= kernel.sum()
        padded = np.pad(images[k, 0].numpy(), 5)
        rows, columns = 30, 35
        expected = sum(kernel[i] * kernel[j] * padded[rows + i, columns + j] for i in range(11) for j in range(11))
        assert found[k, 0, rows, columns].item() == pytest.approx(expected, abs=1e-6)


def test_soft_images_stay_images():
    images, _ = draw_sprites(64, np.random.default_rng(6))
    soft = soften(images, np.random.default_rng(7))
    assert soft.shape == images.shape
    assert 0 <= soft.min() <= soft.max() <= 1
    assert soft[images.mean(dim=0, keepdim=True).expand_as(images) == 0].mean() < 0.01
    assert not torch.equal(soft, images)


@pytest.mark.slow
def test_training_learns():
    training = train_shape_probe(ProbeRecipe(steps=150, batch_size=48, soften=0.0, seed=3), held_out=600)
    assert training.accuracy["sharp"] > 0.7


@pytest.mark.parametrize("seed", [3, 4])
def test_training_repeats_itself(seed):
    recipe = ProbeRecipe(steps=6, batch_size=32, seed=3)
    first = train_shape_probe(recipe, held_out=100)
    second = train_shape_probe(ProbeRecipe(steps=6, batch_size=32, seed=seed), held_out=100)
    weights = second.probe.state_dict()
    equal = [torch.equal(tensor, weights[name]) for name, tensor in first.probe.state_dict().items()]
    assert all(equal) if seed == 3 else not any(equal)


def test_a_saved_probe_comes_back(tmp_path):
    torch.manual_seed(1)
    probe = Probe("fruit", ("apple", "pear"))
    path = tmp_path / "deep" / "fruit.safetensors"
    save_probe(probe, path, {"seed": "1"})
    back = load_probe(path)
    images, _ = draw_sprites(5, np.random.default_rng(0))
    assert (back.target, back.labels, back.metadata["seed"]) == ("fruit", ("apple", "pear"), "1")
    assert torch.equal(back.probabilities(images), probe.probabilities(images).detach())


def test_files_that_hold_no_probe_are_refused(tmp_path):
    (tmp_path / "text.safetensors").write_text("no weights")
    save_file({"other": torch.zeros(2)}, tmp_path / "bare.safetensors")
    labelled = {"target": "shape", "labels": '["a", "b"]'}
    save_file({"other": torch.zeros(2)}, tmp_path / "wrong.safetensors", metadata=labelled)
    for name in ("absent", "text", "bare", "wrong"):
        with pytest.raises(CausalVAEError) as caught:
            load_probe(tmp_path / f"{name}.safetensors")
        assert caught.value.code == "CV213"


def test_images_of_another_size_are_refused():
    with pytest.raises(CausalVAEError) as caught:
        shipped_probe("shape").probabilities(torch.zeros(1, 1, 32, 32))
    assert caught.value.code == "CV212"
