"""Which numbers a run computes with: float32 as IEEE has it unless a spec asks for less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_DTYPES = {"float32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


def dtype_of(precision: str) -> torch.dtype:
    """The type of parameters and activations; outcomes are measured in float64 in any case."""
    return _DTYPES[precision]


@contextmanager
def matrix_precision(precision: str) -> Iterator[None]:
    """Let matrix products and convolutions on a GPU round to TF32 only where `precision` is ``tf32``.

    PyTorch lets convolutions do so by default, which costs three decimal digits. A CPU has no such mode.
    """
    places = _switches()
    before = [getattr(place, name) for place, name, _, _ in places]
    for place, name, exact, fast in places:
        setattr(place, name, fast if precision == "tf32" else exact)
    try:
        yield
    finally:
        for (place, name, _, _), value in zip(places, before, strict=True):
            setattr(place, name, value)


def _switches() -> list[tuple[Any, str, Any, Any]]:
    """(holder, attribute, exact value, TF32 value) of products and convolutions in this version of PyTorch."""
    products: Any = torch.backends.cuda.matmul
    convolutions: Any = torch.backends.cudnn
    if hasattr(products, "fp32_precision"):
        return [(place, "fp32_precision", "ieee", "tf32") for place in (products, convolutions.conv)]
    return [(place, "allow_tf32", False, True) for place in (products, convolutions)]
