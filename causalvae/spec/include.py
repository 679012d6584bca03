"""The key `include`: other files, laid under the one that names them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from causalvae.files import is_special
from causalvae.spec.diagnostics import Diagnostic, nearest, show_text
from causalvae.spec.placing import fault_at, place_text
from causalvae.spec.yaml_tree import MAX_BYTES, Node, Source, compose, decode, normalise, split_lines, too_large

KEY: Final = "include"
_MOST_FILES: Final = 100


class Includer:
    """Reads what specs include.

    Parameters
    ----------
    file : Path or None
        The spec file, whose folder is the outermost that may be read from. None for text without a file, which may
        include nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self.faults: list[Diagnostic] = []
        self._file = file
        self._read = self._bytes = 0

    def lay(self, root: Node) -> Node:
        """The root of a spec, laid over what it includes."""
        return self._lay(root, self._file, ())

    def _lay(self, root: Node, file: Path | None, within: tuple[Path, ...]) -> Node:
        if root.kind != "mapping" or KEY not in root.entries:
            return root
        given = root.entries[KEY][1]
        own = replace(root, entries={key: entry for key, entry in root.entries.items() if key != KEY})
        named = given.items if given.kind == "sequence" else [given]
        if file is None:
            self._refuse(
                given, "text without a file includes no other", "Write the spec into a file, or delete the key."
            )
            return own
        within = (*within, file.resolve())
        below = Node("mapping", root.line, root.column, source=root.source)
        for node in named:
            if not isinstance(node.value, str) or node.kind != "scalar" or not node.value:
                said = "`include` names files, and this is not a path"
                self.faults.append(fault_at(node, "CV022", said, "Write `include: FILE`, or a list of files."))
            elif (layer := self._open(node, node.value, file, within)) is not None:
                below = lay_over(below, layer)
        return lay_over(below, own)

    def _open(self, node: Node, where: str, file: Path, within: tuple[Path, ...]) -> Node | None:
        """The root of an included file with what it includes itself; None where it cannot be read."""
        path = file.parent / where
        try:
            resolved = path.resolve()
            if self._file is None or not resolved.is_relative_to(self._file.parent.resolve()):
                home = "the spec's folder" if self._file is None else str(self._file.parent.resolve())
                return self._refuse(
                    node,
                    f"{show_text(where, 60)} lies outside of the spec's folder",
                    f"Name a file in {home} or in a folder below it.",
                )
            if resolved in within:
                names = " -> ".join(name.name for name in (*within[within.index(resolved) :], resolved))
                return self._refuse(node, f"files include one another in a cycle: {names}", "Delete one `include`.")
            self._read += 1
            if self._read > _MOST_FILES:
                return self._refuse(node, f"more than {_MOST_FILES} files are included", "Include fewer files.")
            if is_special(resolved):
                said = f"{show_text(where, 60)} is a device or pipe, not a file"
                return self._refuse(node, said, "Name a file.")
            with resolved.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
            self._bytes += len(data)
            if len(data) <= MAX_BYTES < self._bytes:
                said = f"the included files have more than {MAX_BYTES:,} bytes together"
                return self._refuse(node, said, "Include fewer or smaller files.")
        except FileNotFoundError:
            beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
            near = nearest(path.name, beside)
            return self._refuse(
                node,
                f"there is no file {show_text(where, 60)} to include",
                f"Paths start at the folder of the file that includes: {file.parent.resolve()}.",
                str(Path(where).with_name(near)) if near else "",
            )
        except (OSError, ValueError, RuntimeError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            return self._refuse(node, f"{show_text(where, 60)} cannot be read: {reason.lower()}", "Name another file.")
        # Shown like the spec's own path, so that a reader can open it from where the command was given.
        shown = os.path.normpath(Path(node.source.name).parent / where)
        return self._parse(data, shown, resolved, within)

    def _parse(self, data: bytes, shown: str, path: Path, within: tuple[Path, ...]) -> Node | None:
        text, undecodable = decode(data)
        text = normalise(text)
        source = Source(shown, tuple(split_lines(text)))
        fault = too_large(len(data)) if len(data) > MAX_BYTES else undecodable
        if fault is not None:
            self.faults.append(place_text(fault, source))
            return None
        root, faults = compose(text, source)
        self.faults += [place_text(fault, source) for fault in faults]
        if root is not None and root.kind != "mapping":
            said = "an included file holds a mapping of `key: value` lines at the top"
            self.faults.append(fault_at(root, "CV013", said, "Write the keys of a spec that it gives."))
            return None
        return None if root is None else self._lay(root, path, within)

    def _refuse(self, node: Node, message: str, expected: str, suggestion: str = "") -> Node | None:
        self.faults.append(fault_at(node, "CV043", message, expected, suggestion))
        return None


def lay_over(base: Node, own: Node) -> Node:
    """Two mappings as one: mappings are merged at every depth, other values of `own` replace those of `base`."""
    entries = dict(base.entries)
    for key, (name, value) in own.entries.items():
        under = entries.get(key)
        merge = under is not None and under[1].kind == "mapping" and value.kind == "mapping"
        entries[key] = (name, lay_over(under[1], value) if merge and under is not None else value)
    return replace(own, entries=entries)
