"""How a field of the spec names a kind.

A marker goes into `Annotated[Base, marker]`: mypy sees the base class, pydantic asks the marker. Only the named kind is
imported; the JSON Schema imports all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import (
    BaseModel,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, PydanticKnownError, core_schema

from causalvae.spec.registry import BrokenKind, K, Registry


class Tagged:
    """``data: {source: csv, path: ...}``: the key `tag` names the kind, whose other keys stand next to it.

    Parameters
    ----------
    registry : Registry
        Kinds that are sections.
    tag : str
        The key.
    """

    def __init__(self, registry: Registry[Any], tag: str) -> None:
        self.registry, self.tag = registry, tag

    def long_form(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is written with its short forms written out."""
        return value

    def read(self, value: Any) -> Any:
        """The section of a kind from plain values, with errors that pydantic places."""
        if isinstance(value, self.registry.base):
            return value
        if not isinstance(value, Mapping):
            raise PydanticKnownError("dict_type")
        written, key = self.long_form(value), f"'{self.tag}'"
        if self.tag not in written:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": key})
        name = written[self.tag]
        if not isinstance(name, str) or name not in self.registry.entries:
            known = ", ".join(f"'{known}'" for known in self.registry.names)
            raise PydanticKnownError(
                "union_tag_invalid", {"discriminator": key, "tag": str(name), "expected_tags": known}
            )
        model: type[BaseModel] = _import(self.registry, name, {"at": self.tag})
        return model.model_validate(dict(written))

    def models_of(self, value: Any) -> list[type[BaseModel]]:
        """The models that a written value may be of: the one that it names, or all."""
        name = self.long_form(value).get(self.tag) if isinstance(value, Mapping) else None
        named = self.registry.find(name)
        return [named] if named is not None else list(self.registry.usable())

    def _describe(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kinds = {kind.kind: _with_reference(kind) for kind in self.registry.usable()}
        return handler(core_schema.tagged_union_schema(kinds, self.tag))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _by_own_class(self.read, self._describe)


class Named:
    """``name: burgess``: the value is the name of a kind.

    Parameters
    ----------
    registry : Registry
    suits : callable, optional
        Which kinds may be named; all if omitted.
    """

    def __init__(self, registry: Registry[K], suits: Callable[[type[K]], bool] | None = None) -> None:
        self.registry, self.suits = registry, suits

    @property
    def choices(self) -> tuple[str, ...]:
        """The names that may be written. Imports all kinds where only some suit."""
        if self.suits is None:
            return self.registry.names
        return tuple(kind.kind for kind in self.registry.usable() if self.suits(kind))

    def read(self, value: Any) -> Any:
        """The name, with errors that pydantic places."""
        if not self.knows(value):
            raise PydanticKnownError("literal_error", {"expected": ", ".join(f"'{name}'" for name in self.choices)})
        return value

    def knows(self, name: Any) -> bool:
        """Whether a kind of this name may be named. Imports it where only some suit."""
        if not isinstance(name, str) or name not in self.registry.entries:
            return False
        return self.suits is None or self.suits(_import(self.registry, name, {}))

    def _describe(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"enum": list(self.choices), "type": "string"}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, metadata={"pydantic_js_functions": [self._describe]}
        )


class Fixed(Tagged):
    """``scores: {samples: 500}``: a field that is the section of one kind, whose name is not written.

    Parameters
    ----------
    registry : Registry
        Kinds that are sections.
    name : str
        The kind.
    """

    def __init__(self, registry: Registry[Any], name: str) -> None:
        super().__init__(registry, "")
        self.name = name

    def read(self, value: Any) -> Any:
        """The section from plain values, with errors that pydantic places."""
        return _read_kind(self.registry, self.name, value)

    def models_of(self, value: Any) -> list[type[BaseModel]]:
        """The model of the kind."""
        return [self.registry.get(self.name)]

    def _describe(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(_with_reference(self.registry.get(self.name)))


@dataclass(frozen=True)
class Choice:
    """A kind as a spec names it: its name, and what stands behind it, None where nothing does."""

    name: str
    settings: Any = None


class Short(Named):
    """``mode: mean`` or ``mode: {noise: 0.5}``: the name of a kind, alone or with settings behind it.

    A kind's `settings` is what may stand behind its name, in pydantic's terms. Read as a `Choice`.
    """

    registry: Registry[Any]

    @property
    def with_settings(self) -> dict[str, Any]:
        """What may stand behind the names that may have settings. Imports all kinds."""
        found = {name: self.registry.get(name).settings for name in self.choices}
        return {name: settings for name, settings in found.items() if settings is not None}

    def read(self, value: Any) -> Any:
        """The choice, with errors that pydantic places."""
        if isinstance(value, Choice):
            return value
        if not isinstance(value, Mapping):
            return Choice(super().read(value))
        if len(value) != 1:
            known = {"given": " and ".join(map(str, value)) or "none", "choices": ", ".join(self.with_settings)}
            raise PydanticCustomError("one_of", "give exactly one of {choices}", known)
        ((name, given),) = value.items()
        settings = self.registry.get(name).settings if self.knows(name) else None
        if settings is None:
            fault = InitErrorDetails(type="extra_forbidden", loc=(str(name),), input=given)
            raise ValidationError.from_exception_data(self.registry.noun, [fault])
        # As a mapping, so that a fault has the name in its place.
        adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, settings])  # type: ignore[valid-type]
        return Choice(name, adapter.validate_python({name: given})[name])

    def _describe(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        properties: dict[str, JsonSchemaValue] = {}
        for name, settings in self.with_settings.items():
            written = handler(TypeAdapter(settings).core_schema)
            properties[name] = {**written, "description": self.registry.get(name).summary()}
        one = {"minProperties": 1, "maxProperties": 1, "additionalProperties": False}
        names = super()._describe(_schema, handler)
        return {"anyOf": [names, {"type": "object", "properties": properties, **one}]}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def write(value: Choice, dump: SerializerFunctionWrapHandler) -> Any:
            return dump(value.name if value.settings is None else {value.name: value.settings})

        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.wrap_serializer_function_ser_schema(write, schema=core_schema.any_schema()),
            metadata={"pydantic_js_functions": [self._describe]},
        )


