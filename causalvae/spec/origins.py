"""Where the values of a resolved spec come from."""

from __future__ import annotations

import os
from dataclasses import dataclass

from causalvae.spec.diagnostics import Path
from causalvae.spec.settings import OPTION
from causalvae.spec.yaml_tree import Node

DEFAULT = "default"
# Sections of a variant that are laid over those of the spec.
_INHERITED = ("model", "data", "mapping")


@dataclass(frozen=True)
class Origins:
    """The places of a spec's values.

    Parameters
    ----------
    root : Node
        The spec as it was assembled.
    file : str
        The spec's file; places are given relative to its folder.
    variant : str
        Name of the variant that the spec is of; empty if of none.
    """

    root: Node
    file: str = ""
    variant: str = ""

    def of(self, path: Path) -> str:
        """Where the value at a path of the resolved spec was written, as ``mine.yaml:12``; `DEFAULT` if nowhere."""
        inherited = path[:1] != () and path[0] in _INHERITED
        own = self._find(("variants", self.variant, *path)) if self.variant and inherited else None
        node = own or self._find(path)
        if node is None and path[:1] == ("variants",) and path[2:3] and path[2] in _INHERITED:
            node = self._find(path[2:])
        if node is None:
            return DEFAULT
        if node.source.name == OPTION:
            place = f"{OPTION} {node.source.line(1)}"
        else:
            place = f"{os.path.relpath(node.source.name, os.path.dirname(self.file))}:{node.line}"  # noqa: PTH120
        return f"{place} (${{{node.variable}}})" if node.variable else place

    def _find(self, path: Path) -> Node | None:
        """The node that gives the value; None where a key on the way was not written.

        A short form, such as ``mapping: {scale: latent[3]}``, gives everything that it stands for.
        """
        node, variable = self.root, ""
        for part in path:
            variable = node.variable or variable
            if node.kind == "mapping":
                if not isinstance(part, str) or part not in node.entries:
                    return None
                node = node.entries[part][1]
            elif node.kind == "sequence" and isinstance(part, int) and part < len(node.items):
                node = node.items[part]
            else:
                break
        return None if node.kind == "scalar" and node.value is None else node
