"""Findings for the validation errors of pydantic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from causalvae.spec.diagnostics import Finding, Path, field_of, list_choices, nearest, show_text
from causalvae.spec.intervention_section import LEVELS, level_names
from causalvae.spec.model_walk import fitting_tags, keys_at, models_at, owners_of, tags_at
from causalvae.spec.places import BUILTIN, builtin_names
from causalvae.spec.quantity import QUANTITIES
from causalvae.spec.readout_checks import foreign_key, lacking_key
from causalvae.spec.readout_section import ReadoutSection

_TYPE_WORDS: Final = (
    ("string", "text"),
    ("int", "a whole number"),
    ("float", "a number"),
    ("bool", "true or false"),
    ("tuple", "a list"),
    ("list", "a list"),
    ("dict", "a mapping of `key: value`"),
    ("model", "a mapping of `key: value`"),
)
_SHAPE_KINDS: Final = frozenset({"literal_error", "model_attributes_type"})

# Examples for missing keys.
_EXAMPLES: Final[dict[str, str]] = {
    "spec": "spec: causalvae/v1",
    "name": "name: my-analysis",
    "model": "model: {source: zoo, weights: WEIGHTS}",
    "data": "data: {source: dsprites, samples: 512}",
    "graph": "graph: {attributes: {brightness: {readout: mean}}}",
    "graph.attributes": "attributes: {brightness: {readout: mean}}",
    "*.weights": "weights: FILE",
    "*.latent_dim": "latent_dim: NUMBER of latents (channels, if they are maps) that the decoder takes",
    "*.readout": "readout: mean",
    "*.components": "components: [latent[3]]",
    "*.values": "values: {quantiles: [0.05, 0.95]}",
    "*.from": "from: NAME of an input intervention",
    "*.treatment": "treatment: NAME of an input intervention",
    "*.factor": "factor: NAME of a factor",
    "*.mediators": "mediators: [$FACTOR]",
    "*.outcomes": "outcomes: [ATTRIBUTE]",
    "*.outcome": "outcome: NAME of an attribute",
    "*.circuit": "circuit: [$FACTOR]",
    "*.expect": "expect: {mediated_share: {at_least: 0.7}}",
    "*.to": "to: VALUE",
    "objective": "objective: {name: beta_tcvae, beta: 6}",
    "steps": "steps: 20000",
    "*.name": "name: NAME",
}


class _Located:
    """A pydantic error with its path in the spec.

    `path` is that of the value, `branches` are the members of unions that pydantic tried, each with the path of its
    union, and `rest` is the part of the location after the last existing value.
    """

    def __init__(self, error: ErrorDetails, plain: Any) -> None:
        self.error = error
        self.kind: str = error["type"]
        self.context: dict[str, Any] = error.get("ctx") or {}
        self.on_key = False
        path: list[str | int] = []
        branches: list[tuple[Path, str]] = []
        self.rest: list[str | int] = []
        value: Any = plain
        for part in error["loc"]:
            if part == "[key]":
                self.on_key = True
            elif (isinstance(value, dict) and part in value) or (
                isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)
            ):
                value = value[part]  # type: ignore[index]
                path.append(part)
                self.rest.clear()
            elif isinstance(value, list) and isinstance(part, str) and part in value:
                path.append(value.index(part))
                value = part
                self.rest.clear()
            else:
                branches.append((tuple(path), str(part)))
                self.rest.append(part)
        if "at" in self.context:
            path.append(self.context["at"])
        self.path: Path = tuple(path)
        self.value = value
        self.branches = branches

    def branch_at(self, union: Path) -> str | None:
        """The member of the union at path `union` that this error comes from, or None."""
        return next((label for path, label in self.branches if path == union), None)

    @property
    def is_whole_mismatch(self) -> bool:
        """Whether a member of a union does not fit the type of the value at all."""
        ends_in_branch = (
            bool(self.rest) and bool(self.branches) and self.branches[-1] == (self.path, str(self.rest[-1]))
        )
        return ends_in_branch and (self.kind in _SHAPE_KINDS or self.kind.endswith("_type"))


def explain_shape(errors: Sequence[ErrorDetails], root: type[BaseModel], plain: Any) -> list[Finding]:
    """Findings for the errors of one validation.

    Parameters
    ----------
    errors : sequence of ErrorDetails
    root : type
        The class that was validated with.
    plain : Any
        The validated value: dicts, lists and scalars.

    Returns
    -------
    list of Finding
        At least one if there are errors.
    """
    if not errors:
        return []
    located = [_Located(error, plain) for error in errors]
    findings: list[Finding] = []
    unions = sorted({path for item in located for path, _ in item.branches}, key=len)
    for union in unions:
        inside = [item for item in located if item.branch_at(union) is not None]
        if len({item.branch_at(union) for item in inside}) < 2:
            continue
        refused = [item for item in inside if item.is_whole_mismatch and item.path == union]
        if len(refused) == len(inside):
            findings.append(_no_arm_fits(refused))
            located = [item for item in located if item not in inside]
        else:
            located = [item for item in located if item not in refused]
    # Pydantic also reports a list with faulty entries as too short; only the entries are reported here.
    inner = {item.path[:depth] for item in located for depth in range(len(item.path))}
    findings += [_explain(item, root, plain) for item in located if item.kind != "too_short" or item.path not in inner]
    # At least one finding, even if the unions above left none.
    return findings or [_explain(_Located(errors[0], plain), root, plain)]


def explain_levels(plain: Any, known: Iterable[Finding]) -> list[Finding]:
    """Findings that pydantic does not report: too many levels together with other errors, and a field's own name."""
    findings = []
    reported = {(finding.code, finding.path) for finding in known}
    interventions = plain.get("interventions") if isinstance(plain, dict) else None
    for index, item in enumerate(interventions if isinstance(interventions, list) else ()):
        if not isinstance(item, dict):
            continue
        path: Path = ("interventions", index)
        given = [level for level in item if level in LEVELS.entries and item[level] is not None]
        if len(given) != 1 and ("CV028", path) not in reported:
            names = level_names()
            findings.append(_wrong_count(path, " and ".join(sorted(given, key=names.index)) or "none", names))
        for level in given:
            written, kind = item[level], LEVELS.find(level)
            fields = {} if kind is None or not isinstance(written, dict) else kind.model_fields
            keys = [info.alias or field for field, info in fields.items()]
            findings += [
                _unknown_key((*path, level, field), keys, str(info.alias))
                for field, info in fields.items()
                if field in written and field not in keys and ("CV020", (*path, level, field)) not in reported
            ]
    return findings


