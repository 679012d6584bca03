"""No character of a spec, a file or a table reorders or hides what a reader sees."""

from __future__ import annotations

import json
import unicodedata

import pytest

from causalvae.errors import CausalVAEError
from causalvae.text import escape_json, visible

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
HIDDEN = BIDI + "\u200b\u200c\u200d\u2060\ufeff\xad\x00\x07\x1b\x7f\x85\x9b\u2028\u2029\U000e0041\ud800"


@pytest.mark.parametrize("character", HIDDEN)
def test_what_cannot_be_seen_is_escaped(character: str) -> None:
    shown = visible(f"a{character}b")
    assert shown.isascii()
    assert shown.startswith("a\\")
    assert shown.encode().decode("unicode_escape") == f"a{character}b"


def test_every_control_and_format_character_is_escaped() -> None:
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character not in "\n\t":
            assert character not in visible(character), hex(code)
        if unicodedata.bidirectional(character) in ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"):
            assert character not in visible(character), hex(code)


@pytest.mark.parametrize("text", ["plain", "Größe\n\tµ", "面積 площадь مساحة", "é e\u0301", "🙂", "a\\u202e"])
def test_writing_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_json_keeps_its_value() -> None:
    value = {HIDDEN: [HIDDEN, "plain é"]}
    text = escape_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert not set(HIDDEN) & set(text)
    assert "plain é" in text


def test_an_error_shows_what_it_names() -> None:
    error = CausalVAEError("CV404", "no \u202ename\x1b[31m", "try\u200b", "runs/\u2066x")
    for text in (str(error), error.message, error.args[0]):
        assert "\\u202ename\\x1b[31m" in text
    assert (error.remedy, error.place) == ("try\\u200b", "runs/\\u2066x")


def test_a_message_is_one_line_without_endless_words() -> None:
    error = CausalVAEError("CV404", f"no {'x' * 10_000} \nerror[CV001] \ty", "try", "a\nb")
    assert error.message == f"no {'x' * 147} ... {'x' * 147} \\nerror[CV001] \\ty"
    assert error.place == "a\\nb"
