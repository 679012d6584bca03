"""Checks of the first-order screening of a sweep."""

from __future__ import annotations

from causalvae.interventions.activation.section import ActivationIntervention
from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.draft import Draft
from causalvae.spec.outcome_checks import IMAGE, check_image, what_is


def check_screen(draft: Draft, section: ActivationIntervention, path: Path) -> list[Finding]:
    """Findings on the `screen` of an activation intervention at `path`, if any."""
    screen, where = section.screen, (*path, "screen")
    if screen is None:
        return []
    findings = []
    if section.by == "set":
        findings.append(
            Finding(
                "CV078",
                where,
                "a set is patched as one component, so there is nothing to rank",
                "Write `by: unit`, `by: channel` or `by: layer`, or delete `screen`.",
                related=((*path, "by"),),
            )
        )
    if screen.method == "integrated_gradients" and not section.value_kind.from_input:
        findings.append(
            Finding(
                "CV079",
                (*where, "method"),
                f"integrated gradients follow the line to the input that gives the values, and "
                f"'mode: {section.mode.name}' takes them from no input",
                "Write `method: attribution`, or `mode: interchange`.",
                related=((*path, "mode"),),
            )
        )
    if screen.method == "attribution" and screen.steps is not None:
        findings.append(
            Finding(
                "CV081",
                (*where, "steps"),
                "attribution takes the gradient at one point, so it has no steps",
                "Write `method: integrated_gradients`, or delete `steps`.",
                related=((*where, "method"),),
            )
        )
    return findings + _check_outcome(draft, screen.outcome, where)


def _check_outcome(draft: Draft, name: str, where: Path) -> list[Finding]:
    attributes = draft.attributes
    if attributes is None:
        return []
    if name == IMAGE:
        example = f"`outcome: {next(iter(attributes), '')}`"
        return check_image(draft, where, example, " to rank components by", related=((*where, "outcome"),))
    if name in attributes:
        return []
    return [
        Finding(
            "CV070",
            (*where, "outcome"),
            f"the outcome {show_text(name)} is {what_is(draft, name)}",
            f"A screen ranks by {list_choices((*attributes, IMAGE))}.",
            nearest(name, (*attributes, IMAGE)),
        )
    ]
