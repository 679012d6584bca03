"""Diagnostics as text and as data."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalvae.spec import Diagnostic, Finding, SpecError, parse_spec
from causalvae.spec.diagnostics import field_of, list_choices, nearest
from tests.spec.faults import FAULTS, GOOD


def columns(line: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line
    )


def test_a_diagnostic_reads_like_this() -> None:
    _, (found,) = parse_spec(
        "spec: causalvae/v1\n" + GOOD.split("\n", 2)[2].replace("  seed: 7", "  sede: 7"), "my.yaml"
    )
    assert found.render().split("\n") == [
        "error[CV020] 'data' has no key 'sede'",
        "  --> my.yaml:14:3",
        " 14 |   sede: 7",
        "    |   ^^^^",
        "  did you mean 'seed'?",
        "  help: The keys here are 'source', 'path', 'samples', 'seed', 'split' and",
        "        'condition'.",
    ]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
def test_text_fits_eighty_columns_and_the_caret_stands_below_the_fault(fault: object) -> None:
    _, (found,) = parse_spec(fault.text, "a/long/path/" * 10 + "spec.yaml")  # type: ignore[attr-defined]
    lines = found.render().split("\n")
    assert all(columns(line) <= 80 for line in lines)
    at = next(i for i, line in enumerate(lines) if re.match(r" *\| *\^+$", line))
    under = lines[at].index("^")
    rest = found.source[found.column - 1 :].replace("\t", " ").replace("\x07", "\N{REPLACEMENT CHARACTER}")
    assert lines[at - 1][under : under + 5] == rest[: len(lines[at - 1][under : under + 5])] or "..." in lines[at - 1]


@settings(max_examples=300, deadline=None)
@given(
    source=st.text(max_size=300),
    column=st.integers(1, 320),
    length=st.integers(1, 400),
    message=st.text(max_size=200),
    file=st.text(max_size=150),
    line=st.integers(1, 10**6),
)
def test_any_diagnostic_fits(source: str, column: int, length: int, message: str, file: str, line: int) -> None:
    found = Diagnostic("CV020", "error", message, file, line, column, source, message, message, length=length)
    text = found.render()
    assert all(columns(part) <= 80 for part in text.split("\n"))
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in text.replace("\n", ""))
    assert "^" in text or not source


def test_colour_adds_only_escapes() -> None:
    for fault in FAULTS:
        _, (found,) = parse_spec(fault.text)
        coloured = found.render(colour=True)
        assert "\x1b[" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == found.render()


def test_a_diagnostic_is_data() -> None:
    fault = next(fault for fault in FAULTS if fault.code == "CV075" and "necessity: {at_most" in fault.new)
    _, diagnostics = parse_spec(fault.text, "x.yaml")
    data = diagnostics[0].to_dict()
    assert json.loads(json.dumps(data)) == data
    assert {
        "code",
        "severity",
        "message",
        "file",
        "line",
        "column",
        "source",
        "expected",
        "suggestion",
        "field",
    } <= set(data)
    assert data["field"] == "hypotheses[0].expect.necessity.at_most"


def test_names_and_paths_are_said_plainly() -> None:
    assert field_of(("hypotheses", 0, "expect", "off_target")) == "hypotheses[0].expect.off_target"
    assert field_of(()) == ""
    assert nearest("sampels", ["samples", "seed"]) == "samples"
    assert nearest("SCALE", ["scale", "shape"]) == "scale"
    assert nearest("zzz", ["samples", "seed"]) == ""
    assert nearest("", ["samples"]) == ""
    assert list_choices(["a", "b", "c"]) == "'a', 'b' or 'c'"
    assert list_choices(["a", "b"], "and") == "'a' and 'b'"
    assert list_choices([]) == "none"
    assert list_choices("abcdef", most=2) == "'a', 'b' and 4 more"


def test_unknown_codes_and_errors_without_a_fault_are_refused() -> None:
    with pytest.raises(KeyError):
        Finding("CV999", (), "nothing")
    with pytest.raises(ValueError, match="not refused"):
        SpecError([Diagnostic("CV037", "warning", "m", "f", 1, 1)])
