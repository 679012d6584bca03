"""Checks of data sections with structural models: valid equations, and variables that the world can show."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest
from causalvae.spec.entries import FactorEntry
from causalvae.spec.scm_compile import compile_variables
from causalvae.spec.scm_section import VariableSection
from causalvae.spec.structural import Mechanism, StructuralModel
from causalvae.spec.worlds import WORLDS, WorldVariable, shown_by

if TYPE_CHECKING:
    from causalvae.data.kinds.scm import ScmData

_PATH: Path = ("data", "variables")
_SLACK = 1e-9


def check_scm(section: ScmData) -> list[Finding]:
    """Findings on a data section: CV083 to CV085 on equations, CV086 on variables that the world cannot show."""
    model, findings = compile_model(section.variables)
    if model is None:
        return list(findings)
    if section.world == "table":
        return _check_columns(model)
    return [*_check_shown(section, model), *_check_silent(section, model)]


@lru_cache(maxsize=16)
def _compiled(held: _Held) -> tuple[StructuralModel | None, tuple[Finding, ...]]:
    model, findings = compile_variables(held.variables)
    return model, tuple(findings)


def compile_model(
    variables: Mapping[str, VariableSection],
) -> tuple[StructuralModel | None, tuple[Finding, ...]]:
    """The structural model of variables, or None and findings; cached."""
    return _compiled(_Held(variables))


def structural_factors(variables: Mapping[str, VariableSection]) -> tuple[FactorEntry, ...] | None:
    """The variables as factors; None if the model is invalid."""
    model, _ = compile_model(variables)
    return None if model is None else tuple(_factor(item, model.ranges[item.name]) for item in model.mechanisms)


def _factor(mechanism: Mechanism, bounds: tuple[float, float]) -> FactorEntry:
    if not mechanism.values:
        return FactorEntry(mechanism.name, "continuous", 0, *bounds)
    kind: Literal["categorical", "ordinal"] = "categorical" if mechanism.labels else "ordinal"
    low, high = mechanism.values[0], mechanism.values[-1]
    return FactorEntry(mechanism.name, kind, len(mechanism.values), low, high, mechanism.labels, mechanism.values)


class _Held:
    """Variables as a hashable key of the cache, by their JSON text."""

    def __init__(self, variables: Mapping[str, VariableSection]) -> None:
        self.variables = variables
        self._key = tuple((name, variable.model_dump_json()) for name, variable in variables.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


def _check_columns(model: StructuralModel) -> list[Finding]:
    if any(not mechanism.hidden for mechanism in model.mechanisms):
        return []
    return [Finding("CV086", _PATH, "every variable of the table is hidden", "Take `hidden: true` out of one.")]


def _check_shown(section: ScmData, model: StructuralModel) -> list[Finding]:
    findings = []
    for variable in WORLDS[section.world]:
        mechanism = model.by_name.get(variable.name)
        if mechanism is None or mechanism.hidden:
            continue
        path: Path = (*_PATH, variable.name)
        declared = section.variables[variable.name]
        if variable.choices:
            findings += _check_choices(variable, mechanism, path)
        elif mechanism.labels:
            findings.append(
                Finding(
                    "CV086",
                    (*path, "levels"),
                    f"the {section.world} world needs numbers for '{variable.name}': {variable.meaning}",
                    "Write numbers as levels, or an equation.",
                )
            )
        else:
            high = min(variable.high, section.rate / 2) if variable.name == "pitch" else variable.high
            findings += _check_bounds(variable, model, declared, path, high)
    return findings


def _check_choices(variable: WorldVariable, mechanism: Mechanism, path: Path) -> list[Finding]:
    if not mechanism.labels:
        first, second = variable.choices[:2]
        return [
            Finding(
                "CV086",
                path,
                f"'{variable.name}' says {variable.meaning}, so it needs named levels",
                f"Write `{variable.name}: {{levels: [{first}, {second}]}}`.",
                on_key=True,
            )
        ]
    return [
        Finding(
            "CV086",
            (*path, "levels"),
            f"'{label}' cannot be drawn",
            f"What can be drawn is {list_choices(variable.choices)}.",
            nearest(label, variable.choices),
            part=label,
        )
        for label in mechanism.labels
        if label not in variable.choices
    ]


def _check_bounds(
    variable: WorldVariable, model: StructuralModel, declared: Any, path: Path, high: float
) -> list[Finding]:
    seen = (*model.trials[variable.name], *model.ranges[variable.name])
    low, top = min(seen), max(seen)
    if low >= variable.low - _SLACK and top <= high + _SLACK:
        return []
    unit = f" {variable.unit}" if variable.unit else ""
    wanted = f"from {variable.low:g}" + (f" to {high:g}" if high < float("inf") else " up") + unit
    key = "levels" if declared.levels is not None else "equation"
    advice = (
        "Write other levels."
        if key == "levels"
        else (
            f"Clip it: `{variable.name}: {{equation: ..., clip: "
            f"[{max(low, variable.low):.4g}, {min(top, high):.4g}]}}`."
        )
    )
    return [
        Finding(
            "CV086",
            (*path, key),
            f"'{variable.name}' goes from {low:.4g} to {top:.4g}, and {variable.meaning} is {wanted}",
            advice,
        )
    ]


def _check_silent(section: ScmData, model: StructuralModel) -> list[Finding]:
    """Findings on variables without effect on the inputs: neither they nor their descendants are shown."""
    shown = shown_by(section.world)
    drawn = {name for name in model.names if name in shown and not model.by_name[name].hidden}
    findings = []
    for name in model.names:
        if name in drawn or drawn.intersection(model.descendants(name)):
            continue
        why = "is hidden" if model.by_name[name].hidden else f"is not shown by the {section.world} world"
        free = [other for other in shown if other not in model.by_name]
        findings.append(
            Finding(
                "CV086",
                (*_PATH, name),
                f"'{name}' {why}, and makes nothing that is",
                f"The {section.world} world shows {list_choices(shown, 'and')}; let one of them depend on '{name}', "
                "or delete it.",
                nearest(name, free),
                on_key=True,
            )
        )
    return findings
