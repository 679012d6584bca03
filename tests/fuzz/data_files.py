"""Tables and arrays on disk as programs and faults write them: right values, or an error with a code.

``python -m tests.fuzz.data_files COUNT SEED`` prints the counts.
"""

from __future__ import annotations

import gzip
import io
import random
import struct
import sys
import zipfile
from collections.abc import Iterator
from typing import Any, Final, Literal

import numpy as np

from tests.fuzz.damage import DAMAGES
from tests.fuzz.data_case import DataCase, DataCounts, Right, read_cases

_TEXTS: Final = (
    "NA", "None", "nan", "null", "01", "1", "a b", "é", "\u202ex", "x,y", "x;y", 'say "yes"', "two\nlines", "#", "-",
    "True", "1e5x", "🦊", "'", "%s",
)  # fmt: skip


def fuzz_data_files(count: int, seed: int) -> dict[str, DataCounts]:
    """Read files as the data sources ``csv`` and ``npz`` read them.

    Parameters
    ----------
    count : int
        Files; file i is the same whatever the count.
    seed : int

    Returns
    -------
    dict
        Kind -> counts. *whole* files must give the right values; *no numbers* must be refused; a damaged npz must be
        refused or give the whole file's values; other files must be refused or give finite values.
    """
    return read_cases(_cases(count, seed))


def _cases(count: int, seed: int) -> Iterator[DataCase]:
    for number in range(count):
        draw = random.Random(f"data files/{seed}/{number}")
        yield _KINDS[number % len(_KINDS)](draw)


def _rng(draw: random.Random) -> np.random.Generator:
    return np.random.default_rng(draw.getrandbits(63))


def _any(_inputs: np.ndarray, _data: Any) -> str:
    return ""


# -- tables of text ----------------------------------------------------------------------------------------------------


def _csv_case(
    kind: str,
    what: str,
    content: bytes,
    section: dict[str, Any],
    outcome: Literal["accepted", "refused", "either"],
    right: Right = _any,
) -> DataCase:
    section = {"source": "csv", "path": "table.csv", **section}
    return DataCase(f"csv: {kind}", what, {"table.csv": content}, section, outcome, right)


def _quoted(text: str, separator: str, always: bool) -> str:
    odd = any(sign in text for sign in (separator, '"', "\n")) or text != text.strip()
    return '"' + text.replace('"', '""') + '"' if odd or always else text


def _table(draw: random.Random) -> tuple[bytes, dict[str, Any], np.ndarray, list[str]]:
    """A table as some program writes it, how a spec reads it, its numbers (rows, columns) and its text factor."""
    rows, columns = draw.choice((1, 2, 7, 40)), draw.choice((1, 2, 5))
    values = _rng(draw).normal(size=(rows, columns)) * 10.0 ** draw.choice((-3, 0, 6))
    if draw.random() < 0.2:
        values = values.round()
    texts = [draw.choice(_TEXTS) for _ in range(rows)]
    separator = draw.choice((",", ";", "\t", "|"))
    decimal = draw.choice((".", ",")) if separator != "," else "."
    always = draw.random() < 0.3
    blank = " " if draw.random() < 0.2 and separator != "\t" else ""
    lines = [[f"x{k}" for k in range(columns)] + ["kind of"]]
    lines += [
        [repr(float(value)).replace(".", decimal) for value in row] + [text]
        for row, text in zip(values, texts, strict=True)
    ]
    if draw.random() < 0.4:  # pandas' index
        lines = [["" if n == 0 else str(n - 1), *line] for n, line in enumerate(lines)]
    end = draw.choice(("\n", "\r\n"))
    text = end.join((separator + blank).join(_quoted(entry, separator, always) for entry in line) for line in lines)
    text += draw.choice(("", end, end * 3))
    content = text.encode("utf-8-sig" if draw.random() < 0.2 else "utf-8")
    section = {
        "separator": separator,
        "decimal": decimal,
        "factors": {"kind": {"column": "kind of", "kind": "categorical"}},
        "scale": draw.choice(("none", "found", [-3, 5])),
    }
    return content, section, values, texts


def _scaled(values: np.ndarray, scale: Any) -> np.ndarray:
    if scale == "none":
        return values
    low, high = (values.min(0), values.max(0)) if scale == "found" else scale
    span = np.asarray(high - low, dtype=float)
    return (values - low) / np.where(span == 0, 1, span)


