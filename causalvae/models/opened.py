"""What opening a model source gives, whichever source it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
        Content hash of all that decides what it computes, but for how the spec says that it is read.
    facts : dict
        What a report says of it.
    unused : tuple of str
        Names of the parameters that neither part uses.
    digest : str
        Content hash of the network as it is read; of its identity and the section's keys where empty.
    """

    vae: VAE
    identity: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    digest: str = ""


def read_config(path: Path, where: str, code: str, wanted: str) -> dict[str, Any]:
    """A JSON file with a mapping at the top.

    Parameters
    ----------
    path : Path
    where : str
        The folder as the user wrote it.
    code : str
        Of the error that is raised where there is no such file or it is no such JSON.
    wanted : str
        What the folder should be: ends the sentence "this is ...".
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
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
