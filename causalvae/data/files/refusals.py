"""Errors of files that are missing, have a wrong layout, or need a library that is not installed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from causalvae.data.factors import IntArray
from causalvae.errors import CausalVAEError


def absent(path: Path, what: str, remedy: str) -> CausalVAEError:
    """The error CV230: `path`, expected to be `what`, does not exist."""
    return CausalVAEError("CV230", f"There is no {path.name} ({what}).", remedy, str(path))


def in_samples(rows: Sequence[int] | IntArray) -> str:
    """Where entries cannot be used: the first sample, and how many others there are."""
    more = f", and in {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return f"in sample {rows[0]} (counted from 0){more}"


def misshapen(path: Path, what: str, expected: str, found: str, remedy: str) -> CausalVAEError:
    """The error CV231: `path` does not have the layout of `what`."""
    return CausalVAEError(
        "CV231", f"This is not laid out as {what}: expected {expected}; found {found}.", remedy, str(path)
    )


def no_such(name: str, known: Sequence[str], field: str, path: Path) -> CausalVAEError:
    """The error CV234: `field` in the spec names a column or array that the file at `path` lacks."""
    close = get_close_matches(name, known, 3)
    shown = ", ".join(close or known[:8]) + ("" if close or len(known) <= 8 else ", ...")
    return CausalVAEError(
        "CV234", f"{path.name} holds no {name!r}, which {field} names.", f"It holds {shown}.", str(path)
    )


def require_space(wanted: int, what: str, remedy: str) -> None:
    """Raise CV233 if the folder of temporary files has less than `wanted` bytes free for `what`."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if wanted > free:
        raise CausalVAEError(
            "CV233",
            f"Unpacked, {what} takes {wanted / 1e9:.1f} GB; {free / 1e9:.1f} GB are free.",
            remedy,
            tempfile.gettempdir(),
        )


def import_extra(module: str, extra: str, path: Path) -> Any:
    """Import an optional library.

    Raises
    ------
    CausalVAEError
        CV232 if it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise CausalVAEError(
            "CV232",
            f"Reading this file takes the library {module}, which is not installed.",
            f"Install it with pip install 'causalvae[{extra}]'.",
            str(path),
        ) from error
