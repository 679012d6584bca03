"""Faults of interventions and hypotheses: what they refer to, and what they could ever show."""

from __future__ import annotations

from causalvae.spec.catalogue import RESERVED_INTERVENTIONS
from causalvae.spec.diagnostics import Finding, Path, show_text
from causalvae.spec.draft import Draft, Named
from causalvae.spec.outcome_checks import check_outcome, is_known, is_reached
from causalvae.spec.schema import Bound, Hypothesis, Intervention
from causalvae.spec.treatment_checks import (
    check_treatment,
    reached_words,
    some_treatment,
    swaps_samples,
    treated_factor,
)


def check_interventions(draft: Draft) -> list[Finding]:
    """Findings on the interventions, and on a spec that asks for nothing."""
    if draft.interventions is None:
        return []
    findings = _check_names(draft.interventions, "interventions")
    findings += [
        Finding(
            "CV067",
            ("interventions", index, "name"),
            f"an intervention cannot be called '{name}': that is the cohort of untreated samples",
            "Give it another name.",
        )
        for index, name in dict.fromkeys((named.index, named.name) for named in draft.interventions)
        if name in RESERVED_INTERVENTIONS
    ]
    if not draft.interventions and draft.hypotheses == () and not draft.analyses:
        findings.append(
            Finding(
                "CV074",
                ("interventions",),
                "the spec has no interventions, no hypotheses and no analyses",
                "The run would only hold the declared graph against the network; add an intervention, such as "
                f"`- {{name: change, input: {{{some_treatment(draft)}}}}}`.",
                severity="warning",
                # Of a spec with other faults nobody can say that it asks for nothing.
                related=((),),
            )
        )
    for named in draft.interventions:
        section, path = named.section, ("interventions", named.index)
        if not isinstance(section, Intervention):
            continue
        findings += section.level.findings(draft, (*path, section.level.kind))
    return findings


def check_hypotheses(draft: Draft) -> list[Finding]:
    """Findings on the hypotheses."""
    findings = _check_names(draft.hypotheses or (), "hypotheses")
    for named in draft.hypotheses or ():
        section, path = named.section, ("hypotheses", named.index)
        if not isinstance(section, Hypothesis):
            continue
        findings += check_treatment(draft, section.treatment, (*path, "treatment"))
        findings += check_outcome(draft, section.outcome, (*path, "outcome"))
        factor = treated_factor(draft, section.treatment)
        if (
            draft.edges_sound
            and factor in (draft.factors or ())
            and is_known(draft, section.outcome)
            and not is_reached(draft, factor or "", section.outcome)
        ):
            vector = (draft.vectors or {}).get(section.outcome)
            to = section.outcome if vector is None else vector.components[0]
            findings.append(
                Finding(
                    "CV071",
                    (*path, "outcome"),
                    f"in the declared graph no path leads from '{factor}', which '{section.treatment}' sets, to "
                    f"{'' if vector is None else 'any component of '}'{section.outcome}'",
                    f"Add an edge, such as `{factor} -> {to}`, or name another outcome: "
                    f"'{factor}' reaches {reached_words(draft, factor or '')}.",
                    related=((*path, "treatment"),),
                )
            )
    return findings


def check_refuters(draft: Draft) -> list[Finding]:
    """Findings on refuters that would not be run: they refute DoWhy's estimates of mediations."""
    section, path = draft.estimation, ("estimation", "refute")
    if section is None or not section.refute:
        return []
    if not section.dowhy:
        return [
            Finding(
                "CV077",
                path,
                "the refuters are DoWhy's, and 'estimation.dowhy' is false: none of them will be run",
                "Write `dowhy: true`, or delete `refute`.",
                severity="warning",
                related=(("estimation", "dowhy"),),
            )
        ]
    listed = draft.interventions
    if listed is None or any(not isinstance(named.section, Intervention) for named in listed):
        return []
    if any(isinstance(named.section, Intervention) and named.section.level.is_refuted for named in listed):
        return []
    return [
        Finding(
            "CV077",
            path,
            "refuters are run on the effects of mediations, and the spec has no mediation",
            "Add one, such as `- {name: via, mediation: {treatment: NAME, mediators: ['latent[0]'], outcomes: "
            f"[{next(iter(draft.attributes or ()), 'image')}]}}}}`, or delete `refute`.",
            severity="warning",
            related=(("interventions",),),
        )
    ]


def _check_names(listed: tuple[Named, ...], key: str) -> list[Finding]:
    findings = []
    seen: dict[str, int] = {}
    for named in listed:
        if named.name is None or seen.get(named.name) == named.index:
            continue
        if named.name in seen:
            findings.append(
                Finding(
                    "CV060",
                    (key, named.index, "name"),
                    f"the name {show_text(named.name)} is already that of {key}[{seen[named.name]}]",
                    "Give each its own name: results are listed by it.",
                )
            )
        seen.setdefault(named.name, named.index)
    return findings


def check_off_target(draft: Draft, section: Hypothesis, bound: Bound, where: Path) -> list[Finding]:
    """Findings on a bound of the off-target effect: one that cannot be met or be false, or that bounds nothing."""
    findings: list[Finding] = []
    path = where[:-2]
    if (bound.at_least is not None and bound.at_least > 1) or (bound.at_most is not None and bound.at_most < 0):
        key = "at_least" if bound.at_least is not None and bound.at_least > 1 else "at_most"
        findings.append(
            Finding(
                "CV075",
                (*where, key),
                f"off_target is a share between 0 and 1: '{key}: {getattr(bound, key):.6g}' cannot be met",
                "Write a number between 0 and 1.",
            )
        )
    elif _is_empty(bound):
        key = "at_most" if bound.at_most is not None else "at_least"
        findings.append(
            Finding(
                "CV072",
                (*where, key),
                f"off_target is a share between 0 and 1: '{key}: {getattr(bound, key):.6g}' cannot be false",
                "Write `at_most` below 1, such as `off_target: {at_most: 0.2}`.",
            )
        )
    factor = treated_factor(draft, section.treatment)
    attributes = draft.attributes
    if not findings and factor is None and swaps_samples(draft, section.treatment):
        findings.append(
            Finding(
                "CV072",
                where,
                f"{show_text(section.treatment)} swaps whole samples, of which everything is on target: off_target is "
                "0 by definition",
                "Delete this expectation, or name an intervention that sets one factor.",
                related=((*path, "treatment"),),
            )
        )
    if (
        not findings
        and factor is not None
        and attributes
        and draft.edges_sound
        and all(name in draft.reach(factor) for name in attributes)
    ):
        findings.append(
            Finding(
                "CV072",
                where,
                f"'{factor}' reaches every attribute of the declared graph, so off_target is 0 by definition",
                f"Declare an attribute that '{factor}' should not move, or delete this expectation.",
                related=((*path, "treatment"), ("graph", "attributes")),
            )
        )
    return findings


def _is_empty(bound: Bound) -> bool:
    below = bound.at_least is None or bound.at_least <= 0
    above = bound.at_most is None or bound.at_most >= 1
    return below and above
