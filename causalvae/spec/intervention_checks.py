"""Checks of the interventions as a whole; those of one are its level's."""

from __future__ import annotations

from causalvae.spec.catalogue import RESERVED_INTERVENTIONS
from causalvae.spec.diagnostics import Finding
from causalvae.spec.draft import Draft
from causalvae.spec.schema import Intervention
from causalvae.spec.treatment_checks import (
    some_treatment,
)


def check_interventions(draft: Draft) -> list[Finding]:
    """Findings on the interventions, and on a spec that asks for nothing."""
    if draft.interventions is None:
        return []
    findings = [
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
