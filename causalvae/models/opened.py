"""The result of opening a model source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from causalvae.errors import CausalVAEError
from causalvae.models.vae import VAE


@dataclass(frozen=True)
class Opened:
    """A network in memory, not yet captured.

    Parameters
    ----------
    vae : VAE
    identity : str
        Content hash of everything that determines the function it computes, except how the spec declares it is read.
    facts : dict
        Facts for the report.
    unused : tuple of str
        Names of the parameters that neither encoder nor decoder uses.
    digest : str
        Content hash of the network as it is read; if empty, made from `identity` and the section's keys.
    """

    vae: VAE
    identity: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    digest: str = ""


def _finite(text: str) -> float:
    """A number in JSON, which has none that is infinite or NaN; Python reads these as well."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def read_config(path: Path, where: str, code: str, wanted: str) -> dict[str, Any]:
    """Read a JSON file that holds a mapping.

    Parameters
    ----------
    path : Path
    where : str
        The folder as the user wrote it.
    code : str
        Code of the error if the file is missing or is not a JSON mapping.
    wanted : str
        What the folder should be, for the remedy of the error.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else "null"
        found = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        is_there = path.is_file()
        raise CausalVAEError(
            code,
            f"{where} has {'a' if is_there else 'no'} {path.name}{' that is no JSON mapping' if is_there else ''}.",
            f"Name {wanted}; paths are relative to the spec file.",
            "model",
        )
    return found
