"""Recovery of an earlier run: intact tables are reused, damaged ones are measured again."""

from __future__ import annotations

from pathlib import Path

from causalvae.engine.tables import TABLE_PATTERNS
from causalvae.errors import CausalVAEError
from causalvae.files import DamagedFileError, checksum_of, discard, read_json, read_sealed

_MANIFEST = "manifest.json"
_COSTS = "costs/*.json"


def discard_damaged(folder: Path) -> None:
    """Delete damaged tables of a run, each with a message; the run then measures them again.

    A file is damaged if its content does not match its checksum, or if the manifest of a finished run contains another
    checksum.

    Parameters
    ----------
    folder : Path
        Folder of the tables; see `causalvae.engine.execute.execute_plan`.
    """
    recorded = _recorded(folder / _MANIFEST)
    for pattern in (*TABLE_PATTERNS, _COSTS):
        for path in sorted(folder.glob(pattern)):
            expected = recorded.get(path.relative_to(folder).as_posix())
            try:
                found = checksum_of(read_sealed(path))
            except DamagedFileError:
                found = ""
            if not found or found != (expected or found):
                discard(path, "what it held is measured again")


def record_checksums(folder: Path) -> dict[str, str]:
    """Path of each table of a run, relative to `folder` -> checksum."""
    return {
        path.relative_to(folder).as_posix(): checksum_of(read_sealed(path))
        for pattern in TABLE_PATTERNS
        for path in sorted(folder.glob(pattern))
    }


def _recorded(manifest: Path) -> dict[str, str]:
    if not manifest.exists():
        return {}
    try:
        return dict(read_json(manifest)["files"])
    except (CausalVAEError, KeyError):
        discard(manifest, "it is written again")
        return {}
