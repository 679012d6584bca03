"""Errors of foreign code (the operating system, libraries, file formats) as errors with a code and a remedy."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from causalvae.errors import CausalVAEError, MemoryRanOutError, first_line

P = ParamSpec("P")
R = TypeVar("R")

_FULL = "Free some space, or name a place on another disk; the same command resumes the run."
_DENIED = "Name a place that you may read and write, or change its permissions."
_IN_THE_WAY = "There is a file where a folder is needed: name another folder, or move the file."
_SYSTEM_REMEDIES = {
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: "There is a folder where a file is needed: name another file, or move the folder.",
    errno.ENOENT: "Name a path that exists.",
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "Name a place on a disk that can be written.",
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`); the same command resumes the run.",
    errno.ENAMETOOLONG: "Name a shorter path.",
    errno.ELOOP: "A link leads back to itself: name the folder that it was meant for.",
    errno.EMFILE: "Close other programs, or raise the limit of open files (`ulimit -n`).",
    errno.EIO: "The disk or the network cannot be read or written: check it, or use another.",
}
_LITTLE = 64 << 20
# What the allocators and the loader say: torch, C++, threads, shared libraries.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "std::bad_alloc",
    "out of memory",
    "can't start new thread",
    "failed to launch worker thread",
    "failed to map segment",
    "resource temporarily unavailable",
    "unable to mmap",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: Python's, a GPU's, or that of a library's allocator."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno is not None:
        # Its text has the name of a file, which may say anything.
        return error.errno in (errno.ENOMEM, errno.EAGAIN)
    if isinstance(error, (CausalVAEError, ValueError, TypeError, LookupError)):
        # These quote what a user wrote.
        return False
    said = str(error).lower()
    if any(words in said for words in _OUT_OF_MEMORY):
        return True
    return isinstance(error, (SystemError, ImportError, AttributeError)) and _is_scarce()


def refuse_lack_of_memory(error: BaseException) -> None:
    """Raise CV415 where memory ran out, before something else is tried in place of what failed.

    Otherwise a network would be run in another way than with more memory. Libraries wrap errors, so what led to `error`
    counts too, and so does that there is hardly any memory now.
    """
    cause: BaseException | None = error
    while cause is not None and not is_out_of_memory(cause):
        cause = cause.__cause__ or cause.__context__
    cause = MemoryError() if cause is None and _is_scarce() else cause
    if cause is not None and (found := explain_system(cause)) is not None:
        raise found from error


def _is_scarce() -> bool:
    """Whether not even a little memory is to be had.

    Code in C that gets none often sets no exception (SystemError), and a module that got none is imported in part.
    """
    try:
        # Its pages are not used, so that they cost nothing.
        bytearray(_LITTLE)
    except MemoryError:
        return True
    return False


def _is_of_a_name(error: BaseException) -> bool:
    """Whether a library refused the name of a file that is not UTF-8, which Python keeps as escaped bytes."""
    if not isinstance(error, UnicodeEncodeError):
        return False
    return all("\udc80" <= character <= "\udcff" for character in error.object[error.start : error.end])


def is_of_system(error: BaseException) -> bool:
    """Whether an error is the machine's (memory, permissions, room on a disk), and no fault of what is read.

    Libraries raise OSError without a number for damaged content, and offsets beyond what a file can have give EINVAL.
    """
    if is_out_of_memory(error) or _is_of_a_name(error):
        return True
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def explain_system(error: BaseException) -> CausalVAEError | None:
    """An error of the machine (memory, files, nesting) as an error that a user can correct; None for any other.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    CausalVAEError or None
        CV415 where memory ran out, CV416 where values are nested too deeply, CV410 for what the operating system
        refused.
    """
    if is_out_of_memory(error):
        return MemoryRanOutError(
            "CV415",
            f"Memory ran out ({first_line(error)}).",
            "Close other programs, raise the memory limit (`ulimit -v`), or lower execution.batch_rows; finished parts "
            "are kept and the same command resumes the run.",
        )
    if isinstance(error, RecursionError):
        return CausalVAEError(
            "CV416", "Values are nested too deeply to be read.", "Write fewer levels of lists and mappings."
        )
    if _is_of_a_name(error):
        return CausalVAEError(
            "CV410",
            "The name of a file or folder is not UTF-8, which a library cannot read.",
            "Rename it, or name a folder whose path is UTF-8; the same command resumes the run.",
        )
    if isinstance(error, OSError):
        paths = [str(path) for path in (error.filename, error.filename2) if path is not None]
        return CausalVAEError(
            "CV410",
            f"The operating system refused a file or folder: {error.strerror or first_line(error)}.",
            _SYSTEM_REMEDIES.get(
                error.errno or 0,
                "Check the paths in the command and the spec; `causalvae --debug ...` shows where it was.",
            ),
            " -> ".join(paths) or None,
        )
    return None


def as_coded(error: Exception) -> CausalVAEError | None:
    """An error of this package, or of the machine, as what a user is shown; None for any other.

    What a network or a library raises is reported as a fault of the network or of its file, unless memory ran out.
    """
    if not isinstance(error, CausalVAEError):
        return explain_system(error)
    cause = None if isinstance(error, MemoryRanOutError) else error.__cause__
    while cause is not None and not is_out_of_memory(cause):
        cause = cause.__cause__
    return error if cause is None else explain_system(cause)


def _explained(error: Exception) -> Exception:
    return explain_system(error) or error


@contextmanager
def boundary(code: str, message: str, remedy: str, place: str | None = None) -> Iterator[None]:
    """Raise one coded error for whatever the code inside raises.

    What a damaged file raises depends on the library and on where the file is damaged, so every exception counts.
    `CausalVAEError` passes unchanged. Errors of the machine (see `explain_system`) keep their own code and remedy: they
    are not the fault of what is read.

    Parameters
    ----------
    code, remedy, place
        As of `CausalVAEError`.
    message : str
        What is wrong, without a full stop; the first line of the foreign error follows in parentheses.
    """
    try:
        yield
    except CausalVAEError:
        raise
    except Exception as error:
        if is_of_system(error):
            raise _explained(error) from error
        nested = isinstance(error, RecursionError)
        reason = "values are nested too deeply" if nested else f"{type(error).__name__}: {first_line(error)}"
        raise CausalVAEError(code, f"{message} ({reason}).", remedy, place) from error


def coded(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function: errors of the machine become `CausalVAEError`; see `explain_system`."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BrokenPipeError:
            # The run is not at fault where a reader closes a pipe early.
            raise
        except Exception as error:
            told = as_coded(error)
            if told is None or told is error:
                raise
            raise told from error

    return call
