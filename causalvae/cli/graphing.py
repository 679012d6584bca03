"""The command graph: the declared graph for other programs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from causalvae.cli.console import clean, print_json, stdout
from causalvae.cli.inspecting import JsonOption, SetOption, SpecArgument
from causalvae.cli.preparing import STANDARD_OUTPUT, write_new
from causalvae.errors import CausalVAEError

if TYPE_CHECKING:
    from causalvae.graph.exchange import SharedGraph
    from causalvae.spec.schema import Spec


class GraphFormat(StrEnum):
    """A format of graphs."""

    DOT = "dot"
    GRAPHML = "graphml"
    DAGITTY = "dagitty"


def graph(
    spec: SpecArgument,
    form: Annotated[
        GraphFormat, typer.Option("--format", "-f", help="dot (Graphviz), graphml or dagitty.")
    ] = GraphFormat.DOT,
    rival: Annotated[
        str, typer.Option(metavar="NAME", help="Write a graph of alignment.rivals instead.", show_default=False)
    ] = "",
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; - prints it.")] = STANDARD_OUTPUT,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the declared graph in a format of other programs."""
    from causalvae.spec import load_spec

    text = _shared(load_spec(spec, settings=tuple(settings or ())), rival).write(form.value)
    if out == STANDARD_OUTPUT:
        if as_json:
            print_json({"format": form.value, "text": text})
        else:
            sys.stdout.write(text)
        return
    write_new(out, text, force=True)
    if as_json:
        print_json({"format": form.value, "file": str(out)})
    else:
        stdout().print(Text.assemble(("✓ ", "bold green"), f"wrote {clean(str(out))}"), soft_wrap=True)


def _shared(spec: Spec, rival: str) -> SharedGraph:
    """The declared graph of a spec, or one of its rivals."""
    from causalvae.graph.exchange import Role, SharedGraph

    rivals = spec.alignment.rival_pairs
    if rival and rival not in rivals:
        known = f"It has {', '.join(rivals)}." if rivals else "It has none."
        raise CausalVAEError("CV439", f"The spec has no rival graph {rival}.", known, "alignment.rivals")
    roles: dict[str, Role] = dict.fromkeys(spec.graph.factors, "factor")
    roles |= dict.fromkeys(spec.graph.attributes, "attribute")
    levels = [spec.intervention(each.treatment).level for each in spec.hypotheses]
    # A treatment that swaps whole samples sets no factor.
    treated = {factor for level in levels if (factor := getattr(level, "factor", None))}
    return SharedGraph(
        f"{spec.name}-{rival}" if rival else spec.name,
        roles,
        rivals[rival] if rival else spec.graph.edge_pairs,
        {node: section.components for node, section in spec.mapping.items() if section.components},
        treated,
        {each.outcome for each in spec.hypotheses},
    )
