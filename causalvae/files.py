"""Files that are written whole, never through a link, and read only as they were written.

Every file that a later command reads carries a checksum of itself: the text ``causalvae-sha256:`` and 64 hexadecimal
digits, which are the SHA-256 of the file with zeros in place of these digits. The checksum is part of the file, so it
cannot get out of step when several processes write, and the formats (JSON, Parquet, safetensors, files of torch.save)
stay readable by every other program.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO

from causalvae.boundary import boundary
from causalvae.errors import CausalVAEError
from causalvae.text import escape_json, visible

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_MARK = b"causalvae-sha256:"
_DIGITS = 64
UNSEALED = (_MARK + b"0" * _DIGITS).decode()
_JSON_KEY = "checksum"
_TAIL = 1 << 20
_PARTIAL = ".partial"
# Where files cannot be locked, a partial file of this age (seconds) has been left by a process that is gone.
_STALE = 86_400.0


class DamagedFileError(CausalVAEError):
    """A file whose content is not what was written; `reason` says in which way."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(
            "CV409",
            f"the file {path} is damaged: {reason}.",
            "Delete it and run the same command again, or restore it from a copy.",
            str(path),
        )


# -- checksums ---------------------------------------------------------------------------------------------------------


def seal(data: bytes, first: bool = False) -> bytes:
    """`data`, which contains `UNSEALED`, with its checksum in the last such place, or in the first."""
    mark = UNSEALED.encode()
    start = (data.index(mark) if first else data.rindex(mark)) + len(_MARK)
    digest = hashlib.sha256(data).hexdigest().encode()
    return data[:start] + digest + data[start + _DIGITS :]


def append_seal(data: bytes) -> bytes:
    """`data` with its checksum behind it; for formats that allow bytes after their end."""
    return seal(data + b"\n" + UNSEALED.encode())


def is_special(path: Path) -> bool:
    """Whether a path names a device or a pipe: reading one may wait for ever, or never end."""
    return path.exists() and not (path.is_file() or path.is_dir())


def read_sealed(path: Path) -> bytes:
    """The content of a file, once its checksum has been verified.

    Raises
    ------
    DamagedFileError
        CV409 where the file has no checksum or another content.
    OSError
        Where it cannot be read at all.
    """
    if is_special(path):
        raise DamagedFileError(path, "it is a device or pipe")
    data = path.read_bytes()
    if _MARK not in data:
        raise DamagedFileError(path, "it has no checksum" if data else "it is empty")
    for start in {data.find(_MARK) + len(_MARK), data.rfind(_MARK) + len(_MARK)}:
        found = data[start : start + _DIGITS]
        blank = data[:start] + b"0" * _DIGITS + data[start + _DIGITS :]
        if found == hashlib.sha256(blank).hexdigest().encode():
            return data
    raise DamagedFileError(path, "its content does not match its checksum")


def checksum_of(data: bytes) -> str:
    """The checksum that `data`, which `read_sealed` gave, carries."""
    start = data.rfind(_MARK) + len(_MARK)
    return data[start : start + _DIGITS].decode()


def discard(path: Path, consequence: str) -> None:
    """Delete a damaged file and tell the user what follows from it."""
    # Validating a spec reads no damaged file, and is done before this is loaded.
    import logging

    logging.getLogger("causalvae").warning("%s is damaged and has been deleted: %s.", visible(str(path)), consequence)
    path.unlink(missing_ok=True)


# -- JSON --------------------------------------------------------------------------------------------------------------


def json_text(value: Mapping[str, Any], **options: Any) -> str:
    """A mapping as JSON text that begins with its checksum; `options` are those of `json.dumps`."""
    text = escape_json(json.dumps({_JSON_KEY: UNSEALED, **value}, **options)) + "\n"
    # What follows may quote a spec, and a spec may contain anything.
    return seal(text.encode(), first=True).decode()


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write a mapping as JSON with a checksum, so that a reader sees either all of it or nothing."""
    write_file(path, json_text(value, indent=1))


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a file that `write_json` or `json_text` made, without its checksum.

    Raises
    ------
    DamagedFileError
        CV409 where the content is not what was written.
    OSError
        Where it cannot be read at all.
    """
    data = read_sealed(path)
    with boundary("CV409", f"the file {path} is damaged: it is not a JSON mapping", _REWRITE, str(path)):
        content: dict[str, Any] = json.loads(data)
        content.pop(_JSON_KEY)
    return content


_REWRITE = "Delete it and run the same command again."

# -- writing -----------------------------------------------------------------------------------------------------------


