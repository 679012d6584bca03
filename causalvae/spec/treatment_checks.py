"""Checks of treatments: the input interventions whose pairs other interventions and hypotheses take."""

from __future__ import annotations

from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.draft import Draft
from causalvae.spec.intervention_section import InputLevel, Intervention


def some_treatment(draft: Draft) -> str:
    """An input intervention that this spec could have."""
    factor = next(iter(draft.factors or ()), None)
    return "set: swap" if factor is None else f"factor: {factor}"


def input_levels(draft: Draft) -> list[tuple[str, InputLevel]]:
    """The input interventions with their names, in the order of the spec."""
    return [
        (named.name, named.section.input_level)
        for named in draft.interventions or ()
        if named.name is not None and isinstance(named.section, Intervention) and named.section.input_level is not None
    ]


def swaps_samples(draft: Draft, treatment: str) -> bool:
    """Whether the input intervention `treatment` replaces whole samples."""
    return any(name == treatment and level.swaps for name, level in input_levels(draft))


def treated_factor(draft: Draft, treatment: str) -> str | None:
    """The factor that the input intervention `treatment` sets; None where it sets none or is unknown."""
    return next((level.treated_factor for name, level in input_levels(draft) if name == treatment), None)


def check_treatment(draft: Draft, name: str, path: Path) -> list[Finding]:
    """Findings on the treatment that the key at `path` names."""
    if draft.interventions is None:
        return []
    inputs = [known for known, _ in input_levels(draft)]
    advice = (
        f"The input interventions are {list_choices(inputs).replace(' or ', ' and ')}."
        if inputs
        else "The spec has no input intervention; add one, such as "
        f"`- {{name: change, input: {{{some_treatment(draft)}}}}}`."
    )
    found = [named for named in draft.interventions if named.name == name]
    if not found:
        return [Finding("CV061", path, f"no intervention is called {show_text(name)}", advice, nearest(name, inputs))]
    section = found[0].section
    if isinstance(section, Intervention) and section.input_level is None:
        return [
            Finding(
                "CV062",
                path,
                f"'{name}' is a {section.level.kind} intervention, and a treatment changes the input",
                advice,
                related=(("interventions", found[0].index),),
            )
        ]
    return []


def reached_words(draft: Draft, factor: str) -> str:
    """The attributes that a factor reaches in the declared graph."""
    found = [name for name in draft.attributes or () if name in draft.reach(factor)]
    return list_choices(found, "and") if found else "no attribute"
