"""Which data a spec was run on: the content of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from causalvae.digest import digest


def digest_files(paths: Iterable[Path]) -> str:
    """A hash of the content of files and folders; empty for none.

    Folders count with everything below them. A file is read again only where its size or its time of change is another
    than before.

    Parameters
    ----------
    paths : iterable of Path
        A path that does not exist counts as absent.
    """
    found = [_digest_path(path) for path in paths]
    return digest(found) if found else ""


def _digest_path(path: Path) -> str | list[tuple[str, str]]:
    if path.is_dir():
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        return [(file.relative_to(path).as_posix(), _digest_file(file)) for file in inside]
    return _digest_file(path) if path.is_file() else "absent"


def _digest_file(path: Path) -> str:
    status = path.stat()
    return _content(str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=1 << 18)
def _content(path: str, size: int, changed: int, inode: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
