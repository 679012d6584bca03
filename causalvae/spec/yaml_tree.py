"""YAML 1.2 text to a tree of keys and values with line and column.

Only the core schema is read: text, whole numbers, decimals, true, false and null; no tags, no merge keys, no second
document. The tree is built here from the events of ruamel.yaml, so that limits are checked before memory is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from causalvae.spec.diagnostics import Path, list_choices, show_text
from causalvae.spec.yaml_syntax import explain_syntax

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 40
MAX_NODES: Final = 20_000

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+\Z")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)\Z")
_NAN = frozenset({".nan", ".NaN", ".NAN"})
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# Longer integers fit no field; they are read as floats, which are cheap and then rejected.
_MOST_DIGITS = 100
_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Line ends of ruamel.yaml, so that line numbers agree.
_LINE_END = re.compile("[\n\x85\u2028\u2029]")


@dataclass(frozen=True)
class Source:
    """Where text comes from: the name that diagnostics show, and its lines."""

    name: str
    lines: tuple[str, ...] = ()

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty where there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


@dataclass
class Node:
    """A value of the text, and its position.

    Parameters
    ----------
    kind : {"scalar", "sequence", "mapping"}
    line, column : int
        Position of its first character, both counted from 1.
    length : int
        Number of characters on its first line; 0 for an omitted value.
    value : str, int, float, bool or None
        A scalar's value.
    text : str
        A scalar as written, without quotes; its name if it is a key, even `null` or `on`.
    items : list of Node
        A sequence's values.
    entries : dict of str to (key, value)
        A mapping's entries.
    size : int
        Number of values in it, including itself and those of aliases.
    source : Source
        The text that line and column refer to.
    variable : str
        Name of the variable that it stands for, if any.
    """

    kind: Literal["scalar", "sequence", "mapping"]
    line: int
    column: int
    length: int = 1
    value: str | int | float | bool | None = None
    text: str = ""
    items: list[Node] = field(default_factory=list)
    entries: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    size: int = 1
    source: Source = Source("<text>")
    variable: str = ""
    pending_key: Node | None = None

    def to_plain(self) -> Any:
        """The value as dicts, lists, text, numbers, booleans and None."""
        if self.kind == "mapping":
            return {key: value.to_plain() for key, (_, value) in self.entries.items()}
        if self.kind == "sequence":
            return [item.to_plain() for item in self.items]
        return self.value

    def locate(self, path: Path, on_key: bool = False) -> Node:
        """The node at `path`, or the last existing one on the way to it.

        If the rest of the path is missing, the key of the last mapping is returned, since the missing key belongs below
        it.
        """
        node, key = self, None
        for part in path:
            if node.kind == "mapping" and isinstance(part, str) and part in node.entries:
                key, node = node.entries[part]
            elif node.kind == "sequence" and isinstance(part, int) and 0 <= part < len(node.items):
                key, node = None, node.items[part]
            else:
                return key if key is not None and node.kind == "mapping" else node
        return key if key is not None and (on_key or node.length == 0) else node


@dataclass(frozen=True)
class TextFault:
    """A fault of the YAML text; fields as in `Diagnostic`."""

    code: str
    line: int
    column: int
    message: str
    expected: str = ""
    length: int = 1


class _GiveUp(Exception):  # noqa: N818
    """Stops reading, with the reason."""

    def __init__(self, fault: TextFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def too_large(size: int) -> TextFault:
    """The fault of a file of `size` bytes."""
    return TextFault(
        "CV003",
        1,
        1,
        f"the file has {size:,} bytes, more than the {MAX_BYTES:,} that a spec may have",
        "A spec describes an analysis; keep data and weights in separate files and name them by path.",
    )


def decode(data: bytes) -> tuple[str, TextFault | None]:
    """Bytes as text, with a replacement character for each invalid byte, and the fault, if any."""
    if len(data) > MAX_BYTES:
        return "", too_large(len(data))
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", errors="replace")
        before = data[: error.start].decode("utf-8")
        line, column = _position(before)
        kind = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "some other encoding"
        return text, TextFault(
            "CV002",
            line,
            column,
            f"byte 0x{data[error.start]:02x} is not UTF-8; the file seems to be in {kind}",
            "Save the file as UTF-8.",
        )


def normalise(text: str) -> str:
    """Text with Unix line ends and without a byte-order mark."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def split_lines(text: str) -> list[str]:
    """The lines of normalised text, consistent with the line numbers of nodes."""
    return _LINE_END.split(text)