def _explain(item: _Located, root: type[BaseModel], plain: Any) -> Finding:
    path, kind, field = item.path, item.kind, field_of(item.path) or "the spec"
    if kind in ("extra_forbidden", "missing", "literal_error") and (found := _of_readout(item, root, plain)):
        return found
    if kind == "extra_forbidden":
        loc = item.error["loc"][:-1]
        return _key_of_another(path, keys_at(root, plain, loc), owners_of(root, plain, loc, str(path[-1])))
    if kind == "missing":
        return _missing((*path, item.error["loc"][-1]))
    if kind == "union_tag_not_found":
        return _missing_tag(item, root, plain)
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        return _not_a_choice(item)
    if kind == "broken_kind":
        return Finding("CV099", path, item.error["msg"], "Correct or remove the distribution, or name another kind.")
    if kind == "one_of":
        return _wrong_count(path, str(item.context["given"]), item.context["choices"].split(", "))
    if kind == "two_networks":
        return _wrong_count(path, "both are", ("name", "factory"))
    if kind == "foreign_key":
        key, owner = str(item.context["key"]), str(item.context["owner"])
        return _foreign_key((*path, key), owner)
    if kind == "lacks_latents":
        return _missing((*path, "latent_dim"))
    if kind == "unsupported_property":
        key = str(item.context["key"])
        return Finding(
            "CV029",
            path,
            f"'{key}' is claimed without a share that it applies to",
            "Add `mediated_share: {at_least: 0.7}`, or delete the key.",
        )
    if kind in ("no_bound", "crossed_bound", "no_expectation"):
        return _empty_expectation(item, field)
    if kind == "unused_key":
        where, key = field_of(path[:-1]), show_text(str(path[-1]))
        return Finding("CV020", path, f"'{where}' does not use the key {key}", item.error["msg"], on_key=True)
    if kind == "apart":
        return Finding("CV022", path, item.error["msg"], str(item.context["advice"]))
    if kind == "factor_name":
        return Finding(
            "CV022",
            path,
            f"'{field}' must be the name of a factor",
            "In a list of factors write names only; to say more of a factor write `factors: {NAME: {kind: ...}}`.",
        )
    if kind in ("string_pattern_mismatch", "string_too_long"):
        return _malformed(item)
    if kind in ("too_short", "too_long", "string_too_short"):
        return _wrong_length(item, field)
    if kind == "finite_number" or kind.startswith(("greater_than", "less_than")):
        return _out_of_range(item, field)
    return Finding(
        "CV022",
        path,
        f"'{field}' must be {_wanted(item)}, not {_describe(item.value)}",
        _type_advice(item),
        on_key=item.on_key,
    )


