"""Results as strict JSON, and back.

JSON has no NaN and no infinity: a number that is not finite is written as null. Reading puts NaN back wherever the
field's type is a plain number; where it is a number or None, null stays None.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from causalvae.boundary import boundary
from causalvae.circuits.types import Verdict
from causalvae.effects.notes import Note
from causalvae.errors import CausalVAEError
from causalvae.files import DamagedFileError, json_text, read_json
from causalvae.plan.targets import ComponentPath, ComponentSet, DataFactor, SubspacePart
from causalvae.report.notes import note_words
from causalvae.report.verdict_words import reason
from causalvae.results import Results, UnreadResult
from causalvae.spec.analysis import ANALYSES

SCHEMA = "causalvae/results-v2"
FILE_NAME = "results.json"


def to_json_dict(results: Results) -> dict[str, Any]:
    """Results as plain values that strict JSON can hold, led by the schema's version."""
    return {"schema": SCHEMA, **plain_values(results)}


def render_json(results: Results) -> str:
    """Results as strict, indented JSON text with a checksum of itself."""
    return json_text(to_json_dict(results), indent=1, ensure_ascii=False, allow_nan=False)


def load_results(folder: str | Path) -> Results:
    """Read the results of a run.

    Parameters
    ----------
    folder : str or Path
        A run's folder, or the path of its ``results.json``.

    Raises
    ------
    CausalVAEError
        CV450 where there is no such file, CV451 where it is not what was written, or not JSON of this schema.
    """
    folder = Path(folder)
    path = folder / FILE_NAME if folder.is_dir() else folder
    try:
        content = read_json(path)
    except DamagedFileError as error:
        if path.suffix != ".json":
            raise CausalVAEError("CV450", f"{path.name} holds no results of a run.", _NAME, str(path)) from error
        raise _unreadable(path, error.reason) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CausalVAEError(
            "CV450",
            f"There are no results to read: {error.strerror or error}.",
            _NAME,
            str(path),
        ) from error
    if content.get("schema") != SCHEMA:
        raise _unreadable(path, f"its schema is {content.get('schema')!r} and not {SCHEMA!r}")
    with boundary("CV451", "The results cannot be read: a field is not as it should be", _REMEDY, str(path)):
        return from_json_dict(content)


def from_json_dict(content: Mapping[str, Any]) -> Results:
    """Rebuild results from what `to_json_dict` gave.

    Fields that this version does not know are passed over; a missing field takes its default.

    Raises
    ------
    KeyError, TypeError, ValueError
        Where a field is missing that has no default, or has another shape.
    """
    results: Results = _build(Results, content)
    return replace(results, analyses={name: _analysis(name, found) for name, found in results.analyses.items()})


def _analysis(name: str, content: Any) -> Any:
    """The result of an analysis; what it is made of where nothing that is installed can read it."""
    kind = ANALYSES.find(name)
    if kind is None:
        return UnreadResult(content, "no installed distribution defines it, or that one is broken")
    try:
        return _build(kind.result_type(), content)
    # Another version of the distribution may have written it.
    except (KeyError, TypeError, ValueError) as error:
        return UnreadResult(content, f"the installed version reads results of another form ({error})")


def _unreadable(path: Path, why: str) -> CausalVAEError:
    return CausalVAEError("CV451", f"{path.name} cannot be read: {why}.", _REMEDY, str(path))


_NAME = "Name the folder that `causalvae run` printed; its spec's report.formats must hold json."
_REMEDY = "Run the spec again with this version of causalvae."


def plain_values(value: Any) -> Any:
    """Nested records, mappings, sequences and numbers as what strict JSON can hold; a number not finite as None.

    What a patch is of has its label next to it, a note its words, a verdict its reason; reading passes these over.
    """
    kind: Any = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if isinstance(value, UnreadResult):
        return value.content
    if is_dataclass(value) and not isinstance(value, type):
        content = {name: plain_values(getattr(value, name)) for name in _field_names(kind)}
        return content | _words(value)
    if isinstance(value, Mapping):
        return {str(key): plain_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain_values(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return plain_values(value.tolist())
    return str(value)


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _words(value: Any) -> dict[str, str]:
    """What a reader is told of a record, for those that do not read it with this package."""
    match value:
        case Note():
            return {"text": note_words(value)}
        case Verdict():
            return {"reason": reason(value)}
        case ComponentSet() | ComponentPath() | SubspacePart() | DataFactor():
            return {"label": value.label}
    return {}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _build(kind: Any, value: Any) -> Any:
    """`value` as the type `kind` of a result's field."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        # The type of None is one of the arguments where a value may be absent.
        if any(type(value) is argument for argument in arguments):
            return value
        if value is None:
            # NaN is written as null.
            if float in arguments:
                return math.nan
            raise TypeError(f"{kind} was expected, not null")
        return _build(_member([argument for argument in arguments if argument is not type(None)], value), value)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is none of {arguments}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"a list was expected, not {type(value).__name__}")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_build(arguments[0], item) for item in value)
        return tuple(_build(argument, item) for argument, item in zip(arguments, value, strict=True))
    if origin is dict:
        return {key: _build(arguments[1], item) for key, item in value.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        return _build_dataclass(kind, value)
    if kind is float:
        return math.nan if value is None else float(value)
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} was expected, not {type(value).__name__}")
    return value


def _member(kinds: list[Any], value: Any) -> Any:
    """The type among `kinds` that a value is of: of several dataclasses, the one whose `kind` it names.

    Of those without a `kind`, the one whose fields it has.
    """
    if len(kinds) == 1:
        return kinds[0]
    given = value if isinstance(value, Mapping) else {}
    named = given.get("kind")
    for kind in kinds:
        names = {field.name for field in fields(kind)}
        if named in get_args(_hints(kind)["kind"]) if "kind" in names else names <= given.keys():
            return kind
    raise ValueError(f"{named!r} is the kind of none of {', '.join(kind.__name__ for kind in kinds)}")


def _build_dataclass(kind: type, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"an object was expected for {kind.__name__}, not {type(value).__name__}")
    hints = _hints(kind)
    known: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in value:
            known[field.name] = _build(hints[field.name], value[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise KeyError(f"{kind.__name__}.{field.name}")
    return kind(**known)
