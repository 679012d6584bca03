"""The spec language as a JSON Schema (draft 2020-12), for completion and checks in editors.

``make generated`` writes specs/causalvae.schema.json again, with the kinds of this package;
``causalvae schema`` adds those of other distributions.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from typing import Any, Final

from causalvae.spec.intervention_section import LEVELS, level_names
from causalvae.spec.quantity import QUANTITIES
from causalvae.spec.registry import only_own_kinds
from causalvae.spec.schema import NAME_PATTERN, Spec
from causalvae.spec.section import exactly_one, given

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# Keys that are taken out of a spec before it is checked; see `causalvae.spec.assembly`.
_PARTS: Final = {
    "include": {
        "anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string", "minLength": 1}}],
        "description": "Files whose keys are merged with those of this file; paths are relative to this file.",
    },
    "variables": {"type": "object", "description": "Values by name, for `${NAME}` as a value or within text."},
    "grid": {
        "type": "object",
        "additionalProperties": {"type": "array"},
        "description": "Paths of keys with several values each, such as `data.seed: [1, 2]`: one run for each "
        "combination.",
    },
}


def json_schema(extensions: bool = True) -> dict[str, Any]:
    """The schema of a spec, with the short forms that a spec may use and the keys that exclude each other.

    Parameters
    ----------
    extensions : bool
        Whether it has the kinds of other distributions.
    """
    with nullcontext() if extensions else only_own_kinds():
        schema = Spec.model_json_schema(by_alias=True, mode="validation")
        quantities, levels = QUANTITIES.usable(), level_names()
    parts = schema["$defs"]
    _close(schema)
    _add_kinds(schema, schema["additionalProperties"]["properties"])
    sections = parts["Intervention"]["additionalProperties"]["properties"]
    parts |= {LEVELS.get(level).__name__: sections[level] for level in levels}
    _add_kinds(parts["Intervention"], {level: {"$ref": f"#/$defs/{LEVELS.get(level).__name__}"} for level in levels})

    name = {"type": "string", "pattern": NAME_PATTERN, "maxLength": 100}
    names = {"type": "array", "items": name, "uniqueItems": True}
    for properties in [part.get("properties", {}) for part in parts.values()]:
        if "patternProperties" in properties.get("factors", {}):
            sections = properties["factors"]["patternProperties"]
            sections |= {pattern: {"anyOf": [section, {"type": "null"}]} for pattern, section in sections.items()}
            properties["factors"] = _either(properties["factors"], names)

    address = {"type": "string", "minLength": 1, "description": "A component address, such as latent[3]."}
    addresses = {"type": "array", "items": address, "minItems": 1, "description": "Component addresses."}
    own = next(arm for arm in parts["VariantSection"]["properties"]["mapping"]["anyOf"] if "patternProperties" in arm)
    for mapping in (schema["properties"]["mapping"], own):
        mapping["patternProperties"] = {
            pattern: {"anyOf": [address, addresses, long_form]}
            for pattern, long_form in mapping["patternProperties"].items()
        }

    for key in ("model", "data"):
        arms = schema["properties"][key]["oneOf"]
        parts["VariantSection"]["properties"][key]["anyOf"][0] = _partial(parts, arms)

    parts["MappingSection"] |= exactly_one(("components", "find"))
    vectors = parts["GraphSection"]["properties"]["vectors"]
    parts["VectorSection"]["properties"]["components"] |= {"minItems": 2, "uniqueItems": True}
    several = names | {"minItems": 2, "description": "Attributes."}
    vectors["patternProperties"] = {
        pattern: {"anyOf": [several, long_form]} for pattern, long_form in vectors["patternProperties"].items()
    }
    parts["Intervention"] |= exactly_one(levels)
    parts["Bound"]["anyOf"] = [given(key) for key in ("at_least", "at_most")]
    expected = parts["Expectations"]
    bounds = {kind.kind: expected["properties"][kind.kind] | {"description": kind.summary()} for kind in quantities}
    properties = {key: expected["properties"][key] for key in ("special", "minimal", "unique")}
    expected["properties"] = bounds | properties
    expected["anyOf"] = [given(key) for key in bounds]
    parts["Expectations"]["allOf"] = [
        _if_claimed("special", ("mediated_share",)),
        _if_claimed("minimal", ("mediated_share", "necessity")),
        _if_claimed("unique", ("mediated_share",)),
    ]
    for part in (schema, *parts.values()):
        _let_variables(part)
    parts["Variable"] = {"type": "string", "pattern": r"^\$\{[^{}]*\}$", "description": "The value of a variable."}
    schema["properties"] |= _PARTS
    schema["$defs"] = dict(sorted(parts.items()))
    return {"$schema": DIALECT, **schema, "title": "causalvae spec"}


def json_schema_text(extensions: bool = False) -> str:
    """The schema as the committed file holds it."""
    return json.dumps(json_schema(extensions), indent=2, ensure_ascii=True) + "\n"


def _add_kinds(part: dict[str, Any], sections: dict[str, Any]) -> None:
    """Make keys that name kinds keys like the others, each of which may be left empty."""
    part["properties"] |= {name: {"anyOf": [section, {"type": "null"}]} for name, section in sections.items()}
    part["additionalProperties"] = False


def _either(schema: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: schema.pop(key) for key in ("title", "description") if key in schema}
    return kept | {"anyOf": [other, schema]}


def _partial(parts: dict[str, Any], arms: list[dict[str, str]]) -> dict[str, Any]:
    """Any keys of several sections: what is omitted is taken from elsewhere."""
    keys: dict[str, list[Any]] = {}
    for arm in arms:
        for key, schema in parts[arm["$ref"].rpartition("/")[2]]["properties"].items():
            if schema not in keys.setdefault(key, []):
                keys[key].append(schema)
    properties = {key: found[0] if len(found) == 1 else {"anyOf": found} for key, found in keys.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _if_claimed(key: str, others: tuple[str, ...]) -> dict[str, Any]:
    """A property that is claimed needs one of the others."""
    claimed = {"required": [key], "properties": {key: {"const": True}}}
    return {"if": claimed, "then": {"anyOf": [given(other) for other in others]}}


def _let_variables(schema: dict[str, Any]) -> None:
    """Let `${NAME}` stand for every value below a schema that is no text already and no constant."""
    for key in ("properties", "patternProperties"):
        for name, inner in schema.get(key, {}).items():
            _let_variables(inner)
            schema[key][name] = _or_variable(inner)
    if isinstance(schema.get("items"), dict):
        _let_variables(schema["items"])
        schema["items"] = _or_variable(schema["items"])
    if "prefixItems" in schema:
        schema["prefixItems"] = [_or_variable(inner) for inner in schema["prefixItems"]]
    for arm in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if "$ref" not in arm and "required" not in arm:
            _let_variables(arm)


def _or_variable(schema: dict[str, Any]) -> dict[str, Any]:
    free = schema.get("type") == "string" and not schema.keys() & {"pattern", "enum"}
    if free or schema.keys() & {"const", "not"}:
        return schema
    variable = {"$ref": "#/$defs/Variable"}
    arms = schema.get("anyOf")
    return _either(schema, variable) if arms is None else {**schema, "anyOf": [*arms, variable]}


def _close(value: Any) -> None:
    """Refuse names that fit no pattern, and drop what belongs to OpenAPI rather than to JSON Schema."""
    if isinstance(value, dict):
        if "patternProperties" in value:
            value["additionalProperties"] = False
        if isinstance(value.get("discriminator"), dict) and "propertyName" in value["discriminator"]:
            del value["discriminator"]
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _close(inner)


if __name__ == "__main__":
    sys.stdout.write(json_schema_text())