def _key_of_another(path: Path, known: Sequence[str], owners: Sequence[str]) -> Finding:
    """The finding on a key of other kinds of the section; that on an unknown key if none has it, or one is similar."""
    if not owners or nearest(str(path[-1]), known):
        return _unknown_key(path, known)
    said = f"'{field_of(path[:-1])}' does not use the key {show_text(str(path[-1]))}"
    write = " or ".join(f"`{owner}`" for owner in owners[:3])
    return Finding("CV020", path, said, f"Write {write}, or delete the key.", on_key=True)


def _unknown_key(path: Path, known: Sequence[str], meant: str = "") -> Finding:
    key, parent = str(path[-1]), field_of(path[:-1])
    where = f"'{parent}'" if parent else "the top level"
    return Finding(
        "CV020",
        path,
        f"{where} has no key {show_text(key)}",
        f"The keys here are {list_choices(known, 'and')}." if known else "",
        meant or nearest(key, known),
        on_key=True,
    )


def _foreign_key(path: Path, owner: str) -> Finding:
    key, parent = str(path[-1]), field_of(path[:-1])
    return Finding(
        "CV020",
        path,
        f"'{parent}' has no key {show_text(key)} without {owner}",
        f"Delete it, or also write {owner}.",
        on_key=True,
    )


def _of_readout(item: _Located, root: type[BaseModel], plain: Any) -> Finding | None:
    """The finding on a key of a readout; None for any other section."""
    loc = item.error["loc"]
    models = models_at(root, plain, loc[:-1])
    if len(models) != 1 or not issubclass(models[0], ReadoutSection):
        return None
    if item.kind == "missing":
        return lacking_key(models[0], (*item.path, loc[-1]))
    return foreign_key(models[0], item.path, item.value)


def _missing_tag(item: _Located, root: type[BaseModel], plain: Any) -> Finding:
    """The finding on a section without its discriminator key: a misspelt key, or the kinds that fit."""
    key, loc = _discriminator(item), item.error["loc"]
    given = [name for name in item.value if isinstance(name, str)] if isinstance(item.value, dict) else []
    known = keys_at(root, plain, loc)
    for name in given:
        if name not in known and nearest(name, (key, *known)) == key:
            return _unknown_key((*item.path, name), known, key)
    return _missing((*item.path, key), tags_at(root, plain, loc, key), fitting_tags(root, plain, loc, key, given))


def _missing(path: Path, choices: Sequence[str] = (), fitting: Sequence[str] = ()) -> Finding:
    key = str(path[-1])
    parent = field_of(path[:-1])
    example = _EXAMPLES.get(field_of(path)) or _EXAMPLES.get(f"*.{key}") or f"{key}: VALUE"
    shipped = builtin_names()
    example = example.replace("WEIGHTS", BUILTIN + shipped[0] if shipped else "FILE")
    if choices:
        # The other keys may determine which of them is meant.
        example = f"{key}: {fitting[0]}" if len(fitting) == 1 else f"{key}: NAME"
        choices = [] if len(fitting) == 1 else fitting or choices
    also = f", where NAME is {list_choices(choices)}" if choices else ""
    where = f"'{parent}'" if parent else "the spec"
    return Finding("CV021", path, f"{where} lacks the key '{key}'", f"Add `{example}`{also}.")