def _import(registry: Registry[Any], name: str, place: Mapping[str, str]) -> Any:
    """The class of a kind; where it is broken, an error that pydantic places."""
    try:
        return registry.get(name)
    except BrokenKind as error:
        raise PydanticCustomError("broken_kind", "{reason}", {"reason": str(error), **place}) from error


@dataclass(frozen=True)
class _Written:
    """What is written under a key that names a kind."""

    name: str
    value: Any


class Keyed:
    """``symmetry: {latents: [0]}``: keys of a mapping, in addition to its own, name kinds.

    It annotates the values of ``__pydantic_extra__``. Pydantic shows those without their keys, so a validator of the
    whole mapping has to call `keep_names` before.

    Parameters
    ----------
    registry : Registry
        Kinds that are sections.
    """

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def keep_names(self, plain: Mapping[str, Any], own: Container[str]) -> dict[str, Any]:
        """What is written, with values that belong to a kind bound to its name; those left empty are omitted.

        Parameters
        ----------
        plain : mapping
        own : container of str
            Keys of the mapping that name no kind.
        """
        named = {key for key in plain if key in self.registry.entries and key not in own}
        return {
            key: _Written(key, value) if key in named else value
            for key, value in plain.items()
            if value is not None or key not in named
        }

    def read(self, name: str, value: Any) -> Any:
        """The section of a kind from plain values, with errors that pydantic places."""
        return _read_kind(self.registry, name, value)

    def _read_kept(self, value: Any) -> Any:
        if isinstance(value, self.registry.base):
            return value
        if not isinstance(value, _Written):
            raise PydanticKnownError("extra_forbidden")
        return self.read(value.name, value.value)

    def _describe(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"properties": {kind.kind: handler(_with_reference(kind)) for kind in self.registry.usable()}}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _by_own_class(self._read_kept, self._describe)


def _read_kind(registry: Registry[Any], name: str, value: Any) -> Any:
    """The section of the kind called `name` from plain values."""
    if isinstance(value, registry.base):
        return value
    model: type[BaseModel] = _import(registry, name, {})
    if not isinstance(value, Mapping):
        raise PydanticKnownError("dict_type")
    return model.model_validate(dict(value))


def _by_own_class(
    read: Callable[[Any], Any], describe: Callable[[CoreSchema, GetJsonSchemaHandler], JsonSchemaValue]
) -> CoreSchema:
    """The schema of a value of some kind, which is written by its own class."""

    def write(value: Any, dump: SerializerFunctionWrapHandler) -> Any:
        return dump(value)

    # `any_schema` dumps a value by its own class. A schema made from the base class would drop the keys of the kind
    # without a warning, and the digest of a spec would not depend on them.
    return core_schema.no_info_plain_validator_function(
        read,
        serialization=core_schema.wrap_serializer_function_ser_schema(write, schema=core_schema.any_schema()),
        metadata={"pydantic_js_functions": [describe]},
    )


def _with_reference(kind: type[BaseModel]) -> CoreSchema:
    """The schema of a kind under the reference that a field of its type would have, so that it becomes a definition."""
    schema = TypeAdapter(kind).core_schema
    reference = f"{kind.__module__}.{kind.__qualname__}:{id(kind)}"
    if schema["type"] == "definitions":
        return {**schema, "schema": {**schema["schema"], "ref": reference}}
    return {**schema, "ref": reference}
