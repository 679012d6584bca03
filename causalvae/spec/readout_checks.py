"""Checks of attributes: keys that a readout lacks or does not use, and data that it cannot measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from causalvae.spec.diagnostics import Finding, Path, list_choices
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import READOUTS, ReadoutSection

_WORDS: Final = {
    "picture": "pictures",
    "colour": "pictures in RGB",
    "sound": "sounds",
    "table": "tables",
    "output": "anything",
}


def check_readouts(attributes: Mapping[str, ReadoutSection | None], source: DataEntry | None) -> list[Finding]:
    """Findings on a spec's attributes.

    Parameters
    ----------
    attributes : mapping
        By name; None if the section could not be read.
    source : DataEntry or None
        The known properties of the data.
    """
    findings = []
    for name, section in attributes.items():
        if section is not None:
            path: Path = ("graph", "attributes", name)
            findings += section.findings(name, path, source)
            findings += [] if source is None else _check_kind(name, section, path, source.input_shape)
    return findings


def lacking_key(model: type[ReadoutSection], path: Path) -> Finding:
    """The finding on a required key that is missing."""
    key = str(path[-1])
    field = model.model_fields[key]
    choices = [f"`{key}: {choice}`" for choice in get_args(field.annotation)] or [f"`{key}: ...`"]
    what = f": {field.description[0].lower()}{field.description[1:]}" if field.description else "."
    said = f"the readout '{model.kind}' of '{path[-2]}' needs {key}"
    return Finding("CV038", path, said, f"Add {' or '.join(choices)}{what}")


def foreign_key(model: type[ReadoutSection], path: Path, value: Any) -> Finding | None:
    """The finding on a key, or a choice of one, that only other readouts have; None if none has it."""
    key = str(path[-1])
    others = [kind.model_fields[key] for kind in READOUTS.usable() if key in kind.model_fields]
    if key in model.model_fields:
        choices = get_args(model.model_fields[key].annotation)
        if not any(value in get_args(field.annotation) for field in others):
            return None
        said = f"the readout '{model.kind}' of '{path[-2]}' has no {key} '{value}'"
        return Finding("CV038", path, said, f"Write {list_choices(choices)}.")
    if not others:
        return None
    keys = [name for name in model.model_fields if name != "readout"]
    takes = list_choices(keys, "and") if keys else "no further key"
    said = f"the readout '{model.kind}' of '{path[-2]}' does not use {key}"
    return Finding("CV039", path, said, f"Delete it; this readout takes {takes}.", on_key=True)


def _check_kind(name: str, section: ReadoutSection, path: Path, shape: tuple[int, ...]) -> list[Finding]:
    """A finding if the readout does not measure data of this shape."""
    if not shape or section.of == "output":
        return []
    fits = {
        "picture": len(shape) == 3 and shape[0] in (1, 3),
        "colour": len(shape) == 3 and shape[0] == 3,
        "sound": len(shape) == 2 and shape[0] == 1,
        "table": len(shape) == 1,
        "output": True,
    }
    if fits[section.of]:
        return []
    others = [kind.kind for kind in READOUTS.usable() if fits[kind.of]]
    return [
        Finding(
            "CV038",
            (*path, "readout"),
            f"the readout '{section.readout}' of '{name}' measures {_WORDS[section.of]}, and the data's inputs have "
            f"shape {list(shape)}",
            f"Write {list_choices(others, most=16)}.",
        )
    ]