def compose(text: str, source: Source = Source("<text>")) -> tuple[Node | None, tuple[TextFault, ...]]:
    """Parse normalised text.

    Parameters
    ----------
    text : str
    source : Source
        Kept by each node.

    Returns
    -------
    node : Node or None
        The root of the tree; None if nothing could be read.
    faults : tuple of TextFault
        Faults of the text; faulty keys are omitted of the tree.
    """
    if len(text) > MAX_BYTES:
        return None, (too_large(len(text)),)
    wrong = _FORBIDDEN.search(text)
    if wrong is not None:
        line, column = _position(text[: wrong.start()])
        return None, (
            TextFault(
                "CV004",
                line,
                column,
                f"the character U+{ord(wrong.group()):04X} is not allowed in a spec",
                "Delete it; if the whole file looks like this, it is not a text file.",
            ),
        )
    composer = _Composer(source)
    try:
        composer.read(text)
    except _GiveUp as stop:
        return None, (*composer.faults, stop.fault)
    if composer.root is None:
        return None, (
            *composer.faults,
            TextFault(
                "CV005",
                1,
                1,
                "the file holds nothing to read",
                "Begin with `spec: causalvae/v1`; `causalvae init` writes a commented starter.",
            ),
        )
    return composer.root, tuple(composer.faults)


def _position(before: str) -> tuple[int, int]:
    lines = _LINE_END.split(normalise(before))
    return len(lines), len(lines[-1]) + 1


