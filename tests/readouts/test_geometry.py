"""Moments against closed forms and a plain loop; gradients; equal bits in any batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalvae.errors import CausalVAEError
from causalvae.readouts import geometry
from causalvae.readouts.geometry import moments_of, pixel_distance, pixel_rms

FORMULAS = {
    "area": geometry.area,
    "centroid x": geometry.centroid_x,
    "centroid y": geometry.centroid_y,
    "orientation": geometry.orientation,
    "extent major": geometry.extent_major,
    "extent minor": geometry.extent_minor,
}


def read(name: str, images: torch.Tensor) -> torch.Tensor:
    return FORMULAS[name](moments_of(images))


def soft_images(n: int, side: int = 64, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.sigmoid(4 * torch.randn(n, 1, side, side, generator=generator) - 3)


def ellipse_image(angle: float, major: float, minor: float, x: float, y: float, side: int = 256) -> torch.Tensor:
    """An ellipse whose major axis is turned by `angle`, counter-clockwise on the screen; y runs downwards."""
    grid = torch.arange(side, dtype=torch.float64) + 0.5
    dx, dy = grid[None, :] - x, -(grid[:, None] - y)
    along = math.cos(angle) * dx + math.sin(angle) * dy
    across = -math.sin(angle) * dx + math.cos(angle) * dy
    return ((along / major) ** 2 + (across / minor) ** 2 <= 1).to(torch.float32)[None, None]


def test_a_rectangle_has_its_closed_form():
    image = torch.zeros(1, 1, 64, 64)
    image[0, 0, 10:16, 20:40] = 0.5
    assert read("area", image).item() == 6 * 20 * 0.5
    assert read("centroid x", image).item() == 30.0
    assert read("centroid y", image).item() == 13.0
    # The variance of n equal point masses at unit distance is (n^2 - 1) / 12.
    assert read("extent major", image).item() == pytest.approx(math.sqrt((20**2 - 1) / 12), rel=1e-12)
    assert read("extent minor", image).item() == pytest.approx(math.sqrt((6**2 - 1) / 12), rel=1e-12)
    assert read("orientation", image).item() == 0.0
    assert read("orientation", image.transpose(2, 3)).item() == pytest.approx(math.pi / 2)


def test_one_pixel_is_a_point():
    image = torch.zeros(3, 1, 64, 48)
    for k, (row, column) in enumerate([(0, 0), (63, 47), (17, 30)]):
        image[k, 0, row, column] = 0.25
    assert read("centroid x", image).tolist() == [0.5, 47.5, 30.5]
    assert read("centroid y", image).tolist() == [0.5, 63.5, 17.5]
    assert read("area", image).tolist() == [0.25] * 3
    assert read("extent major", image).tolist() == [0.0] * 3


@pytest.mark.parametrize("angle", [-1.5, -0.7, 0.0, 0.3, 1.1, math.pi / 2])
def test_an_ellipse_has_its_closed_form(angle):
    image = ellipse_image(angle, 80.0, 30.0, 120.0, 131.0)
    assert read("area", image).item() == pytest.approx(math.pi * 80 * 30, rel=2e-3)
    assert read("centroid x", image).item() == pytest.approx(120.0, abs=0.05)
    assert read("centroid y", image).item() == pytest.approx(131.0, abs=0.05)
    # A full ellipse spreads by half of each semi-axis.
    assert read("extent major", image).item() == pytest.approx(40.0, rel=2e-3)
    assert read("extent minor", image).item() == pytest.approx(15.0, rel=4e-3)
    found = read("orientation", image).item()
    assert -math.pi / 2 < found <= math.pi / 2
    assert math.cos(2 * (found - angle)) > 1 - 1e-5


@pytest.mark.parametrize(("height", "width"), [(64, 64), (5, 9), (200, 130)])
def test_moments_agree_with_a_plain_loop(height, width):
    image = soft_images(1, max(height, width), seed=3)[:, :, :height, :width].contiguous()
    pixels = [(r + 0.5, c + 0.5, image[0, 0, r, c].item()) for r in range(height) for c in range(width)]
    mass = math.fsum(v for _, _, v in pixels)
    x, y = math.fsum(v * c for _, c, v in pixels) / mass, math.fsum(v * r for r, _, v in pixels) / mass
    found = moments_of(image)
    assert found.mass.item() == pytest.approx(mass, abs=height * width * 2.0**-24)
    assert found.x.item() == pytest.approx(x, abs=1e-5)
    assert found.y.item() == pytest.approx(y, abs=1e-5)
    for name, power_x, power_y in (("xx", 2, 0), ("xy", 1, 1), ("yy", 0, 2)):
        expected = math.fsum(v * (c - x) ** power_x * (r - y) ** power_y for r, c, v in pixels) / mass
        assert getattr(found, name).item() == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_an_empty_image_is_defined_with_and_without_gradient():
    for images in (torch.zeros(2, 1, 64, 32), torch.zeros(2, 1, 64, 32, requires_grad=True)):
        found = {name: read(name, images) for name in FORMULAS}
        assert found["centroid x"].tolist() == [16.0, 16.0]
        assert found["centroid y"].tolist() == [32.0, 32.0]
        for name in ("area", "orientation", "extent major", "extent minor"):
            assert found[name].tolist() == [0.0, 0.0]
    torch.stack(list(found.values())).sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()


def test_no_rows_give_no_values():
    for name in FORMULAS:
        assert read(name, torch.zeros(0, 1, 64, 64)).shape == (0,)


@pytest.mark.parametrize("name", FORMULAS)
def test_gradients_are_those_of_finite_differences(name):
    images = soft_images(2, side=6, seed=1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda batch: read(name, batch), (images,), atol=1e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_asking_for_a_gradient_changes_nothing_that_matters(name):
    images = soft_images(20)
    assert torch.allclose(read(name, images), read(name, images.clone().requires_grad_()), rtol=0, atol=2e-5)


@given(st.integers(1, 150), st.integers(0, 2**31))
@settings(max_examples=8, deadline=None)
def test_a_row_has_equal_bits_in_any_batch(n, seed):
    images = soft_images(150, seed=seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(150)[:n])
    for formula in FORMULAS.values():
        whole = formula(moments_of(images))
        assert torch.equal(formula(moments_of(images[order])), whole[order])
        assert torch.equal(formula(moments_of(images[7:8])), whole[7:8])


def test_mirrored_images_have_mirrored_readouts_bit_for_bit():
    """Sums are exact, so the order in which pixels are added cannot show."""
    images = soft_images(30, seed=9)
    here, there = moments_of(images), moments_of(images.flip(3))
    assert torch.equal(here.mass, there.mass)
    assert torch.equal(here.yy, there.yy)
    assert torch.equal(here.xy, -there.xy)
    assert torch.equal(here.xx, there.xx)


def test_distances_agree_with_numpy():
    first, second = soft_images(5, seed=1), soft_images(5, seed=2)
    difference = (first.double() - second.double()).numpy().reshape(5, -1)
    assert np.allclose(pixel_distance(first, second), np.linalg.norm(difference, axis=1), rtol=1e-12)
    assert np.allclose(pixel_rms(first, second), np.sqrt((difference**2).mean(axis=1)), rtol=1e-12)
    assert pixel_distance(first, first).tolist() == [0.0] * 5


def test_distances_have_gradients_also_at_zero():
    first = soft_images(2, side=4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda batch: pixel_rms(batch, soft_images(2, side=4, seed=5)), (first,))
    pixel_distance(first, first.detach()).sum().backward()
    assert torch.equal(first.grad, torch.zeros_like(first))


@pytest.mark.parametrize("shape", [(2, 3, 64, 64), (2, 64, 64), (64, 64)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(CausalVAEError) as caught:
        moments_of(torch.zeros(shape))
    assert caught.value.code == "CV211"
