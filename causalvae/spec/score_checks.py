"""What is wrong with the section that asks for classical disentanglement scores."""

from __future__ import annotations

from causalvae.spec.diagnostics import Finding, list_choices
from causalvae.spec.disentanglement_section import CONCERNS
from causalvae.spec.draft import Draft


def check_scores(draft: Draft) -> list[Finding]:
    """Findings on scores that cannot be had, are asked for twice, or have settings and are not asked for."""
    section = draft.disentanglement
    if section is None:
        return []
    findings = [
        Finding(
            "CV098",
            ("disentanglement", "scores", index),
            f"the score '{name}' is already in the list",
            "Delete it.",
        )
        for index, name in enumerate(section.scores)
        if name in section.scores[:index]
    ]
    findings += [
        Finding(
            "CV098",
            ("disentanglement", key),
            f"'{key}' concerns {list_choices(names, 'and')}, and the list of scores has "
            f"{'neither' if len(names) == 2 else 'it not' if len(names) == 1 else 'none of them'}",
            f"Delete `{key}`, or add {list_choices(names)} to the scores.",
            on_key=True,
            related=(("disentanglement", "scores"),),
        )
        for key, names in CONCERNS.items()
        if key in section.model_fields_set and not set(names) & set(section.scores)
    ]
    source = draft.source
    if (source is not None and not source.names) or (draft.data is not None and draft.data.lacks_factors):
        findings.append(
            Finding(
                "CV097",
                ("disentanglement",),
                "classical scores hold latents against labelled factors, and this data has none",
                "Delete the section: the run will say only that there are no scores.",
                severity="warning",
                on_key=True,
            )
        )
    return findings
