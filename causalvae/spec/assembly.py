"""From the tree of a spec's file to that of the whole spec: includes, settings, variables, grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from causalvae.spec import grid, include, variables
from causalvae.spec.diagnostics import Diagnostic
from causalvae.spec.settings import apply_settings
from causalvae.spec.yaml_tree import Node

KEYS: Final = (include.KEY, variables.KEY, grid.KEY)


@dataclass(frozen=True)
class Assembled:
    """The tree of a whole spec.

    Parameters
    ----------
    root : Node
        Without the keys of this module.
    points : tuple of Point
        Of its grid; empty where it has none.
    faults : tuple of Diagnostic
    broken : bool
        Whether parts are missing, so that the rest cannot be judged.
    """

    root: Node
    points: tuple[grid.Point, ...] = ()
    faults: tuple[Diagnostic, ...] = ()
    broken: bool = False


def assemble(root: Node, file: Path | None, settings: Sequence[str] = ()) -> Assembled:
    """Lay a spec over what it includes, set values, and put variables in.

    Parameters
    ----------
    root : Node
        The mapping at the top of the file.
    file : Path or None
        The file, if there is one.
    settings : sequence of str
        Each is ``KEY=VALUE``.
    """
    if not settings and not any(key in root.entries for key in KEYS) and "${" not in _text(root):
        return Assembled(root)
    includer = include.Includer(file)
    whole = includer.lay(root)
    whole, unset = apply_settings(whole, settings)
    section = whole.entries[variables.KEY][1] if variables.KEY in whole.entries else None
    known = variables.Variables(section)
    kept = {key: entry for key, entry in whole.entries.items() if key not in (variables.KEY, include.KEY)}
    whole = known.put_in(replace(whole, entries=kept))
    varied = whole.entries.pop(grid.KEY)[1] if grid.KEY in whole.entries else None
    faults = [*includer.faults, *unset, *known.faults]
    points, crossed = ((), []) if faults else grid.open_grid(whole, varied)
    return Assembled(whole, points, (*faults, *crossed), bool(includer.faults))


def _text(node: Node) -> str:
    return "\n".join(node.source.lines)
