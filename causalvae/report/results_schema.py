"""The format of ``results.json`` as a JSON Schema (draft 2020-12), made from the types of the results.

``make generated`` writes specs/results.schema.json again.
"""

from __future__ import annotations

import inspect
import json
from contextlib import nullcontext
from typing import Any, Final, get_args

from pydantic import TypeAdapter

from causalvae.circuits.types import Verdict
from causalvae.effects.notes import Note
from causalvae.plan.targets import Target
from causalvae.report.json_report import SCHEMA
from causalvae.results import Results
from causalvae.spec.analysis import ANALYSES
from causalvae.spec.jsonschema import DIALECT
from causalvae.spec.registry import only_own_kinds

_WORDS: Final[dict[str, tuple[type, ...]]] = {"text": (Note,), "reason": (Verdict,), "label": get_args(Target)}


def results_schema(extensions: bool = False) -> dict[str, Any]:
    """The schema of the content of ``results.json``.

    Objects may have further keys: readers pass over what they do not know.

    Parameters
    ----------
    extensions : bool
        Whether it has the results of other distributions' analyses.
    """
    schema = TypeAdapter(Results).json_schema(mode="serialization")
    with nullcontext() if extensions else only_own_kinds():
        analyses = ANALYSES.usable()
    found = {
        kind.kind: TypeAdapter(kind.result_type()).json_schema(mode="serialization")
        for kind in analyses
        if not kind.result_field
    }
    for result in found.values():
        schema["$defs"] |= result.pop("$defs", {})
    schema["properties"]["analyses"]["properties"] = found
    _describe(schema)
    for key, kinds in _WORDS.items():
        for kind in kinds:
            schema["$defs"][kind.__name__]["properties"][key] = {"type": "string"}
    schema["properties"] = {"schema": {"const": SCHEMA}, **schema["properties"]}
    schema["required"] = ["schema", *schema["required"]]
    return {"$schema": DIALECT, "title": "Results of causalvae", **schema}


def results_schema_text(extensions: bool = False) -> str:
    """The schema as indented JSON text."""
    return json.dumps(results_schema(extensions), indent=1, ensure_ascii=False) + "\n"


def _describe(value: Any) -> None:
    """Keep the first line of docstrings, and allow null for numbers: one that is not finite is written so."""
    if isinstance(value, dict):
        if value.get("type") == "number":
            value["type"] = ["number", "null"]
        if isinstance(value.get("description"), str):
            value["description"] = inspect.cleandoc(value["description"]).partition("\n")[0]
        for inner in value.values():
            _describe(inner)
    elif isinstance(value, list):
        for inner in value:
            _describe(inner)