def _table_is(values: np.ndarray, texts: list[str], scale: Any) -> Right:
    expected = _scaled(values, scale)

    def check(inputs: np.ndarray, data: Any) -> str:
        if inputs.shape != expected.shape or not np.allclose(inputs, expected, rtol=2e-6, atol=1e-6):
            return "other numbers"
        (factor,) = data.space.factors
        rows = data.rows_at(np.arange(data.size))
        found = [factor.labels[int(level)] for level in data.values(rows)[:, 0]]
        return "" if found == texts else f"texts {found[:5]} for {texts[:5]}"

    return check


def _whole_csv(draw: random.Random) -> DataCase:
    content, section, values, texts = _table(draw)
    return _csv_case(
        "whole",
        f"{section} {content[:300]!r}",
        content,
        section,
        "accepted",
        _table_is(values, texts, section["scale"]),
    )


def _damaged_csv(draw: random.Random) -> DataCase:
    content, section, _, _ = _table(draw)
    damage = draw.choice(DAMAGES)
    damaged = damage(content, draw)
    return _csv_case("damaged", f"{damage.__name__} {section} {damaged[:300]!r}", damaged, section, "either")


def _no_numbers(draw: random.Random) -> DataCase:
    """An entry among numbers that is no finite number."""
    rows = [["x", "y"], *([f"{draw.random()}", f"{draw.random()}"] for _ in range(draw.choice((1, 5, 300))))]
    entry = draw.choice(
        ("", "nan", "NA", "inf", "-inf", "1e999", "9" * 400, "text", "None", "1,5,", "--1", "0x1G", "1e", "\x00", "1 2")
    )
    rows[draw.randrange(1, len(rows))][draw.randrange(2)] = entry
    content = "\n".join("|".join(row) for row in rows).encode()
    return _csv_case("no numbers", f"{entry[:20]!r} among numbers", content, {"separator": "|"}, "refused")


def _hostile_csv(draw: random.Random) -> DataCase:
    content = draw.choice(_HOSTILE_TABLES)
    section = {
        "separator": draw.choice((*",,,,,,", ";", " ", "\t", '"', "\n", "a", "é", "\x00")),
        "inputs": [draw.choice(("*", "*", "a", "[", "?"))],
    }
    if draw.random() < 0.5:
        section["factors"] = ["b"]
    return _csv_case("hostile", f"{section} {content[:60]!r}", content, section, "either")


_HOSTILE_TABLES: Final = (
    b"", b"\n", b"\n\n\n", b"a", b"a,b", b"a,b\n", b",\n,\n", b"a,b\n1,2\n3\n", b"a,b\n1,2,3\n4,5\n", b'a,b\n"1,2\n',
    b'a,b\n1,"2"3\n', b"a,a\n1,2\n", b"a,b\n\x00,1\n", b"\xff\xfea\x00,\x00b\x00\n\x001\x00", b"a,b\n\xe9,1\n",
    b"\xef\xbb\xbf\xef\xbb\xbfa,b\n1,2\n", b"a,b\r1,2\r3,4\r", b"a," * 5000 + b"b\n" + b"1," * 5000 + b"2\n",
    b"a,b\n" + b"9" * 200_000 + b",1\n", b"a,b\n1," + b"x" * 200_000 + b"\n", b"a,b\n" + b"9" * 5000 + b",2\n",
    b"a,b\n1_000,2\n", "a,b\n\u0661,2\n".encode(), b"a,b\n0x10,2\n", b"a,b\n1e308,1\n-1e308,2\n", b"a,b\n1e-320,1\n",
    gzip.compress(b"a,b\n1,2\n"), b"PK\x03\x04" + bytes(100), b"a,b\n" + b"1,2\n" * 5000 + b"1\n", b"\x1a\x04" * 50,
    b"a,b\n#,1\n", b"a,b\nTrue,1\nFalse,0\n", b"a,b\n2020-01-01,1\n", b"a\tb\n1\t2\n", b"a b\n1 2\n", b"a;b\n1,5;2\n",
    b"a,b\n1+2j,1\n", b"a,b\n 1 , 2 \n", b"a,b\n1,2\n\n\n3,4\n", b"a,b\n1,\n2,\n", b'"a\nb",c\n1,2\n', b"a,b\n\x85,1\n",
    "a,b\n\u20281,2\n".encode(), b"a,b\n" + b'"' * 1001, b"=1+1,b\n1,2\n",
)  # fmt: skip


# -- arrays ------------------------------------------------------------------------------------------------------------

_TYPES: Final = ("u1", "i1", "<i2", ">u2", "<i4", "<u8", "<f2", "<f4", ">f4", "<f8", ">f8", "?")


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array)
    return buffer.getvalue()


