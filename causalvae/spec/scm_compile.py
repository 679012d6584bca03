"""From the variables of a spec to a structural model or to findings."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.digraph import find_cycles
from causalvae.spec.expression import DISTRIBUTIONS, FUNCTIONS, RESERVED, ExpressionFault, parse_expression
from causalvae.spec.scalar_functions import SCALAR
from causalvae.spec.scm_section import VariableSection
from causalvae.spec.scm_tables import Levels, TableFault, cumulate, levels_of, read_rows
from causalvae.spec.structural import Mechanism, StructuralModel
from causalvae.spec.terms import (
    Call,
    Constant,
    Label,
    Lookup,
    Noise,
    Parameter,
    Term,
    Variable,
    names_of,
    noises_of,
    outside_domain,
    walk,
)

# Networks compute in float32, with a range of about 1e-38 to 3e38, and statistics use squares.
_LEAST_EXTENT: Final = 1e-30
_GREATEST: Final = 1e30


def compile_variables(
    variables: Mapping[str, VariableSection | None], path: Path = ("data", "variables")
) -> tuple[StructuralModel | None, list[Finding]]:
    """Make a structural model.

    Parameters
    ----------
    variables : mapping
        Name -> section; None if the section could not be read.
    path : Path
        Path of the mapping in the spec.

    Returns
    -------
    model : StructuralModel or None
        None if there are findings.
    findings : list of Finding
        CV083 for invalid equations and tables, CV084 for unknown names, CV085 for cycles.
    """
    levels = {name: levels_of(section) for name, section in variables.items() if section is not None}
    known = {name: found for name, found in levels.items() if found is not None}
    compiler = _Compiler(tuple(variables), known)
    findings: list[Finding] = []
    mechanisms: list[Mechanism] = []
    for name, section in variables.items():
        where = (*path, name)
        findings += _check_name(name, where)
        if section is None:
            continue
        mechanism, faults = compiler.mechanism(name, section, where)
        findings += faults
        if mechanism is not None:
            mechanisms.append(mechanism)
    edges = [(parent, item.name) for item in mechanisms for parent in item.parents if parent in variables]
    findings += [_tell_cycle(cycle, variables, path) for cycle in find_cycles(tuple(edges))]
    if findings or len(mechanisms) < len(variables):
        return None, findings
    model = StructuralModel(tuple(mechanisms), _causes_first(mechanisms))
    return (None, faults) if (faults := _check_trials(model, path)) else (model, [])


def _check_name(name: str, path: Path) -> list[Finding]:
    if "-" in name:
        advice = f"Write '{name.replace('-', '_')}': in an equation '{name}' would be a difference."
    elif keyword.iskeyword(name) or name in RESERVED:
        advice = f"Write '{name}_', or another name: equations use '{name}' for something else."
    else:
        return []
    return [Finding("CV083", path, f"a variable cannot be called {show_text(name)}", advice, on_key=True)]


class _Compiler:
    def __init__(self, names: tuple[str, ...], levels: Mapping[str, Levels]) -> None:
        self._names = names
        self._levels = levels

    def mechanism(self, name: str, section: VariableSection, path: Path) -> tuple[Mechanism | None, list[Finding]]:
        """The mechanism of one variable, or findings."""
        if (section.equation is None) == (section.levels is None):
            given = "neither is given" if section.equation is None else "both are given"
            return None, [
                Finding(
                    "CV083",
                    path,
                    f"the variable '{name}' needs either an equation or levels; {given}",
                    f"Write `{name}: uniform(0, 1)`, or `{name}: {{levels: [a, b]}}`.",
                    related=((*path, "equation"), (*path, "levels")),
                )
            ]
        misplaced = self._misplaced(name, section, path)
        if section.levels is not None:
            term, findings = self._table(name, section, path)
        else:
            term, findings = self._equation(str(section.equation), (*path, "equation"))
        findings = [*misplaced, *findings]
        if term is None or findings:
            return None, findings
        if section.round is not None:
            step = Constant(section.round)
            term = Call("*", (Call("round", (Call("/", (term, step)),)), step))
        if section.clip is not None:
            term = Call("clip", (term, Constant(section.clip[0]), Constant(section.clip[1])))
        found = self._levels.get(name, Levels((), ()))
        bounds = section.range or section.clip
        return Mechanism(
            name, term, names_of(term), noises_of(term), found.values, found.labels, bounds, section.hidden
        ), []

    def _misplaced(self, name: str, section: VariableSection, path: Path) -> list[Finding]:
        findings = []
        only = {
            "clip": "an equation",
            "round": "an equation",
            "range": "an equation",
            "given": "levels",
            "table": "levels",
        }
        for key, kind in only.items():
            value = getattr(section, key)
            if value not in (None, ()) and (kind == "levels") != (section.levels is not None):
                findings.append(
                    Finding("CV083", (*path, key), f"'{key}' of '{name}' goes with {kind}", "Delete it.", on_key=True)
                )
        for key in ("clip", "range"):
            ends = getattr(section, key)
            if ends is not None and ends[0] >= ends[1]:
                findings.append(
                    Finding(
                        "CV083",
                        (*path, key),
                        f"'{key}' of '{name}' goes from {ends[0]:.6g} to {ends[1]:.6g}",
                        "Write the lower number first.",
                    )
                )
        return findings

    def _equation(self, text: str, path: Path) -> tuple[Term | None, list[Finding]]:
        try:
            term = parse_expression(text)
        except ExpressionFault as fault:
            code = "CV084" if fault.name else "CV083"
            meant = nearest(fault.name, (*FUNCTIONS, *DISTRIBUTIONS)) if fault.name else ""
            return None, [Finding(code, path, fault.message, fault.expected, meant, part=fault.part)]
        findings = [
            self._unknown(used, path)
            for used in dict.fromkeys(part.name for part in walk(term) if isinstance(part, Variable))
            if used not in self._names
        ]
        if findings:
            return None, findings
        try:
            term = self._resolve(term)
        except ExpressionFault as fault:
            code = "CV084" if fault.name else "CV083"
            meant = nearest(fault.name, self._labels()) if fault.name else ""
            findings.append(Finding(code, path, fault.message, fault.expected, meant, part=fault.part))
        return (None if findings else term), findings

    def _unknown(self, name: str, path: Path) -> Finding:
        if name in FUNCTIONS or name in DISTRIBUTIONS:
            return Finding("CV083", path, f"'{name}' is a function", f"Write `{name}(...)`.", part=name)
        return Finding(
            "CV084",
            path,
            f"there is no variable {show_text(name)}",
            f"The variables are {list_choices(self._names, 'and')}.",
            nearest(name, self._names),
            part=name,
        )

    def _labels(self) -> list[str]:
        return [label for levels in self._levels.values() for label in levels.labels]

    def _resolve(self, term: Term) -> Term:
        """The term with labels replaced by numbers."""
        if isinstance(term, Label):
            raise ExpressionFault(
                f"the text '{term.text}' is compared with nothing",
                "Compare a variable with it: `shape == 'circle'`.",
                term.text,
            )
        if isinstance(term, Variable) and term.name in self._levels and self._levels[term.name].labels:
            first = self._levels[term.name].labels[0]
            raise ExpressionFault(
                f"'{term.name}' has named levels and cannot be used in arithmetic",
                f"Compare it, `{term.name} == '{first}'`, or give each level a number: `case({term.name}, ...)`.",
                term.name,
            )
        if isinstance(term, Parameter):
            return replace(term, term=self._resolve(term.term))
        if not isinstance(term, Call):
            return term
        if term.function == "case":
            return self._case(term)
        if term.function in ("==", "!="):
            return Call(term.function, self._compared(*term.arguments))
        return Call(term.function, tuple(self._resolve(part) for part in term.arguments))

    def _compared(self, left: Term, right: Term) -> tuple[Term, ...]:
        if isinstance(left, Label) and isinstance(right, Variable):
            left, right = right, left
        if not isinstance(left, Variable) or not isinstance(right, Label):
            return self._resolve(left), self._resolve(right)
        return left, Constant(self._level(left.name, right.text))

    def _level(self, name: str, label: str) -> float:
        levels = self._levels.get(name)
        if levels is None or not levels.labels:
            raise ExpressionFault(
                f"'{name}' has no named levels, so it is never '{label}'", "Compare it with a number.", label
            )
        if label not in levels.labels:
            raise ExpressionFault(
                f"'{name}' has no level {show_text(label)}",
                f"Its levels are {list_choices(levels.labels, 'and')}.",
                label,
                label,
            )
        return levels.values[levels.labels.index(label)]

    def _case(self, term: Call) -> Term:
        subject, *values = term.arguments
        name = subject.name if isinstance(subject, Variable) else ""
        numbers = [self._level(name, label) for label in term.labels]
        missing = [label for label in self._levels[name].labels if label not in term.labels]
        if missing:
            raise ExpressionFault(
                f"'case' gives no value for {list_choices(missing, 'and')}",
                f"Write one for each level of '{name}', such as `{missing[0]}=0.5`.",
                "case",
            )
        *others, found = (self._resolve(value) for value in values)
        for number, value in reversed(list(zip(numbers, others, strict=False))):
            found = Call("where", (Call("==", (subject, Constant(number))), value, found))
        return found

    def _table(self, name: str, section: VariableSection, path: Path) -> tuple[Term | None, list[Finding]]:
        levels, given = self._levels[name], section.parents_named
        findings = [self._unknown(other, (*path, "given")) for other in given if other not in self._names]
        findings += [
            Finding(
                "CV083",
                (*path, "given"),
                f"'{other}' has no levels, so a table cannot be read by it",
                "Give it levels, or write an equation: `where(...)` and `bernoulli(...)` may depend on it.",
                part=other,
            )
            for other in given
            if other in self._names and other not in self._levels
        ]
        if len(set(levels.labels or levels.values)) < len(levels.values):
            findings.append(Finding("CV083", (*path, "levels"), f"a level of '{name}' is given twice", "Delete one."))
        if not levels.labels and list(levels.values) != sorted(levels.values):
            findings.append(
                Finding("CV083", (*path, "levels"), f"the levels of '{name}' do not rise", "Write the lowest first.")
            )
        if (section.table is None) != (not given):
            lacks, has = ("table", "given") if section.table is None else ("given", "table")
            advice = "Write `given: NAME` and `table: {LEVEL: [...]}` together."
            findings.append(Finding("CV083", (*path, lacks), f"'{name}' has '{has}' and lacks '{lacks}'", advice))
        if findings:
            return None, findings
        try:
            if section.table is None:
                many = len(levels.values)
                shares = list(section.levels.values()) if isinstance(section.levels, dict) else [1 / many] * many
                rows = [cumulate(name, shares, levels, (*path, "levels"))]
            else:
                rows = read_rows(name, section.table, given, self._levels, (*path, "table"))
        except TableFault as fault:
            return None, [fault.finding]
        values = tuple(self._levels[other].values for other in given)
        return Lookup(given, values, tuple(rows), levels.values, Noise(0, "uniform")), []


def _causes_first(mechanisms: list[Mechanism]) -> tuple[str, ...]:
    order: list[str] = []
    left = list(mechanisms)
    while left:
        ready = next(item for item in left if all(parent in order for parent in item.parents))
        order.append(ready.name)
        left.remove(ready)
    return tuple(order)


def _tell_cycle(cycle: tuple[str, ...], variables: Mapping[str, Any], path: Path) -> Finding:
    child, parent = cycle[-1], cycle[-2]
    shown = " -> ".join(cycle if len(cycle) <= 12 else (*cycle[:6], "...", *cycle[-5:]))
    section = variables[child]
    key = "given" if section is not None and section.levels is not None else "equation"
    return Finding(
        "CV085",
        (*path, child, key),
        f"the variables form a cycle: {shown}",
        f"Remove one of them from another's equation, such as '{parent}' out of that of '{child}'.",
        part=parent,
    )


def _check_trials(model: StructuralModel, path: Path) -> list[Finding]:
    """A finding if an equation gives NaN or infinity in some trial, or numbers out of range of float32."""
    for name in model.order:
        mechanism = model.by_name[name]
        where: Path = (*path, name, "levels" if mechanism.values else "equation")
        values = model.trials[name]
        at = next((index for index, value in enumerate(values) if value - value != 0), None)
        if at is not None:
            return [_tell_trial(model, mechanism, at, where)]
        low, high = model.ranges[name]
        # Levels and bounds count even if not drawn.
        low, high = min(low, *values, *mechanism.values), max(high, *values, *mechanism.values)
        extent = high - low
        if 0 < extent < _LEAST_EXTENT or not -_GREATEST <= low <= high <= _GREATEST:
            return [
                Finding(
                    "CV083",
                    where,
                    f"'{name}' goes from {low:.4g} to {high:.4g}, which networks cannot compute with",
                    f"Use another unit: numbers up to {_GREATEST:g}, and at least {_LEAST_EXTENT:g} from the lowest to "
                    "the highest.",
                )
            ]
    return []


def _tell_trial(model: StructuralModel, mechanism: Mechanism, at: int, path: Path) -> Finding:
    name = mechanism.name
    values = {other: model.trials[other][at] for other in mechanism.parents}
    parents = ", ".join(f"{other} = {value:.4g}" for other, value in values.items())
    wrong = outside_domain(mechanism.term, values, model.trial_noise(name, at), SCALAR)
    if wrong is not None:
        parameter, value = wrong
        said = f" where {parents}" if parents else ""
        return Finding(
            "CV083",
            path,
            f"in the equation of '{name}' the {parameter.name} of `{parameter.text}` is {value:.4g}{said}",
            f"It must be {parameter.domain}: keep it there with clip, max or abs.",
            part=parameter.text.partition("(")[0],
        )
    return Finding(
        "CV083",
        path,
        f"the equation of '{name}' gives no number {f'where {parents}' if parents else 'for some of its noise'}",
        "Keep the arguments of log, sqrt, ** and the divisors within their ranges, with clip or max.",
    )
