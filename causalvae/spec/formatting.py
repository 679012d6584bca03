"""The layout of a spec's text, with its comments."""

from __future__ import annotations

import re
from io import StringIO

from causalvae.errors import CausalVAEError
from causalvae.spec.diagnostics import SpecError
from causalvae.spec.placing import place_text
from causalvae.spec.yaml_tree import Source, compose, decode, normalise, split_lines

# The emitter does not count the comma after the last value of a line, and lines have at most 120 characters.
_WIDTH = 119
_COMMENT = re.compile(r"(?:^|\s)(#.*)$", re.M)


def format_text(data: bytes, name: str) -> str:
    """A spec's text with indentation of two, one space after a colon and around brackets, and lines of at most 120.

    Keys keep their order, values their quotes, and comments are kept.

    Parameters
    ----------
    data : bytes
    name : str
        The file's name for diagnostics.

    Raises
    ------
    SpecError
        If the text is not YAML.
    CausalVAEError
        CV437 if the text cannot be laid out again without a change of its values or the loss of a comment.
    """
    text, undecodable = decode(data)
    text = normalise(text)
    source = Source(name, tuple(split_lines(text)))
    root, faults = compose(text, source)
    if undecodable is not None:
        faults = (undecodable,)
    if root is None or faults:
        raise SpecError(place_text(fault, source) for fault in faults)
    if (laid_out := _same(text)) is None:
        raise CausalVAEError(
            "CV437",
            "The text cannot be formatted without a change of its meaning or of its comments.",
            "Move comments within brackets to separate lines, and delete spaces at the end of lines in blocks of text.",
            name,
        )
    return laid_out


def _same(text: str) -> str | None:
    """The text laid out; None where that changes it."""
    from ruamel.yaml.error import YAMLError

    try:
        laid_out = _lay_out(text)
        again = _lay_out(laid_out)
    except (ValueError, YAMLError):
        # Numbers and dates that Python has no value of; specs read them as text or as infinite.
        return None
    kept = _values(laid_out) == _values(text) and _comments(laid_out) == _comments(text)
    return laid_out if kept and again == laid_out else None


def _lay_out(text: str) -> str:
    from ruamel.yaml import YAML

    writer = YAML()
    writer.version = None
    writer.preserve_quotes = True
    writer.width = _WIDTH
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = StringIO()
    writer.dump(writer.load(text), stream)
    lines = [line.rstrip() for line in stream.getvalue().split("\n")]
    return "\n".join(lines).strip("\n") + "\n"


def _values(text: str) -> str | None:
    """The values of a text; None if it cannot be read. Numbers as 1 and 1.0 are equal, and are not the same value."""
    root, _ = compose(text)
    return None if root is None else repr(root.to_plain())


def _comments(text: str) -> list[str]:
    """What may be a comment, line by line, in the order of the text."""
    return [found.rstrip() for found in _COMMENT.findall(text)]