def _npz(members: dict[str, bytes], packed: bool) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def _npz_case(
    kind: str,
    what: str,
    content: bytes,
    section: dict[str, Any],
    outcome: Literal["accepted", "refused", "either"],
    right: Right = _any,
) -> DataCase:
    section = {"source": "npz", "path": "data.npz", **section}
    return DataCase(f"npz: {kind}", what, {"data.npz": content}, section, outcome, right)


def _arrays(draw: random.Random) -> tuple[bytes, dict[str, Any], Right, str]:
    """An npz as numpy writes it, how a spec reads it, and a check of its values."""
    rows, dtype = draw.choice((1, 3, 30)), np.dtype(draw.choice(_TYPES))
    shape = draw.choice(((5,), (6, 4), (6, 4, 3), (3, 6, 4), (1, 6, 4), (6, 4, 1)))
    rng = _rng(draw)
    if dtype.kind == "f":
        values = rng.normal(size=(rows, *shape)).astype(dtype)
    else:
        least, most = (0, 2) if dtype.kind == "b" else (np.iinfo(dtype).min // 2, min(np.iinfo(dtype).max // 2, 2**62))
        values = rng.integers(least, most, (rows, *shape)).astype(dtype)
    factor = rng.integers(0, 4, rows)
    names = np.array([draw.choice(_TEXTS).strip() or "x" for _ in range(rows)])
    scale = draw.choice(("found", "none", [-2, 7.5]))
    stored = np.asfortranarray(values) if draw.random() < 0.3 else values
    members = {
        "inputs": _npy(stored),
        "number": _npy(factor[:, None] if draw.random() < 0.3 else factor),
        "text": _npy(names),
    }
    section = {"scale": scale, "factors": {"number": {"kind": "ordinal"}, "text": {}}}
    packed = draw.random() < 0.5
    what = f"{dtype} {values.shape} {'packed' if packed else 'stored'} {scale}"
    return _npz(members, packed), section, _arrays_are(values, factor, names, scale), what


def _arrays_are(values: np.ndarray, factor: np.ndarray, names: np.ndarray, scale: Any) -> Right:
    wide = values.astype(np.float64)
    if scale == "found":
        low, high = (0.0, 255.0) if values.dtype == np.uint8 else (wide.min(), wide.max())
    else:
        low, high = (0.0, 1.0) if scale == "none" else scale
    expected = (wide - low) / ((high - low) or 1.0)
    if values.ndim == 4 and values.shape[-1] in (1, 3, 4) and values.shape[1] not in (1, 3, 4):
        expected = np.moveaxis(expected, -1, 1)
    elif values.ndim == 3:
        expected = expected[:, None]

    def check(inputs: np.ndarray, data: Any) -> str:
        if inputs.shape != expected.shape or not np.allclose(inputs, expected, rtol=2e-6, atol=1e-6):
            return "other numbers"
        told = data.values(data.rows_at(np.arange(data.size)))
        _, text = data.space.factors
        found = [text.labels[int(level)] for level in told[:, 1]]
        return "" if (told[:, 0] == factor).all() and found == names.tolist() else "other factors"

    return check


def _whole_npz(draw: random.Random) -> DataCase:
    content, section, right, what = _arrays(draw)
    return _npz_case("whole", what, content, section, "accepted", right)


def _damaged_npz(draw: random.Random) -> DataCase:
    content, section, right, what = _arrays(draw)
    damage = draw.choice(DAMAGES)
    return _npz_case("damaged", f"{damage.__name__} {what}", damage(content, draw), section, "either", right)


def _no_finite(draw: random.Random) -> DataCase:
    """An array with an entry that is not finite, or that is not finite in single precision."""
    array = np.zeros((draw.choice((1, 9, 5000)), 3))
    array.flat[draw.randrange(array.size)] = draw.choice((np.nan, np.inf, -np.inf, 1e300))
    scale = draw.choice(("none", [0, 1]))
    return _npz_case(
        "no numbers",
        f"one odd of {array.size}",
        _npz({"inputs": _npy(array)}, draw.random() < 0.5),
        {"scale": scale},
        "refused",
    )


def _header(text: str, body: int = 64, version: tuple[int, int] = (1, 0)) -> bytes:
    written = text.encode("latin-1", "replace") + b"\n"
    length = struct.pack("<H" if version == (1, 0) else "<I", len(written))
    return b"\x93NUMPY" + bytes(version) + length + written + bytes(body)


def _hostile_npy(draw: random.Random) -> bytes:
    shape = draw.choice(
        ("(2, 3)", "(2, -3)", "(-1, -1)", f"({10**400}, 1)", "(2**70, 2)", f"({2**62}, {2**62})", "(0, 3)", "(2,)",
         "()", "3", "(2, 3.0)", "(True, 2)", "None", "(1,) * 40", "(" * 300, "[2, 3]", "(" + "1, " * 70 + ")")
    )  # fmt: skip
    kind = draw.choice(
        ("'<f8'", "'<f8'", "'<f8'", "'|O'", "'<c16'", "'<M8[s]'", "'V8'", "'<U3'", "'S0'", "'<f16'", "'<g'",
         "[('a', '<f8')]", "[('a', '|O')]", "'nonsense'", "3", "('<f8', (2,))", "'" + "f8," * 200 + "'",
         "__import__('os')", "'<f4', " * 20)
    )  # fmt: skip
    order = draw.choice(("False", "False", "True", "1", "None"))
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"
    return draw.choice(
        (
            lambda: _header(text, 48),
            lambda: _header(text, 48),
            lambda: _header(text, 10_000, (2, 0)),
            lambda: _header(text, 48, (3, 0)),
            lambda: _header(text, 48, (9, 9)),
            lambda: _header("{" * 5000),
            lambda: _header("'" + "x" * 60_000 + "'"),
            lambda: _header("1" + "0" * 20_000, 8),
            lambda: _npy(np.array([{"a": 1}, None], dtype=object)),
            lambda: b"",
            lambda: b"\x93NUMPY",
        )
    )()


def _hostile_npz(draw: random.Random) -> DataCase:
    good = _npy(np.arange(6.0).reshape(2, 3))
    odd, section = _hostile_npy(draw), {"factors": draw.choice(([], ["f"]))}
    packed = draw.random() < 0.5
    way = draw.choice(("header", "header", "header", "factor", "archive"))
    if way == "header":
        content = _npz({"inputs": odd, "f": _npy(np.arange(2))}, packed)
    elif way == "factor":
        content, section = _npz({"inputs": good, "f": odd}, packed), {"factors": ["f"]}
    else:
        content = draw.choice(_HOSTILE_ARCHIVES)(good)
    return _npz_case("hostile", f"{way} {odd[:200]!r}" if way != "archive" else way, content, section, "either")


def _encrypted(good: bytes) -> bytes:
    content = bytearray(_npz({"inputs": good}, False))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def _lying(good: bytes) -> bytes:
    """The directory tells a size that the member does not have."""
    content = bytearray(_npz({"inputs": good}, False))
    at = content.rindex(b"PK\x01\x02")
    content[at + 20 : at + 28] = struct.pack("<2I", 2**31, 2**31)
    return bytes(content)


def _twice(good: bytes) -> bytes:
    import warnings

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings(action="ignore"):
        archive.writestr("inputs.npy", good)
        archive.writestr("inputs.npy", _npy(np.zeros((2, 5))))
    return buffer.getvalue()


def _odd_method(good: bytes) -> bytes:
    content = bytearray(_npz({"inputs": good}, False))
    at = content.rindex(b"PK\x01\x02")
    content[8:10] = content[at + 10 : at + 12] = struct.pack("<H", 99)
    return bytes(content)


_HOSTILE_ARCHIVES: Final = (
    lambda good: b"", lambda good: good, lambda good: gzip.compress(good), lambda good: b"PK\x05\x06" + bytes(18),
    lambda good: _npz({}, False), lambda good: _npz({"../inputs": good}, False),
    lambda good: _npz({"inputs.npy": good}, True), _encrypted, _lying, _twice, _odd_method,
    lambda good: b"#!/bin/sh\n" + _npz({"inputs": good}, False),
    lambda good: _npz({"inputs": good}, False) + b"behind it",
)  # fmt: skip
_KINDS: Final = (
    _whole_csv, _whole_csv, _damaged_csv, _damaged_csv, _hostile_csv, _no_numbers, _whole_npz, _whole_npz, _damaged_npz,
    _damaged_npz, _hostile_npz, _no_finite,
)  # fmt: skip

if __name__ == "__main__":
    for name, found in fuzz_data_files(int(sys.argv[1]), int(sys.argv[2])).items():
        sys.stdout.write(
            f"{name}: {found.tried} tried, {found.refused} refused, {found.accepted} accepted {dict(found.codes)}\n"
        )
        sys.stdout.writelines(f"  {failure}\n" for failure in found.failures)