def _not_a_choice(item: _Located) -> Finding:
    path, value = item.path, item.value
    if item.kind == "union_tag_invalid":
        key = _discriminator(item)
        path, value = (*path, key), value.get(key) if isinstance(value, dict) else value
    choices = re.findall(r"'([^']*)'", str(item.context.get("expected_tags") or item.context.get("expected") or ""))
    if item.on_key:
        return _unknown_key(path, choices)
    if path == ("spec",):
        return wrong_kind(value, choices[0] if choices else "causalvae/v1")
    meant = nearest(value, choices) if isinstance(value, str) else ""
    return Finding(
        "CV023",
        path,
        f"'{field_of(path)}' cannot be {_describe(value)}",
        f"Write {list_choices(choices)}." if choices else "",
        meant,
    )


_COMMANDS: Final[dict[str, str]] = {
    "causalvae/v1": "This is an analysis spec: run it with `causalvae run`.",
    "causalvae/train-v1": "This is a training spec: run it with `causalvae train`.",
    "causalvae/study-v1": "This is a study spec: run it with `causalvae study`.",
}


def wrong_kind(said: Any, wanted: str) -> Finding:
    """The finding on a spec of another kind than expected."""
    advice = _COMMANDS.get(said) if isinstance(said, str) else None
    message = f"this is read as '{wanted}', and the file says {_describe(said)}"
    return Finding(
        "CV016",
        ("spec",),
        message,
        f"{advice} Otherwise write `spec: {wanted}`." if advice else f"Write `spec: {wanted}`.",
    )


def _wrong_count(path: Path, given: str, choices: Sequence[str]) -> Finding:
    what = "neither is given" if given == "none" and len(choices) == 2 else f"{given} given"
    what = "none is given" if given == "none" and len(choices) > 2 else what
    if given == "none":
        advice = "Write one of them."
    else:
        several = set(choices) <= LEVELS.entries.keys()
        advice = "Write each as a separate item with a name." if several else "Keep one of them."
    return Finding("CV028", path, f"'{field_of(path)}' needs exactly one of {list_choices(choices)}; {what}", advice)


def _empty_expectation(item: _Located, field: str) -> Finding:
    if item.kind == "crossed_bound":
        return Finding(
            "CV029", item.path, f"'{field}' cannot be met: at_least is above at_most", "Exchange the two numbers."
        )
    if item.kind == "no_bound":
        return Finding("CV029", item.path, f"'{field}' has no bound", "Give at_least, at_most or both.")
    return Finding(
        "CV029",
        item.path,
        f"'{field}' expects nothing",
        f"Give one or more of {list_choices(QUANTITIES.names, 'and')}, such as `mediated_share: {{at_least: 0.7}}`.",
    )


def _malformed(item: _Located) -> Finding:
    path, field = item.path, field_of(item.path)
    if path[:2] == ("graph", "edges"):
        return Finding(
            "CV026",
            path,
            f"{_describe(item.value)} is not an edge",
            "Write `CAUSE -> EFFECT` with one arrow and two names, such as `scale -> area`.",
        )
    if path[0] == "interventions" and "edges" in path:
        advice = "Write `A -> B` with one arrow: two components, or `input` or `output` instead of one."
        return Finding("CV026", path, f"{_describe(item.value)} is not an edge", advice)
    if path == ("execution", "memory"):
        said = f"'{field}' must be a size above 0, not {_describe(item.value)}"
        return Finding("CV022", path, said, "Write a number and a unit: 2 GB, 500 MB or 1.5 GiB.")
    as_key = item.on_key and isinstance(path[-1], str)
    said = f"the key {show_text(str(path[-1]))}" if as_key else _describe(item.value)
    said = f"'{field}' cannot be {said}" if not item.on_key else f"{said} cannot be a name"
    if item.kind == "string_too_long":
        most = item.context.get("max_length")
        return Finding(
            "CV025", path, f"{said}: it is too long", f"Write at most {most} characters.", on_key=item.on_key
        )
    rest = "letters, digits, '_' and '-', and begins with a letter or '_'"
    if path == ("name",):
        rest = "letters, digits, '.', '_' and '-', and begins with a letter or digit"
    return Finding("CV025", path, said, f"A name holds {rest}.", on_key=item.on_key)


