"""Normalisation of channels-last images against PyTorch's in double precision."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from causalvae.engine.lowering import Convolution1d, convolve
from causalvae.engine.norms import ChannelAffine, GroupNorm

SHAPES = [(16, 8, 8), (6, 5, 7), (32, 4, 4), (8, 33, 33)]


def images(shape: tuple[int, ...], last: bool) -> torch.Tensor:
    # A mean that is large compared with the deviation: squares then lose what the variance needs.
    x = 3.0 + 0.2 * torch.randn((37, *shape), generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last) if last else x


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("affine", [True, False])
def test_group_norm_is_as_exact_as_of_contiguous_images(shape: tuple[int, ...], affine: bool) -> None:
    groups = 2
    weight, bias = (torch.randn(shape[0]), torch.randn(shape[0])) if affine else (None, None)
    norm = GroupNorm(torch.ops.aten.group_norm.default)
    x = images(shape, True)
    exact = F.group_norm(x.double(), groups, *(None if v is None else v.double() for v in (weight, bias)), eps=1e-6)
    found = norm(x, groups, weight, bias, 1e-6)
    assert found.is_contiguous(memory_format=torch.channels_last)
    error = float((found - exact).abs().max())
    assert error <= 3 * float((F.group_norm(x.contiguous(), groups, weight, bias, 1e-6) - exact).abs().max()) + 1e-6
    assert torch.equal(
        norm(x.contiguous(), groups, weight, bias, 1e-6), F.group_norm(x.contiguous(), groups, weight, bias, 1e-6)
    )
    apart = torch.cat([norm(part, groups, weight, bias, 1e-6) for part in x.split(5)])
    assert torch.equal(apart, found)


@pytest.mark.parametrize("shape", [*SHAPES, (12,), (5, 9)])
@pytest.mark.parametrize("last", [True, False])
def test_channel_affine_is_a_product_and_a_sum(shape: tuple[int, ...], last: bool) -> None:
    x = images(shape, last and len(shape) == 3)
    scale, shift = torch.randn(shape[0]), torch.randn(shape[0])
    wide = (shape[0], *[1] * (len(shape) - 1))
    found = ChannelAffine()(x, scale, shift)
    torch.testing.assert_close(found, (x.double() * scale.view(wide) + shift.view(wide)).float(), rtol=1e-6, atol=1e-6)
    overwritten = x.clone()
    ChannelAffine().into(overwritten, overwritten, scale, shift)
    assert torch.equal(overwritten, found)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_along_one_axis_is_pytorchs(transposed: bool, groups: int) -> None:
    x, bias = torch.randn(16, 4, 30), torch.randn(6)
    weight = torch.randn(*((4, 6 // groups) if transposed else (6, 4 // groups)), 5)
    image = weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    extra = 1 if transposed else 0
    found = Convolution1d(transposed)(x, image, bias, 2, 3, extra, groups, 2)
    if transposed:
        expected = F.conv_transpose1d(x, weight, bias, 2, 3, extra, groups, 2)
    else:
        expected = F.conv1d(x, weight, bias, 2, 3, 2, groups)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 3, 33])
def test_a_convolution_needs_no_kernel_of_onednn(
    rows: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, generator=generator).to(dtype) for shape in ((rows, 3, 4, 4), (2, 3, 1, 1)))
    expected = F.conv2d(x.double(), weight.double())
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 5e-2}[dtype]
    for available in (True, False):
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda available=available: available)
        found = convolve(x, weight, None, (1, 1), (0, 0), (1, 1), 1)
        assert found.dtype is dtype
        torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)
