"""A spec as YAML with all defaults, and where each value comes from."""

from __future__ import annotations

from pydantic import BaseModel

from causalvae.spec.diagnostics import Path
from causalvae.spec.origins import Origins
from causalvae.spec.yaml_tree import Node, compose, split_lines
from causalvae.text import visible


def write_resolved(spec: BaseModel, base: str | None = None, origins: Origins | None = None) -> str:
    """A spec as YAML with all defaults; reading it gives an equal spec.

    Parameters
    ----------
    spec : BaseModel
    base : str, optional
        The folder where relative paths start, if the text is stored in another folder than the spec.
    origins : Origins, optional
        Where values come from: noted in a comment behind each value.
    """
    from io import StringIO

    from ruamel.yaml import YAML

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    if origins is not None:
        # A comment behind a value that goes on over several lines would be in its middle.
        writer.width = 1 << 20
    stream = StringIO()
    written = spec if base is None else spec.model_copy(update={"base": base})
    writer.dump(written.model_dump(mode="json", by_alias=True, exclude_none=True), stream)
    return stream.getvalue() if origins is None else _noted(stream.getvalue(), origins)


def _noted(text: str, origins: Origins) -> str:
    """The text with the origin of each value in a comment behind it."""
    lines = split_lines(text)
    root, _ = compose(text)
    notes: dict[int, str] = {}

    def note(node: Node, path: Path) -> None:
        for key, (_, value) in node.entries.items():
            note(value, (*path, key))
        for place, item in enumerate(node.items):
            note(item, (*path, place))
        if not node.entries and not node.items and path != ("base",):
            # Text with line ends is written over several lines.
            notes[node.line] = (
                origins.of(path) if node.length > 1 or node.kind != "scalar" or len(node.text) < 2 else ""
            )

    if root is not None:
        note(root, ())
    for number, said in notes.items():
        if said:
            lines[number - 1] += "  # " + " ".join(visible(said).split())
    return "\n".join(lines)
