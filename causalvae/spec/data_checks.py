"""Checks of a data section: those of its source, and the factors in `condition`."""

from __future__ import annotations

from causalvae.spec.data_section import DataSection
from causalvae.spec.diagnostics import Finding, list_choices, nearest, show_text


def check_data(section: DataSection | None) -> list[Finding]:
    """Findings on a data section; none if it could not be read."""
    if section is None:
        return []
    findings = section.findings()
    known = section.facts()
    if known is None:
        return findings
    for index, name in enumerate(section.condition):
        if name not in known.names:
            findings.append(
                Finding(
                    "CV063",
                    ("data", "condition", index),
                    f"the data have no factor {show_text(name)} to condition on",
                    f"Its factors are {list_choices(known.names, 'and')}.",
                    nearest(name, known.names),
                )
            )
        elif name in section.condition[:index]:
            findings.append(
                Finding("CV036", ("data", "condition", index), "this factor is already in the list", "Delete it.")
            )
    return findings
