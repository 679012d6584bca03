"""The key `variables`: names for values, which `${NAME}` stands for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from causalvae.spec.diagnostics import Diagnostic, list_choices, nearest, show_text
from causalvae.spec.placing import fault_at
from causalvae.spec.yaml_tree import MAX_BYTES, MAX_DEPTH, MAX_NODES, Node

KEY: Final = "variables"
# `$${` is written for the text `${`.
USE: Final = re.compile(r"\$(\$?)\{([^{}]*)\}")


class Variables:
    """The variables of a spec.

    Parameters
    ----------
    section : Node or None
        The mapping from names to values.
    """

    def __init__(self, section: Node | None) -> None:
        self.faults: list[Diagnostic] = []
        self._known: dict[str, Node] = {}
        self._values = self._characters = 0
        self._full = False
        if section is not None and section.kind == "mapping":
            self._known = {name: value for name, (_, value) in section.entries.items()}
        elif section is not None and section.value is not None:
            said = "`variables` is a mapping of names to values"
            self.faults.append(fault_at(section, "CV022", said, "Write `variables: {NAME: VALUE}`."))

    def put_in(self, node: Node, within: tuple[str, ...] = (), depth: int = 0) -> Node:
        """A value with the values of variables in place of their uses.

        Parameters
        ----------
        node : Node
            A scalar that is one use becomes the variable's value, of any type; in other text a use becomes the text of
            a single value.
        within : tuple of str
            The variables whose values are being read.
        depth : int
            Levels above the value.
        """
        self._values += 1
        if self._full or self._values > MAX_NODES or depth > MAX_DEPTH:
            if not self._full:
                self._full = True
                said = f"variables expand to more than {MAX_NODES:,} values, or for more than {MAX_DEPTH} levels"
                self.faults.append(fault_at(node, "CV009", said, "Use fewer or smaller variables."))
            return node
        if node.kind == "mapping":
            entries = {
                key: (name, self.put_in(value, within, depth + 1)) for key, (name, value) in node.entries.items()
            }
            return replace(node, entries=entries)
        if node.kind == "sequence":
            return replace(node, items=[self.put_in(item, within, depth + 1) for item in node.items])
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        whole = USE.fullmatch(node.value)
        if whole is not None and not whole[1]:
            found = self._look_up(whole[2], node, within, depth)
            if found is None:
                return node
            return replace(
                found,
                line=node.line,
                column=node.column,
                length=node.length,
                source=node.source,
                variable=whole[2],
            )
        return self._in_text(node, node.value, within, depth)

    def _in_text(self, node: Node, text: str, within: tuple[str, ...], depth: int) -> Node:
        def written(use: re.Match[str]) -> str:
            if use[1]:
                return use[0][1:]
            found = self._look_up(use[2], node, within, depth)
            if found is not None and found.kind != "scalar":
                kind = "list" if found.kind == "sequence" else "mapping"
                said = f"the variable {show_text(use[2])} is a {kind}, which cannot be a part of text"
                remedy = "Let the value be `${NAME}` and nothing else, or use a variable with a single value."
                self.faults.append(fault_at(node, "CV044", said, remedy, part=use[0]))
                return use[0]
            return use[0] if found is None or self._characters > MAX_BYTES else found.text

        result = USE.sub(written, text)
        self._characters += len(result)
        return replace(node, value=result, text=result)

    def _look_up(self, name: str, node: Node, within: tuple[str, ...], depth: int) -> Node | None:
        """The value of a variable; None, and a fault, where it has none."""
        if name in within:
            circle = " -> ".join((*within[within.index(name) :], name))
            said = f"the variables form a cycle: {circle}"
            self.faults.append(fault_at(node, "CV044", said, "Write one of them out.", part="${" + name + "}"))
            return None
        if name not in self._known:
            known = f"The variables are {list_choices(self._known, 'and')}." if self._known else "The spec has none."
            self.faults.append(
                fault_at(
                    node,
                    "CV044",
                    f"there is no variable {show_text(name)}",
                    f"{known} Add it under `variables`, or write `$$` for a dollar sign before a brace.",
                    nearest(name, self._known),
                    part="${" + name + "}",
                )
            )
            return None
        return self.put_in(self._known[name], (*within, name), depth + 1)
