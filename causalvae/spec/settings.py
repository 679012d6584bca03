"""Settings of the command line: `KEY=VALUE`, with a path as key and YAML as value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from causalvae.spec import include
from causalvae.spec.diagnostics import Diagnostic, list_choices, nearest, show_text
from causalvae.spec.placing import fault_at, place_text
from causalvae.spec.yaml_tree import MAX_DEPTH, Node, Source, compose, normalise, split_lines

OPTION: Final = "--set"
# The section whose keys are paths themselves: `grid.data.seed` names one key of it.
GRID: Final = "grid"
_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]{1,6})\]")
_PATH: Final = re.compile(
    # Bytes of the command line that are no text arrive as surrogates.
    rf"[^.\[\]\ud800-\udfff]+(\[[0-9]{{1,6}}\]|\.[^.\[\]\ud800-\udfff]+){{0,{MAX_DEPTH - 1}}}\Z"
)
_NAMED: Final = (
    "Name keys with dots between them, and entries of lists by their name or place, as in `hypotheses.NAME.alpha` or "
    "`graph.edges[0]`."
)


class SettingError(Exception):
    """A path that leads nowhere; `fault` says where it ends."""

    def __init__(self, fault: Diagnostic) -> None:
        super().__init__(fault.message)
        self.fault = fault


def apply_settings(root: Node, settings: Iterable[str]) -> tuple[Node, list[Diagnostic]]:
    """The root with values set, in the order of the settings, and the faults of settings, which are omitted.

    Parameters
    ----------
    root : Node
    settings : iterable of str
        Each is ``KEY=VALUE``, as after ``--set``.
    """
    faults: list[Diagnostic] = []
    for text in settings:
        text = normalise(text)
        source = Source(OPTION, tuple(split_lines(text)))
        key, equals, written = text.partition("=")
        key_node = Node("scalar", 1, 1, max(len(key), 1), key, key, source=source)
        if not equals:
            faults.append(fault_at(key_node, "CV045", f"{show_text(text)} sets nothing", "Write KEY=VALUE."))
            continue
        if _STEP.findall(key)[:1] == [(include.KEY, "")]:
            said = f"{show_text(key)} has no effect: files are included before values are set"
            faults.append(fault_at(key_node, "CV045", said, "Write `include` into the spec."))
            continue
        # The spaces in place of the key keep the columns right.
        before = " " * (len(key) + 1)
        value, wrong = compose(before + written, source)
        if not written.strip():
            value, wrong = Node("scalar", 1, len(before) + 1, 0, source=source), ()
        faults += [place_text(fault, source) for fault in wrong]
        if value is None or wrong:
            continue
        try:
            root = set_at(root, key_node, value)
        except SettingError as error:
            faults.append(error.fault)
    return root, faults


def set_at(root: Node, key: Node, value: Node) -> Node:
    """A copy of the root with a value at the path that a key names; mappings that are missing on the way are made.

    Raises
    ------
    SettingError
        If the path is malformed, names no entry of a list, or leads into a single value.
    """
    if not _PATH.match(key.text):
        raise SettingError(fault_at(key, "CV045", f"{show_text(key.text)} is not a path of keys", _NAMED))
    section, _, inside = key.text.partition(".")
    if section == GRID and inside:
        return _set(root, [(section, False), (inside, False)], key, value)
    return _set(root, [(step[1] or step[2], bool(step[2])) for step in _STEP.finditer(key.text)], key, value)


def _set(node: Node, path: list[tuple[str, bool]], key: Node, value: Node) -> Node:
    if not path:
        return value
    (step, placed), *rest = path
    if node.kind == "sequence":
        at = _entry(node, step, placed, key)
        return replace(
            node, items=[_set(item, rest, key, value) if index == at else item for index, item in enumerate(node.items)]
        )
    missing = node.kind == "scalar" and node.value is None
    if placed or not (node.kind == "mapping" or missing):
        kind = {"mapping": "a mapping", "scalar": "a single value", "sequence": "a list"}[node.kind]
        said = f"{show_text(step)} of {show_text(key.text)} leads into {kind}"
        raise SettingError(fault_at(key, "CV045", said, _NAMED, part=step))
    name, below = node.entries.get(step, (replace(key, text=step, value=step), _absent(key)))
    entries = {**node.entries, step: (name, _set(below, rest, key, value))}
    return Node("mapping", node.line, node.column, node.length, entries=entries, source=node.source)


def _absent(key: Node) -> Node:
    return Node("scalar", key.line, key.column, key.length, source=key.source)


def _entry(node: Node, step: str, placed: bool, key: Node) -> int:
    """Place of the entry of a list that a step names, by its `name` or its place."""
    names = [item.entries["name"][1].text if "name" in item.entries else item.text for item in node.items]
    if not placed and step in names:
        return names.index(step)
    if (placed or step.isdecimal()) and int(step) < len(names):
        return int(step)
    named = [name for name in names if name]
    said = f"the list has no entry {show_text(step)}"
    expected = f"Its entries are {list_choices(named, 'and')}." if named else f"It has {len(names)} entries."
    raise SettingError(fault_at(key, "CV045", said, expected, "" if placed else nearest(step, named), part=step))
