"""Which data a spec was run on: the content of its files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
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


def list_files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a folder, in the order of their names: path within the folder, and status.

    Folders of images hold hundreds of thousands of files, so that each costs one call of the system.
    """
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                inside = list_files(folder / entry.name)
                yield from ((f"{entry.name}/{name}", status) for name, status in inside)
            elif entry.is_file():
                yield entry.name, entry.stat()


def _digest_path(path: Path) -> str | list[tuple[str, str]]:
    if path.is_dir():
        return [(name, _digest_file(path / name, status)) for name, status in list_files(path)]
    return _digest_file(path, path.stat()) if path.is_file() else "absent"


def _digest_file(path: Path, status: os.stat_result) -> str:
    return _content(str(path), status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=1 << 18)
def _content(path: str, size: int, changed: int, inode: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
