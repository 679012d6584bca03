"""Every code is explained, and its examples are right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from causalvae.spec import parse_spec
from causalvae.spec.codes import CODES
from causalvae.spec.explained import Explanation, explanations
from tests.spec.faults import FAULTS

ROW = re.compile(r"^\| (CV\d{3}) \| (.+?) \| (.+?) \| (.+?) \|$", re.M)
DOCS = Path(__file__).parents[2] / "docs" / "spec-errors.md"
EXAMPLES = [each for each in explanations().values() if each.good]
FILES = [each for each in explanations().values() if each.faulty and not each.good]


def test_every_code_is_explained_with_an_example() -> None:
    known = explanations()
    assert list(known) == list(CODES)
    assert {fault.code for fault in FAULTS} == {each.code for each in EXAMPLES}
    assert all(each.meaning and each.remedy and each.example for each in known.values())


@pytest.mark.parametrize("each", EXAMPLES, ids=lambda each: each.code)
def test_the_good_example_is_valid_and_the_bad_one_has_the_code(each: Explanation) -> None:
    assert each.spec.count(each.good) == 1 and each.bad in each.faulty
    assert parse_spec(each.spec)[1] == ()
    assert [found.code for found in parse_spec(each.faulty)[1]] == [each.code]
    assert len(each.good) + len(each.bad) < 900, "an example is short"


@pytest.mark.parametrize("each", FILES, ids=lambda each: each.code)
def test_a_whole_file_has_the_code(each: Explanation) -> None:
    assert each.code in [found.code for found in parse_spec(each.faulty)[1]]


def test_the_docs_have_the_same_words() -> None:
    rows = {row[0]: row[1:] for row in ROW.findall(DOCS.read_text(encoding="utf-8"))}
    assert rows == {each.code: (each.meaning, each.example, each.remedy) for each in explanations().values()}


def test_explain_prints_examples_and_what_validate_says(invoke: Any) -> None:
    done = invoke("explain", "cv020", "CV001")
    assert done.exit_code == 0
    for words in (
        "CV020  unknown key",
        "  sampels: 512",
        "  samples: 512",
        "did you mean 'samples'?",
        "Remedy: ",
        "CV001",
    ):
        assert words in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 82
    assert invoke("explain").stdout.count("CV0") == len(CODES)
    done = invoke("explain", "CV0200")
    assert done.exit_code == 2 and "CV020" in done.stderr
    assert '"code": "CV020"' in invoke("explain", "CV020", "--json").stdout


def test_every_explanation_fits_a_terminal(invoke: Any) -> None:
    done = invoke("explain", *CODES)
    assert done.exit_code == 0
    code = {line.strip() for each in EXAMPLES for line in each.spec.split("\n") + each.faulty.split("\n")}
    wide = [line for line in done.stdout.splitlines() if len(line) > 82 and line.strip() not in code]
    assert not wide
    assert "\x00" not in done.stdout
