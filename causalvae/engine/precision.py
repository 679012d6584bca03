"""Numeric precision of a run: IEEE float32 unless the spec asks for less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_DTYPES = {"float32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


def dtype_of(precision: str) -> torch.dtype:
    """The dtype of parameters and activations; outcomes are always measured in float64."""
    return _DTYPES[precision]


@contextmanager
def matrix_precision(precision: str) -> Iterator[None]:
    """Allow TF32 in matrix products and convolutions on a GPU only if `precision` is ``tf32``.

    PyTorch allows it for convolutions by default, which costs three decimal digits. CPUs have no such mode.
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
    """(owner, attribute, exact value, TF32 value) for products and convolutions in this version of PyTorch."""
    products: Any = torch.backends.cuda.matmul
    convolutions: Any = torch.backends.cudnn
    if hasattr(products, "fp32_precision"):
        return [(place, "fp32_precision", "ieee", "tf32") for place in (products, convolutions.conv)]
    return [(place, "allow_tf32", False, True) for place in (products, convolutions)]
