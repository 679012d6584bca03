"""Data on disk that is right, broken or hostile, and what became of it when a data source read it."""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import TypeAdapter

from causalvae.data.dataset import FiniteDataset, open_dataset
from causalvae.errors import CausalVAEError
from causalvae.spec.data_section import AnyData
from tests.fuzz.time_limit import time_limit

# A file that is not read after so many seconds hangs.
_HANGS: Final = 120
_SECTION: Final[TypeAdapter[Any]] = TypeAdapter(AnyData)

Right = Callable[[np.ndarray, FiniteDataset], str]
"""From the inputs of all samples, and the data set, to what is wrong with them; empty where nothing is."""


@dataclass(frozen=True)
class DataCase:
    """Files, how a spec names them, and what is right.

    Parameters
    ----------
    kind : str
        What the page counts it under.
    what : str
        How it was made, to find it again.
    files : mapping
        Name -> content.
    section : mapping
        The spec's data section.
    outcome : {"accepted", "refused", "either"}
    is_right : callable
        Checks what was accepted.
    """

    kind: str
    what: str
    files: Mapping[str, bytes]
    section: Mapping[str, Any]
    outcome: Literal["accepted", "refused", "either"]
    is_right: Right


@dataclass
class DataCounts:
    """What became of cases: how many were refused with a code, how many accepted, and which broke a promise."""

    tried: int = 0
    refused: int = 0
    accepted: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class HangsError(BaseException):
    """A file took too long; no ``except Exception`` takes it."""


def read_cases(cases: Iterator[DataCase]) -> dict[str, DataCounts]:
    """Write each case to a folder of its own and read all of its samples as a run reads them: kind -> counts."""
    counts: dict[str, DataCounts] = {}
    with tempfile.TemporaryDirectory() as place:
        for number, case in enumerate(cases):
            found = counts.setdefault(case.kind, DataCounts())
            found.tried += 1
            folder = Path(place, str(number))
            folder.mkdir()
            for name, content in case.files.items():
                (folder / name).write_bytes(content)
            _read(case, folder, found)
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
    return counts


def _read(case: DataCase, folder: Path, counts: DataCounts) -> None:
    try:
        with time_limit(_HANGS, HangsError(f"not done after {_HANGS} s")), warnings.catch_warnings(action="error"):
            data: Any = open_dataset(_SECTION.validate_python(case.section), folder)
            inputs = data.inputs(data.rows_at(np.arange(data.size))).numpy()
    except CausalVAEError as error:
        counts.refused += 1
        counts.codes[error.code] += 1
        if not (error.message and error.remedy):
            counts.failures.append(f"{case.what}: refused without words: {error!r}")
        elif case.outcome == "accepted":
            counts.failures.append(f"{case.what}: refused: {error}")
        return
    except (Exception, HangsError) as error:  # what this program looks for
        counts.failures.append(f"{case.what}: {type(error).__name__}: {error}"[:500])
        return
    counts.accepted += 1
    wrong = "" if np.isfinite(inputs).all() and inputs.dtype == np.float32 else "inputs that are not finite float32"
    wrong = wrong or case.is_right(inputs, data)
    if case.outcome == "refused" or wrong:
        counts.failures.append(f"{case.what}: accepted{': ' if wrong else ''}{wrong}")
