"""Keys and choices at a path of the spec language, read from the pydantic models."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from causalvae.spec.markers import Keyed, Short, Tagged


def _keyed(model: type[BaseModel]) -> Keyed | None:
    """What names kinds by keys other than the model's own; None where none do."""
    return getattr(model, "KEYED", None)


def _arms(annotation: Any) -> list[Any]:
    """The members of a union without annotations; a marker represents its kinds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *notes = get_args(annotation)
        return [note for note in notes if isinstance(note, Tagged | Short)] or _arms(inner)
    if origin in (Union, types.UnionType):
        return [arm for member in get_args(annotation) for arm in _arms(member)]
    return [annotation]


def _field_arms(info: FieldInfo) -> list[Any]:
    return [note for note in info.metadata if isinstance(note, Tagged | Short)] or _arms(info.annotation)


def _resolve(arms: list[Any], value: Any) -> list[Any]:
    """The arms, with markers replaced by the possible kinds of `value`."""
    return [found for arm in arms for found in (arm.models_of(value) if isinstance(arm, Tagged) else [arm])]


def _is_model(arm: Any) -> bool:
    return isinstance(arm, type) and issubclass(arm, BaseModel)


def _names_of(model: type[BaseModel]) -> list[str]:
    # Keys of the section itself first, then inherited ones.
    own = vars(model).get("__annotations__", {})
    ordered = sorted(model.model_fields.items(), key=lambda field: field[0] not in own)
    found = [info.alias or name for name, info in ordered]
    keyed = _keyed(model)
    return found if keyed is None else list(dict.fromkeys((*found, *keyed.registry.names)))


def _literals_of(model: type[BaseModel]) -> list[str]:
    return [
        str(value)
        for info in model.model_fields.values()
        if get_origin(info.annotation) is Literal
        for value in get_args(info.annotation)
    ]


def _step(arms: list[Any], part: str | int) -> list[Any]:
    found: list[Any] = []
    for arm in arms:
        if _is_model(arm):
            for name, info in arm.model_fields.items():
                if part == (info.alias or name):
                    found += _field_arms(info)
            keyed = _keyed(arm)
            if keyed is not None and not found and (kind := keyed.registry.find(part)) is not None:
                found.append(kind)
        elif isinstance(arm, Short) and part in arm.with_settings:
            found += _arms(arm.with_settings[part])
        elif get_origin(arm) is dict and isinstance(part, str):
            found += _arms(get_args(arm)[1])
        elif get_origin(arm) is tuple and isinstance(part, int):
            found += _arms(get_args(arm)[0])
    if found:
        return found
    # A part that is not in the spec is the name of the union member that pydantic tried.
    tried = [arm for arm in arms if _is_model(arm) and (arm.__name__ in str(part) or part in _literals_of(arm))]
    return tried or arms


def keys_at(root: type[BaseModel], plain: Any, loc: Iterable[str | int]) -> list[str]:
    """The possible keys of a mapping at `loc`, the location of a pydantic error; `plain` is the validated value."""
    arms, value = _arms_at(root, plain, loc)
    named = [name for arm in arms if isinstance(arm, Short) for name in arm.with_settings]
    return list(dict.fromkeys([*named, *(name for arm in _models(arms, value) for name in _names_of(arm))]))


def tags_at(root: type[BaseModel], plain: Any, loc: Iterable[str | int], key: str) -> list[str]:
    """The values of the literal `key` of each model at `loc`, which distinguishes the members of a union."""
    return [tag for arm in models_at(root, plain, loc) for tag in _tags_of(arm, key)]


def fitting_tags(
    root: type[BaseModel], plain: Any, loc: Iterable[str | int], key: str, given: Iterable[str]
) -> list[str]:
    """The tags of the models at `loc` that have all keys in `given` and require no other."""
    keys = {*given, key}
    return [tag for arm in models_at(root, plain, loc) if _fits(arm, keys) for tag in _tags_of(arm, key)]


def models_at(root: type[BaseModel], plain: Any, loc: Iterable[str | int]) -> list[type[BaseModel]]:
    """The possible models of the value at `loc`."""
    return _models(*_arms_at(root, plain, loc))


def _models(arms: list[Any], value: Any) -> list[type[BaseModel]]:
    return [arm for arm in _resolve(arms, value) if _is_model(arm)]


def owners_of(root: type[BaseModel], plain: Any, loc: Iterable[str | int], key: str) -> list[str]:
    """The kinds with a key, as ``TAG: KIND``, if the value at `loc` is of a family of kinds."""
    arms, _ = _arms_at(root, plain, loc)
    markers = [arm for arm in arms if isinstance(arm, Tagged) and arm.tag]
    return [
        f"{marker.tag}: {kind.kind}"
        for marker in markers
        for kind in marker.registry.usable()
        if key in _names_of(kind)
    ]


def _arms_at(root: type[BaseModel], plain: Any, loc: Iterable[str | int]) -> tuple[list[Any], Any]:
    """The arms at `loc`, including markers, and the value there."""
    arms: list[Any] = [root]
    for part in loc:
        is_place = (isinstance(plain, dict) and part in plain) or (
            isinstance(plain, list) and isinstance(part, int) and 0 <= part < len(plain)
        )
        arms = _step(_resolve(arms, plain), part)
        plain = plain[part] if is_place else plain
    return arms, plain


def _fits(model: type[BaseModel], keys: set[str]) -> bool:
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    return keys <= set(fields) and all(name in keys for name, info in fields.items() if info.is_required())


def _tags_of(model: type[BaseModel], key: str) -> list[str]:
    info = model.model_fields.get(key)
    literal = info is not None and get_origin(info.annotation) is Literal
    return [str(value) for value in get_args(info.annotation)] if info is not None and literal else []
