"""Checks of outcomes: declared vectors of attributes, and outcomes of mediations and hypotheses."""

from __future__ import annotations

from causalvae.spec.catalogue import RESERVED_ATTRIBUTES
from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.draft import Draft
from causalvae.spec.schema import VectorSection

IMAGE = "image"


def check_vectors(draft: Draft) -> list[Finding]:
    """Findings on `graph.vectors`: names that are taken, and invalid components."""
    findings = []
    for name, section in (draft.vectors or {}).items():
        path: Path = ("graph", "vectors", name)
        taken = _taken(draft, name)
        if taken:
            findings.append(
                Finding(
                    "CV096",
                    path,
                    f"a vector cannot be called '{name}': that is {taken}",
                    f"Give it a different name, such as '{name}_vector'.",
                    on_key=True,
                )
            )
        if section is not None:
            inside = path if name in draft.listed_vectors else (*path, "components")
            findings += _check_components(draft, name, section, inside)
    return findings


def _taken(draft: Draft, name: str) -> str:
    """What else has this name; empty if it is free."""
    if name in (draft.factors or ()):
        return "a factor"
    if name in (draft.attributes or ()):
        return "an attribute"
    if name == IMAGE:
        return "the whole decoded output, an outcome by itself"
    return "a column of a run's tables" if name in RESERVED_ATTRIBUTES else ""


def _check_components(draft: Draft, name: str, section: VectorSection, path: Path) -> list[Finding]:
    if len(section.components) < 2:
        (only,) = section.components or ("",)
        known = draft.attributes is None or only in draft.attributes
        use = f"Name '{only}' itself as the outcome, or give" if known else "Give"
        return [
            Finding(
                "CV095",
                path,
                f"the vector '{name}' has one component",
                f"{use} the vector two components or more.",
            )
        ]
    attributes = draft.attributes
    findings = []
    for index, component in enumerate(section.components):
        first = section.components.index(component)
        if first < index:
            findings.append(
                Finding(
                    "CV095",
                    (*path, index),
                    f"'{component}' is already a component of '{name}'",
                    "Delete it: twice in a vector it would count twice.",
                )
            )
        elif attributes is not None and component not in attributes:
            findings.append(
                Finding(
                    "CV095",
                    (*path, index),
                    f"the component {show_text(component)} of '{name}' is {what_is(draft, component)}",
                    f"The attributes are {list_choices(attributes, 'and')}.",
                    nearest(component, attributes),
                )
            )
    return findings


def what_is(draft: Draft, name: str) -> str:
    """What a name is, if it is not an attribute."""
    if name in (draft.factors or ()):
        return "a factor, not an attribute"
    if name in (draft.vectors or ()):
        return "a vector, not an attribute"
    return "no attribute"


def check_image(
    draft: Draft, path: Path, example: str, purpose: str = "", code: str = "CV080", related: tuple[Path, ...] = ()
) -> list[Finding]:
    """A finding if the image is an outcome and all attributes are latents, so that no image is decoded."""
    if not draft.decodes_no_image:
        return []
    return [
        Finding(
            code,
            path,
            f"every attribute is a latent, so runs stop there and decode no image{purpose}",
            f"Name an attribute, such as {example}.",
            related=(("graph", "attributes"), *related),
        )
    ]


def check_outcome(draft: Draft, name: str, path: Path) -> list[Finding]:
    """Findings on the name of an outcome: an attribute, a vector, or ``image``."""
    attributes, vectors = draft.attributes, draft.vectors
    if attributes is None or vectors is None or name in attributes or name in vectors:
        return []
    if name == IMAGE:
        return check_image(draft, path, next(iter(attributes), ""))
    known = (*attributes, *vectors, IMAGE)
    declared = f"The attributes are {list_choices(attributes, 'and')}"
    also = f"; the vectors are {list_choices(vectors, 'and')}" if vectors else ""
    return [
        Finding(
            "CV070",
            path,
            f"the outcome {show_text(name)} is {what_is(draft, name)}",
            f"{declared}{also}; 'image' is the whole output.",
            nearest(name, known),
        )
    ]


def is_known(draft: Draft, outcome: str) -> bool:
    """Whether an outcome is an attribute, the image, or a vector whose components are all attributes."""
    attributes = draft.attributes or {}
    if outcome == IMAGE or outcome in attributes:
        return True
    vector = (draft.vectors or {}).get(outcome)
    return vector is not None and all(name in attributes for name in vector.components)


def is_reached(draft: Draft, factor: str, outcome: str) -> bool:
    """Whether an outcome is a descendant of a factor: any component of a vector; always true of the image."""
    if outcome == IMAGE:
        return True
    vector = None if outcome in (draft.attributes or ()) else (draft.vectors or {}).get(outcome)
    names = (outcome,) if vector is None else vector.components
    return not draft.reach(factor).isdisjoint(names)
