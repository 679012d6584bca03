"""Diagnostics for other programs: GitHub Actions and SARIF."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from causalvae.spec.codes import CODES
from causalvae.spec.settings import OPTION

if TYPE_CHECKING:
    from causalvae.spec.diagnostics import Diagnostic

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def github_commands(diagnostics: Iterable[Diagnostic]) -> Iterator[str]:
    """The workflow command of each diagnostic, which GitHub Actions shows at its line.

    Values are escaped as `@actions/core` does; other control characters are replaced.
    """
    for fault in diagnostics:
        place = {"file": fault.file, "line": fault.line, "col": fault.column, "endColumn": fault.column + fault.length}
        # A setting of the command line is in no file.
        properties = ({} if fault.file == OPTION else place) | {"title": f"{fault.code} {CODES[fault.code]}"}
        written = ",".join(f"{key}={_escape_property(str(value))}" for key, value in properties.items())
        yield f"::{fault.severity} {written}::{_escape_data(_words(fault))}"


def sarif_log(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """A log in SARIF 2.1.0 with one run; its rules are the codes that occur."""
    found = list(diagnostics)
    codes = sorted({fault.code for fault in found})
    results = [
        {
            "ruleId": fault.code,
            "ruleIndex": codes.index(fault.code),
            "level": fault.severity,
            "message": {"text": _words(fault)},
            **({} if fault.file == OPTION else {"locations": [{"physicalLocation": _location(fault)}]}),
        }
        for fault in found
    ]
    driver = {
        "name": "causalvae",
        "version": version("causalvae"),
        "rules": [{"id": code, "shortDescription": {"text": CODES[code]}} for code in codes],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SARIF, "version": "2.1.0", "runs": [run]}


def _location(fault: Diagnostic) -> dict[str, Any]:
    path = Path(fault.file)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    region: dict[str, Any] = {
        "startLine": fault.line,
        "startColumn": fault.column,
        "endColumn": fault.column + fault.length,
    }
    if fault.source:
        region["snippet"] = {"text": fault.source}
    return {"artifactLocation": {"uri": uri}, "region": region}


def _words(fault: Diagnostic) -> str:
    """The message, the nearest right name and the remedy."""
    meant = f"Did you mean '{fault.suggestion}'?" if fault.suggestion else ""
    return " ".join(filter(None, (f"{fault.message}.", meant, fault.expected)))


def _escape_data(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char for char in escaped
    )


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")
