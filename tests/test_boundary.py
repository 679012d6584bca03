"""Foreign errors become errors with a code and a remedy."""

from __future__ import annotations

import errno
import json

import pyarrow as pa
import pytest
import torch

import causalvae.boundary as boundary_module
from causalvae.boundary import (
    as_coded,
    boundary,
    coded,
    explain_system,
    is_of_system,
    is_out_of_memory,
    refuse_lack_of_memory,
)
from causalvae.errors import CausalVAEError, MemoryRanOutError
from causalvae.models import capturing

FOREIGN = (
    ValueError("bad"),
    KeyError("name"),
    NotImplementedError(),
    OverflowError("int too large to convert to float"),
    RuntimeError("PytorchStreamReader failed"),
    OSError("no errno"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    pa.ArrowInvalid("not Parquet"),
    RecursionError("maximum recursion depth exceeded"),
    AssertionError(),
)


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
def test_any_foreign_error_has_the_boundarys_code(error: Exception) -> None:
    with pytest.raises(CausalVAEError) as caught, boundary("CV102", "w.pt cannot be read", "Copy it.", "model"):
        raise error
    told = caught.value
    assert (told.code, told.remedy, told.place) == ("CV102", "Copy it.", "model")
    assert told.message.startswith("w.pt cannot be read (")
    assert told.message.endswith(").")
    assert told.__cause__ is error


def test_offsets_that_a_damaged_file_leads_to_are_its_fault_and_a_full_disk_is_not() -> None:
    assert not is_of_system(OSError(errno.EINVAL, "Invalid argument"))
    assert not is_of_system(OSError("cannot identify image file"))
    assert not is_of_system(ValueError("No space left on device"))
    for number in (errno.EACCES, errno.ENOSPC, errno.EIO, errno.ENOENT, errno.ENOMEM):
        assert is_of_system(OSError(number, "said"))


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), "CV415", "ulimit -v"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "CV415", "batch_rows"),
        (torch.OutOfMemoryError("CUDA out of memory"), "CV415", "batch_rows"),
        (pa.ArrowMemoryError("malloc of size 64 failed"), "CV415", "resumes"),
        (RuntimeError("can't start new thread"), "CV415", "ulimit"),
        (pa.ArrowException("Unknown error: Failed to launch worker thread"), "CV415", "ulimit"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "CV415", "ulimit"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "CV415", "ulimit"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/x"), "CV410", "Free some space"),
        (OSError(errno.EFBIG, "File too large"), "CV410", "ulimit -f"),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), "CV410", "permissions"),
        (OSError(errno.ELOOP, "Too many levels of symbolic links", "runs"), "CV410", "link"),
    ],
)
def test_the_machines_errors_keep_their_own_code(error: Exception, code: str, words: str) -> None:
    with pytest.raises(CausalVAEError) as caught, boundary("CV102", "w.pt cannot be read", "Copy it."):
        raise error
    assert caught.value.code == code
    assert words in caught.value.remedy


def test_errors_with_a_code_pass_unchanged() -> None:
    error = CausalVAEError("CV103", "a", "b")
    with pytest.raises(CausalVAEError) as caught, boundary("CV102", "c", "d"):
        raise error
    assert caught.value is error
    with pytest.raises(KeyboardInterrupt), boundary("CV102", "c", "d"):
        raise KeyboardInterrupt


def test_public_functions_tell_the_machines_errors_and_hide_no_bug() -> None:
    @coded
    def fail(error: Exception) -> None:
        """Fails."""
        raise error

    assert fail.__doc__ == "Fails."
    with pytest.raises(CausalVAEError, match="CV410"):
        fail(PermissionError(errno.EACCES, "Permission denied", "x"))
    with pytest.raises(CausalVAEError, match="CV416"):
        fail(RecursionError())
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())
    with pytest.raises(BrokenPipeError):
        fail(BrokenPipeError(errno.EPIPE, "Broken pipe"))


def test_deep_json_is_no_crash() -> None:
    with pytest.raises(CausalVAEError) as caught, boundary("CV451", "results cannot be read", "Run again."):
        json.loads("[" * 100_000)
    assert caught.value.code == "CV451"
    assert "nested too deeply" in caught.value.message


def test_other_errors_are_not_the_machines() -> None:
    assert explain_system(ValueError("out of memory")) is None
    assert not is_out_of_memory(ValueError("out of memory"))


def test_memory_that_ran_out_is_no_fault_of_the_network() -> None:
    @coded
    def open_network(cause: Exception, kind: type[CausalVAEError] = CausalVAEError, code: str = "CV110") -> None:
        try:
            raise cause
        except Exception as error:
            raise kind(code, "the network cannot be run", "Check it.") from error

    for cause in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")):
        with pytest.raises(CausalVAEError, match="CV415"):
            open_network(cause)
    with pytest.raises(CausalVAEError, match="CV110"):
        open_network(RuntimeError("a shape"))
    # Errors of memory with a remedy of their own stay.
    with pytest.raises(CausalVAEError, match="CV408"):
        open_network(MemoryError(), MemoryRanOutError, "CV408")


def test_the_name_of_a_file_says_nothing_about_memory() -> None:
    missing = explain_system(FileNotFoundError(errno.ENOENT, "No such file", "out of memory.csv"))
    assert missing is not None and missing.code == "CV410"
    busy = explain_system(BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"))
    assert busy is not None and busy.code == "CV415"
    quoted = CausalVAEError("CV018", "there is no file 'out of memory.csv'", "Name one.")
    assert not is_out_of_memory(quoted) and as_coded(quoted) is quoted


def test_a_name_that_is_not_utf8_is_no_damage_of_a_file() -> None:
    with pytest.raises(CausalVAEError) as refused, boundary("CV406", "the table cannot be read", "Delete it."):
        "out\udcff\udcfe/rise.parquet".encode()
    assert refused.value.code == "CV410"
    assert "Rename it" in refused.value.remedy
    with pytest.raises(CausalVAEError) as damaged, boundary("CV406", "the table cannot be read", "Delete it."):
        "\ud800".encode()
    assert damaged.value.code == "CV406"


def test_errors_that_name_no_cause_are_of_memory_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = (SystemError("error return without exception set"), ImportError("cannot import name 'x'"))
    assert not any(map(is_out_of_memory, odd))

    def refuse(size: int) -> bytearray:
        raise MemoryError

    monkeypatch.setattr(boundary_module, "bytearray", refuse, raising=False)
    assert all(map(is_out_of_memory, odd))
    assert not is_out_of_memory(ValueError("a shape"))


def test_nothing_else_is_tried_where_memory_ran_out(monkeypatch: pytest.MonkeyPatch) -> None:
    network, example = torch.nn.Linear(3, 2), (torch.zeros(4, 3),)

    def export(*given: object) -> None:
        try:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        except RuntimeError:
            raise failed  # noqa: B904 (as libraries do)

    failed: Exception = CausalVAEError("CV110", "While executing a node", "Check it.")
    monkeypatch.setattr(capturing, "capture", export)
    with pytest.raises(CausalVAEError, match="CV415"):
        capturing.capture_network(network, example, ("y",), ())
    refuse_lack_of_memory(ValueError("a shape"))
    monkeypatch.setattr(boundary_module, "_is_scarce", lambda: True)
    with pytest.raises(CausalVAEError, match="CV415"):
        refuse_lack_of_memory(ValueError("a shape"))
