"""Scalar types and base classes of the sections of specs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]*$"
EDGE_PATTERN = r"^\s*[A-Za-z_][A-Za-z0-9_-]*\s*->\s*[A-Za-z_][A-Za-z0-9_-]*\s*$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
ComponentRef = Annotated[str, Field(min_length=1, max_length=500, description="A component address, or $FACTOR.")]
EdgeText = Annotated[str, Field(pattern=EDGE_PATTERN)]
# Strict scalars: the text "512" is no number and true is no count, in YAML as in the JSON Schema.
Count = Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)]
# A bound added by a field to one of the same kind here would be ignored, so each range is a separate type.
Index = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
ModestCount = Annotated[int, Field(strict=True, gt=0, le=1_000_000)]
# One pair has no spread, so no interval and no test.
PairCount = Annotated[int, Field(strict=True, ge=2, le=1_000_000)]
NullPairCount = Annotated[int, Field(strict=True, ge=24, le=1_000_000)]
RandomCount = Annotated[int, Field(strict=True, gt=0, le=5000)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
# No number of pairs reaches a smaller level, and what is divided by one has to stay finite.
Level = Annotated[float, Field(strict=True, ge=1e-12, lt=1, allow_inf_nan=False)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Flag = Annotated[bool, Field(strict=True)]
# A number and a unit: decimal (MB) or binary (MiB) ones.
MemorySize = Annotated[
    str, Field(strict=True, max_length=40, pattern=r"^([1-9][0-9]*(\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*) ?[KMGT]i?B$")
]


class Section(BaseModel):
    """A part of a spec: unknown keys are refused, values never change."""

    # Deferred, since building the validator of each section would double the import time.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class StrictSection(BaseModel):
    """A part of a training spec: as in the specs of analyses the text "512" is no number, and numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, strict=True, allow_inf_nan=False)


def differs(section: BaseModel, key: str) -> bool:
    """Whether a section has another value than the default of a key.

    Which keys were written does not count: a resolved spec writes all of them, and is the same spec.
    """
    default = type(section).model_fields[key].get_default(call_default_factory=True)
    return bool(getattr(section, key) != default)


def long_factors(value: Any) -> Any:
    """Factors as a mapping: from a list of names, and with the defaults for a name without a value."""
    if isinstance(value, dict):
        return {name: {} if section is None else section for name, section in value.items()}
    if not isinstance(value, list | tuple):
        return value
    for index, name in enumerate(value):
        if not isinstance(name, str):
            raise PydanticCustomError("factor_name", "a list of factors holds names only", {"at": index})
    return {name: {} for name in value}


def given(key: str) -> dict[str, Any]:
    """The JSON Schema of a mapping that has a value under `key`; one that is written and left empty is none."""
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def exactly_one(keys: Iterable[str]) -> dict[str, Any]:
    """The JSON Schema of a mapping that has a value under one of the keys."""
    return {"oneOf": [given(key) for key in keys]}


def split_edges(edges: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Edges as (parent, child) names."""
    pairs = (edge.split("->") for edge in edges)
    return tuple((parent.strip(), child.strip()) for parent, child in pairs)
