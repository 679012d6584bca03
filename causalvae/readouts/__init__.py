"""Semantic attributes measured on decoded outputs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from causalvae.readouts.checks import check_readouts
    from causalvae.readouts.geometry import pixel_distance, pixel_rms
    from causalvae.readouts.readout import Readout, build_readouts, measure
    from causalvae.readouts.types import ReadoutCheck, wrap

# Imported when first asked for: packages that must not load torch import the types.
_HOMES = {
    "Readout": "readout",
    "ReadoutCheck": "types",
    "build_readouts": "readout",
    "check_readouts": "checks",
    "measure": "readout",
    "pixel_distance": "geometry",
    "pixel_rms": "geometry",
    "wrap": "types",
}

__all__ = [
    "Readout",
    "ReadoutCheck",
    "build_readouts",
    "check_readouts",
    "measure",
    "pixel_distance",
    "pixel_rms",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"causalvae.readouts.{_HOMES[name]}"), name)