def make_folder(folder: Path, below: Path) -> Path:
    """Make a folder and those above it, none of which may be a link from `below` on.

    Parameters
    ----------
    folder : Path
        `below`, or a folder in it.
    below : Path
        The folder that the user named. What lies above it may contain links where it is an absolute path.

    Raises
    ------
    CausalVAEError
        CV414 where `below`, or a folder between it and `folder`, is a link.
    """
    _refuse_long(folder)
    inside = len(folder.relative_to(below).parts)
    own = [folder, *folder.parents][: inside + 1 if below.is_absolute() else None]
    own[-1].parent.mkdir(parents=True, exist_ok=True)
    for current in reversed(own):
        _refuse_link(current)
        current.mkdir(exist_ok=True)
    return folder


def _refuse_long(path: Path) -> None:
    """Raise the system's error for a path that is too long, before folders above it have been made."""
    for whole in (path, *(Path(path.anchor, part) for part in path.parts)):
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            whole.lstat()


def _refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise CausalVAEError(
            "CV414",
            f"{folder} is a symbolic link, and nothing is written through links.",
            f"Name the folder that it leads to ({folder.readlink()}), or replace the link with a folder.",
            str(folder),
        )


def write_file(path: Path, content: bytes | str) -> None:
    """Put a file in place whole: a reader sees the old content or all of the new one.

    A link at `path` is replaced, never followed. The file gets the permissions that the user's umask gives. Any number
    of processes may write the same path at once.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    content : bytes or str
        Text is encoded as UTF-8; a lone surrogate, which has no encoding, becomes a question mark.

    Raises
    ------
    CausalVAEError
        CV414 where the folder is a link.
    """
    with _partial(path, content) as partial:
        partial.replace(path)


def write_once(path: Path, content: bytes | str) -> bool:
    """Put a file in place where there is none; of several processes the first succeeds, and the others give False."""
    with _partial(path, content) as partial:
        try:
            os.link(partial, path, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError:
            # A file system without hard links.
            if path.exists() or path.is_symlink():
                return False
            partial.replace(path)
    return True


@contextmanager
def stream_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write in parts, put in place whole at the end; nothing is where an error ends it.

    Its checksum replaces the last `UNSEALED` that was written, which is among its last `_TAIL` bytes.
    """
    with _open_new(path) as (file, partial):
        yield file
        file.flush()
        _seal_file(file)
        _finish(file)
        partial.replace(path)


@contextmanager
def _partial(path: Path, content: bytes | str) -> Iterator[Path]:
    """A new file next to `path` that holds `content`; removed at the end unless it has been moved."""
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    with _open_new(path) as (file, partial):
        file.write(data)
        _finish(file)
        # Moved while it is still locked, so that no other process takes it for a leftover.
        yield partial


@contextmanager
def _open_new(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file next to `path`, open and locked; removed at the end unless it has been moved."""
    _refuse_link(path.parent)
    handle, partial = _open_partial(path)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file, partial
    except OSError as error:
        # Where writing fails, as on a full disk, the system names no file.
        if error.errno is not None:
            error.filename = error.filename or str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def _finish(file: BinaryIO) -> None:
    file.flush()
    # A name must not reach the disk before what it names: the machine may go down, not the process alone.
    os.fsync(file.fileno())
    if fcntl is None:
        # Windows moves no open file.
        file.close()


def _seal_file(file: BinaryIO) -> None:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_TAIL):
        digest.update(block)
    end = file.seek(0, os.SEEK_END)
    tail = max(0, end - _TAIL)
    file.seek(tail)
    start = file.read().rindex(UNSEALED.encode()) + len(_MARK)
    file.seek(tail + start)
    file.write(digest.hexdigest().encode())


def _open_partial(path: Path) -> tuple[int, Path]:
    """A file of a new name, locked for as long as it is open."""
    remove_leftovers(path)
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}{_PARTIAL}")
        handle = os.open(partial, flags, 0o666)
        # Between the two calls another process may have taken the file for a leftover.
        if _lock(handle) is not False and _is_still(handle, partial):
            return handle, partial
        os.close(handle)


def _lock(handle: int) -> bool | None:
    """Lock an open file; False where another process holds it, None where files cannot be locked here."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_still(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def remove_leftovers(path: Path) -> None:
    """Remove the partial files of processes that were killed while they wrote this file."""
    for leftover in path.parent.glob(f".{escape(path.name)}.*{_PARTIAL}"):
        _remove_if_stale(leftover)


def remove_stale(folder: Path) -> None:
    """Remove the partial files below `folder` that belong to no running process.

    A process holds a lock on what it writes, which ends with the process, also where it is killed.
    """
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(_PARTIAL):
                _remove_if_stale(Path(place, name))


def _remove_if_stale(path: Path) -> None:
    try:
        # Opening a pipe would wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        # Moved into place meanwhile, a link, or another user's.
        return
    try:
        locked, found = _lock(handle), os.fstat(handle)
        old = locked is None and found.st_mtime < time.time() - _STALE
        if (locked or old) and stat.S_ISREG(found.st_mode) and _is_still(handle, path):
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)
