"""Hashes of the content of data files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from causalvae.digest import digest


def digest_files(paths: Iterable[Path]) -> str:
    """Hash of the content of files and folders; empty if there are none.

    Folders include all files below them. Hashes are cached; a file is read again only if its size or modification time
    changes.

    Parameters
    ----------
    paths : iterable of Path
        May include paths that do not exist.
    """
    found = [_digest_path(path) for path in paths]
    return digest(found) if found else ""


def list_files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All files below a folder, sorted by name: path within the folder, and status.

    Uses one system call per file, since folders of images may have hundreds of thousands of files.
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
