"""Values that the JSON Schema of specs allows, most of them extreme: they pass the first checks and reach the later."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[2]
_DEEPEST: Final = 9
_NAMES: Final = (
    "shape",
    "scale",
    "orientation",
    "x",
    "y",
    "area",
    "width",
    "resize",
    "via_scale",
    "a",
    "Z_9-",
    "n" * 100,
)
_TEXTS: Final = (
    "latent", "latent[0]", "latent[1:3]", "latent[0,2]", "encoder.conv1", "encoder.conv*", "encoder.conv1[0]", "$scale",
    "$x", "mean", "x + y", "normal(0, 1)", "uniform(0, 1)", "bernoulli(0.5)", "0.5 * x", "weights.safetensors",
    "there.safetensors", "builtin://dsprites-vae", "there.yaml", "x < 0.5 and y > 1", "1", "-", "<b>x</b>", "=1+1",
    "\u202eabc", "é", "a\tb", "${x}", "*", "auto", "nets:make",
)  # fmt: skip
_BY_PATTERN: Final[dict[str, Sequence[str]]] = {
    "->": (
        "scale -> area",
        "shape -> area",
        "x -> width",
        "scale->area",
        "x -> y",
        "area -> scale",
        "y -> orientation",
    ),
    "[KMGT]": ("1 GB", "0.001 KB", "999999 TiB", "12 MiB"),
    r"[\w.]*:": ("nets:make", "torch:nn", "os:system", "_a.b:c"),
}


class Grammar:
    """Draws values of a JSON Schema.

    Parameters
    ----------
    schema : dict
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema

    @classmethod
    def of_specs(cls) -> Grammar:
        """The grammar of the specs of analyses."""
        return cls(json.loads((_ROOT / "specs/causalvae.schema.json").read_text(encoding="utf-8")))

    def spec(self, rng: random.Random) -> Any:
        """A whole spec."""
        return self._draw(self._schema, rng, 0)

    def at(self, path: Sequence[str | int], rng: random.Random) -> tuple[bool, Any]:
        """Whether the schema knows a value at this path, and one that it allows there."""
        schemas = [self._schema]
        for part in path:
            schemas = [inner for schema in schemas for inner in self._below(schema, part)]
        return (True, self._draw(rng.choice(schemas), rng, len(path))) if schemas else (False, None)

    def _below(self, schema: dict[str, Any], part: str | int) -> list[dict[str, Any]]:
        found = []
        for way in self._ways(schema):
            if isinstance(part, int):
                found += [way["items"]] if isinstance(way.get("items"), dict) else []
            elif part in way.get("properties", {}):
                found.append(way["properties"][part])
            else:
                found += list(way.get("patternProperties", {}).values())
                found += [way["additionalProperties"]] if isinstance(way.get("additionalProperties"), dict) else []
        return found

    def _ways(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        """The schema itself, or what it is one of; a variable in the place of a value is left out."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return [] if name == "Variable" else self._ways(self._schema["$defs"][name])
        if "type" in schema or "properties" in schema or "enum" in schema or "const" in schema:
            return [schema]
        ways = [way for key in ("anyOf", "oneOf") for each in schema.get(key, ()) for way in self._ways(each)]
        return ways or [schema]

    def _draw(self, schema: dict[str, Any], rng: random.Random, depth: int) -> Any:
        ways = self._ways(schema)
        if not ways:
            return rng.choice(_TEXTS)
        way = rng.choice(ways)
        if "const" in way:
            return way["const"]
        if "enum" in way:
            return rng.choice(way["enum"])
        kind = way.get("type", "object" if "properties" in way else "string")
        match kind:
            case "object":
                return self._mapping(way, rng, depth)
            case "array":
                return self._list(way, rng, depth)
            case "string":
                return _text(way, rng)
            case "integer" | "number":
                return _number(way, rng, whole=kind == "integer")
            case "boolean":
                return rng.random() < 0.5
        return None

    def _mapping(self, way: dict[str, Any], rng: random.Random, depth: int) -> dict[str, Any]:
        needed = set(way.get("required", ()))
        for branch in ("anyOf", "oneOf"):
            # One of several keys must be there.
            if way.get(branch) and "properties" in way:
                needed |= set(rng.choice(way[branch]).get("required", ()))
        often = 0.3 if depth < 4 else 0.12 if depth < _DEEPEST else 0.0
        value = {
            key: self._draw(inner, rng, depth + 1)
            for key, inner in way.get("properties", {}).items()
            if key in needed or rng.random() < often
        }
        free = [*way.get("patternProperties", {}).values(), way.get("additionalProperties")]
        schemas = [inner for inner in free if isinstance(inner, dict)]
        if schemas:
            count = rng.choice((0, 1, 1, 2, 3)) if depth < _DEEPEST else way.get("minProperties", 0)
            count = min(max(count, way.get("minProperties", 0)), way.get("maxProperties", 5))
            value |= {name: self._draw(rng.choice(schemas), rng, depth + 1) for name in rng.sample(_NAMES, count)}
        return value

    def _list(self, way: dict[str, Any], rng: random.Random, depth: int) -> list[Any]:
        if "prefixItems" in way:
            return [self._draw(inner, rng, depth + 1) for inner in way["prefixItems"]]
        least = way.get("minItems", 0)
        count = rng.choice((0, 1, 1, 2, 3, 9)) if depth < _DEEPEST else least
        count = min(max(count, least), way.get("maxItems", 9))
        items = [self._draw(way.get("items", {}), rng, depth + 1) for _ in range(count)]
        if way.get("uniqueItems"):
            items = [item for place, item in enumerate(items) if item not in items[:place]]
        return items


def _text(way: dict[str, Any], rng: random.Random) -> str:
    pattern = way.get("pattern", "")
    for part, texts in _BY_PATTERN.items():
        if part in pattern:
            return rng.choice(texts)
    text = rng.choice(_NAMES if pattern else (*_TEXTS, *_NAMES))
    return text[: way["maxLength"]] if "maxLength" in way else text


def _number(way: dict[str, Any], rng: random.Random, whole: bool) -> Any:
    """A number at a bound, near it, or in between."""
    low, high = way.get("minimum", way.get("exclusiveMinimum")), way.get("maximum", way.get("exclusiveMaximum"))
    least = -(2**63) if low is None else low
    most = 2**63 if high is None else high
    if whole:
        near = [least, least + 1, most, most - 1, min(max(2, least), most), min(max(7, least), most)]
        return int(rng.choice(near))
    small = [math.nextafter(least, math.inf), math.nextafter(most, -math.inf), (least + most) / 2]
    small += [] if "exclusiveMinimum" in way or low is None else [low]
    small += [] if "exclusiveMaximum" in way or high is None else [high]
    small += [value for value in (0.0, -0.0, 1e-300, 0.05, 0.5, 1.0, 3, 1e300) if least < value < most]
    return rng.choice(small)
