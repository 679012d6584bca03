"""Matrix products on a CPU."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Products with fewer inputs or weights gain nothing from oneDNN. Up to 128 inputs both libraries round alike; of 256
# the error of oneDNN is 1.4 times as large, of 1,024 1.6 times, and that of Burgess's network was more than 1e-5.
_FEW_INPUTS, _MANY_INPUTS, _FEW_WEIGHTS = 32, 128, 4096


@dataclass(frozen=True)
class Linear:
    """`linear` as the function of an operation; it prints as what it computes."""

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The product; by PyTorch's own function where a gradient may be taken through it."""
        if torch.is_grad_enabled():
            return torch.nn.functional.linear(x, weight, bias)
        return linear(x, weight, bias)

    def __str__(self) -> str:
        return str(_LINEAR)


_LINEAR = torch.ops.aten.linear.default
# Affine functions of a vector.
LINEAR = frozenset((_LINEAR, Linear()))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A matrix product on a CPU by oneDNN, which uses AVX-512 on processors where PyTorch's own library does not."""
    suits = _FEW_INPUTS <= weight.shape[1] <= _MANY_INPUTS and weight.numel() >= _FEW_WEIGHTS
    if not suits or x.device.type != "cpu" or x.dtype is not torch.float32 or not has_kernel(x.dtype):
        return torch.nn.functional.linear(x, weight, bias)
    # One row alone is computed by other kernels.
    rows = len(x)
    several = x if rows > 1 else x.expand(2, *x.shape[1:])
    found: Tensor = torch.ops.mkldnn._linear_pointwise(several, weight, bias, "none", [], "")
    return found[:rows]


def has_kernel(dtype: torch.dtype) -> bool:
    """Whether oneDNN is there and computes convolutions of such numbers on this machine."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype is torch.float32 or (dtype is torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))
