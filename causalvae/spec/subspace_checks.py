"""Checks of the learned subspace of a mediation."""

from __future__ import annotations

from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.draft import Draft
from causalvae.spec.outcome_checks import IMAGE, check_image
from causalvae.spec.schema import MediationIntervention


def check_subspace(draft: Draft, section: MediationIntervention, path: Path) -> list[Finding]:
    """Findings on the `subspace` of a mediation at `path`, if any."""
    if section.subspace is None:
        return []
    where: Path = (*path, "subspace")
    findings = _check_objective(draft, section.subspace.objective, (*where, "objective"))
    if section.control is not None:
        findings.append(
            Finding(
                "CV094",
                (*path, "control"),
                "mediators are held at one value whole, and here they are patched through learned directions",
                "Delete `control`, or give the controlled direct effect in a mediation of its own without `subspace`.",
                related=(where,),
            )
        )
    return findings


def _check_objective(draft: Draft, name: str, path: Path) -> list[Finding]:
    attributes = draft.attributes
    if attributes is None or name in attributes:
        return []
    if name == IMAGE:
        return check_image(draft, path, f"`objective: {next(iter(attributes), '')}`", " to learn by", "CV093")
    kinds = ((draft.factors, "a factor, not an attribute"), (draft.vectors, "a vector, and learning is by one number"))
    reason = next((words for known, words in kinds if name in (known or ())), "no attribute")
    return [
        Finding(
            "CV093",
            path,
            f"the objective {show_text(name)} is {reason}",
            f"Directions are learned by {list_choices((*attributes, IMAGE))}.",
            nearest(name, (*attributes, IMAGE)),
        )
    ]