def _wrong_length(item: _Located, field: str) -> Finding:
    if item.kind == "string_too_short" or not item.value:
        return Finding("CV027", item.path, f"'{field}' is empty", "Write at least one entry.", on_key=item.on_key)
    least, most = item.context.get("min_length"), item.context.get("max_length")
    count = len(item.value)
    wanted = f"at most {most:,}" if item.kind == "too_long" else f"at least {least:,}"
    entries = "1 entry" if count == 1 else f"{count:,} entries"
    return Finding("CV027", item.path, f"'{field}' has {entries}", f"Write {wanted}.")


def _out_of_range(item: _Located, field: str) -> Finding:
    value = item.value
    if item.kind == "finite_number":
        if item.path[-1:] == ("at_least",) or item.path[-1:] == ("at_most",):
            return _infinite_bound(item, field)
        return Finding("CV024", item.path, f"'{field}' must be finite, not {_describe(value)}", "Write a number.")
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    key = next((key for key in words if key in item.context), None)
    limit = f"{words[key]} {item.context[key]:.15g}" if key is not None else "within its range"
    advice = "Write a number in range."
    if key == "ge" and (item.path[-1] == "pairs" or item.path == ("data", "samples")):
        advice = f"Write {item.context['ge']} or more: fewer pairs give no interval."
    return Finding("CV024", item.path, f"'{field}' must be {limit}, not {_describe(value)}", advice)


def _infinite_bound(item: _Located, field: str) -> Finding:
    always = item.value == float("-inf" if item.path[-1] == "at_least" else "inf")
    if always:
        return Finding("CV072", item.path, f"'{field}' cannot be false: every number meets it", "Write a finite bound.")
    return Finding("CV075", item.path, f"'{field}' cannot be met by any number", "Write a finite bound.")


def _no_arm_fits(refused: Sequence[_Located]) -> Finding:
    first = refused[0]
    wants = []
    choices: list[str] = []
    for item in refused:
        if item.kind == "literal_error":
            choices += re.findall(r"'([^']*)'", str(item.context.get("expected", "")))
        else:
            wants.append(_wanted(item))
    wanted = [show_text(choice) for choice in choices] + list(dict.fromkeys(wants))
    field = field_of(first.path)
    value = first.value
    code = "CV023" if choices and isinstance(value, str) else "CV022"
    meant = nearest(value, choices) if isinstance(value, str) else ""
    return Finding(code, first.path, f"'{field}' cannot be {_describe(value)}", f"Write {' or '.join(wanted)}.", meant)


def _wanted(item: _Located) -> str:
    return next((words for start, words in _TYPE_WORDS if item.kind.startswith(start)), "something else")


def _type_advice(item: _Located) -> str:
    wanted, value = _wanted(item), item.value
    if value is None:
        return f"Write {wanted} after the ':', or delete the key."
    if wanted == "a list" and isinstance(value, str):
        return f"Write it as a list: [{show_text(value)[1:-1]}]."
    if wanted == "text" and item.path == ("execution", "memory"):
        return "Write a number and a unit: 2 GB, 500 MB or 1.5 GiB."
    if wanted == "text" and isinstance(value, bool | int | float):
        return "Put it in quotes if it is meant as text."
    if wanted in ("a number", "a whole number") and isinstance(value, str):
        return "Write the number without quotes and units."
    return f"Write {wanted}."


def _describe(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return show_text(value)
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"{value:.6g}" if isinstance(value, float) else (f"{value}" if abs(value) < 10**12 else "so large a number")


def _discriminator(item: _Located) -> str:
    return str(item.context.get("discriminator", "")).strip("'")