class _Composer:
    def __init__(self, source: Source) -> None:
        self._source = source
        self.root: Node | None = None
        self.faults: list[TextFault] = []
        self._open: list[Node] = []
        self._anchors: dict[str, Node] = {}
        self._count = 0
        self._documents = 0

    def read(self, text: str) -> None:
        from ruamel.yaml import events as kinds

        for event in _events(text):
            if isinstance(event, kinds.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise _GiveUp(self._make("CV012", event, "a second document begins here", "Write one spec a file."))
            elif isinstance(event, kinds.AliasEvent):
                self._place(self._alias(event))
            elif isinstance(event, kinds.ScalarEvent):
                self._place(self._anchored(self._scalar(event), event))
            elif isinstance(event, kinds.MappingStartEvent | kinds.SequenceStartEvent):
                self._begin(event, "mapping" if isinstance(event, kinds.MappingStartEvent) else "sequence")
            elif isinstance(event, kinds.MappingEndEvent | kinds.SequenceEndEvent):
                self._place(self._open.pop())

    def _fault(self, code: str, at: Any, message: str, expected: str) -> None:
        self.faults.append(self._make(code, at, message, expected))

    @staticmethod
    def _make(code: str, at: Any, message: str, expected: str) -> TextFault:
        if isinstance(at, Node):
            return TextFault(code, at.line, at.column, message, expected, at.length)
        mark = at.start_mark
        return TextFault(code, mark.line + 1, mark.column + 1, message, expected)

    def _spend(self, event: Any, values: int) -> None:
        self._count += values
        if self._count > MAX_NODES:
            raise _GiveUp(
                self._make(
                    "CV009",
                    event,
                    f"the file expands to more than {MAX_NODES:,} values",
                    "Write fewer values; the values of an alias count each time it is used.",
                )
            )

    def _begin(self, event: Any, kind: Literal["mapping", "sequence"]) -> None:
        self._refuse_tag(event)
        self._spend(event, 1)
        if len(self._open) >= MAX_DEPTH:
            raise _GiveUp(
                self._make(
                    "CV008",
                    event,
                    f"values are nested more than {MAX_DEPTH} deep",
                    "No part of a spec is nested deeper than about ten; look for brackets that are not closed.",
                )
            )
        node = Node(kind, event.start_mark.line + 1, event.start_mark.column + 1, source=self._source)
        self._open.append(self._anchored(node, event))

    def _anchored(self, node: Node, event: Any) -> Node:
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _refuse_tag(self, event: Any) -> None:
        tag = event.tag if isinstance(event.tag, str) else None
        if tag is not None:
            short = tag.removeprefix("tag:yaml.org,2002:")
            self._fault(
                "CV007",
                event,
                f"the tag {show_text('!!' + short if short != tag else tag)} is not allowed",
                "Delete it; a spec holds only text, numbers, true, false, lists and mappings.",
            )

    def _scalar(self, event: Any) -> Node:
        self._refuse_tag(event)
        self._spend(event, 1)
        start, end = event.start_mark, event.end_mark
        length = end.column - start.column if end.line == start.line else 1
        node = Node("scalar", start.line + 1, start.column + 1, length, source=self._source)
        text: str = event.value
        wrong = _FORBIDDEN.search(text)
        if wrong is not None:
            self._fault("CV004", node, f"an escape gives the character U+{ord(wrong.group()):04X}", "Delete it.")
            text = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
        node.text = text
        node.value = text if event.style else _resolve(text)
        return node

    def _alias(self, event: Any) -> Node:
        name: str = event.anchor
        target = self._anchors.get(name)
        if target is not None and not any(target is node for node in self._open):
            self._spend(event, target.size)
            return target
        if target is None:
            known = list_choices(self._anchors) if self._anchors else "no anchor above it"
            self._fault(
                "CV010", event, f"the alias {show_text('*' + name)} has no anchor above it", f"The file has {known}."
            )
        else:
            self._fault("CV010", event, f"the alias {show_text('*' + name)} is inside its own anchor", "Write it out.")
        return Node("scalar", event.start_mark.line + 1, event.start_mark.column + 1, source=self._source)

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.size += node.size
        if parent.kind == "sequence":
            parent.items.append(node)
        elif parent.pending_key is None:
            parent.pending_key = node
        else:
            key, parent.pending_key = parent.pending_key, None
            self._enter(parent, key, node)

    def _enter(self, parent: Node, key: Node, value: Node) -> None:
        name = key.text
        if not name:
            said = {"mapping": "a mapping", "sequence": "a list", "scalar": "empty"}[key.kind]
            self._fault("CV014", key, f"a key must be text, and this one is {said}", "Write `key: value`.")
        elif name == "<<":
            self._fault(
                "CV015",
                key,
                "merge keys (`<<`) are not part of YAML 1.2",
                "Write the keys out; an alias may replace a whole value.",
            )
        elif name in parent.entries:
            first = parent.entries[name][0]
            self._fault(
                "CV011",
                key,
                f"the key {show_text(name)} is given twice",
                f"Keep one; it is first given on line {first.line}.",
            )
        else:
            parent.entries[name] = (key, value)


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    reader = YAML(typ="safe", pure=True)
    mark = None
    events = iter(reader.parse(text))
    while True:
        try:
            event = next(events, None)
        except MarkedYAMLError as error:
            raise _GiveUp(TextFault("CV006", *explain_syntax(error))) from error
        except Exception as error:
            # Broken escapes and directives raise various exceptions in the parser; the text after the last event is
            # not YAML.
            line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
            raise _GiveUp(
                TextFault("CV006", line, column, "the text after this point is not YAML", "Look for a broken escape.")
            ) from error
        if event is None:
            return
        mark = event.end_mark
        yield event


def _resolve(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text) if len(text) <= _MOST_DIGITS else float(text)
    if len(text) <= _MOST_DIGITS and _OCTAL.match(text):
        return int(text[2:], 8)
    if len(text) <= _MOST_DIGITS and _HEXADECIMAL.match(text):
        return int(text[2:], 16)
    if _DECIMAL.match(text):
        return float(text)
    if _INFINITE.match(text):
        return float("-inf") if text[0] == "-" else float("inf")
    return float("nan") if text in _NAN else text
