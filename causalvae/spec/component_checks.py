"""Checks of component addresses that do not need the model: syntax, names in the mapping, size of the latent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from causalvae.spec.address import Address, parse_address
from causalvae.spec.catalogue import LATENT_PARTS
from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.draft import Draft
from causalvae.spec.schema import Hypothesis, Intervention

# Input of a latent layer, and groups of latents, in networks that have them.
_PART_OF_SOME = re.compile(r"(exogenous|g\d+)$")


def check_components(draft: Draft) -> list[Finding]:
    """Findings on all addresses in the mapping, the interventions and the hypotheses."""
    findings = _check_mapping(draft)
    for path, text in _references(draft):
        if text.startswith("$"):
            findings += _check_reference(draft, path, text)
        else:
            findings += _check_address(draft, path, text)
    return findings


def _check_mapping(draft: Draft) -> list[Finding]:
    findings = []
    nodes = tuple(dict.fromkeys((*(draft.factors or ()), *(draft.attributes or ()))))
    for node, section in (draft.mapping or {}).items():
        path: Path = ("mapping", node)
        if draft.factors is not None and draft.attributes is not None and node not in nodes:
            findings.append(
                Finding(
                    "CV053",
                    path,
                    f"the mapping places {show_text(node)}, which is neither a factor nor an attribute",
                    f"Declare it in the graph, or name one of {list_choices(nodes)}.",
                    nearest(node, nodes),
                    on_key=True,
                )
            )
        elif section is not None and section.search is not None:
            findings += _check_find(draft, node, section.search.count, (*path, "find"))
        for index, text in enumerate((section.components or ()) if section is not None else ()):
            where: Path = (*path, "components", index)
            if text.startswith("$"):
                findings.append(
                    Finding(
                        "CV051",
                        where,
                        f"the mapping of '{node}' refers to {show_text(text)}",
                        "$NAME is replaced by the mapping, so write component addresses here, such as latent[3].",
                    )
                )
            else:
                findings += _check_address(draft, where, text)
    return findings


def _check_find(draft: Draft, node: str, count: int, path: Path) -> list[Finding]:
    """Findings on the search for the latents of a node: it sets the node, which is a factor, in the data."""
    advice = "Give its components, such as latent[3]. A sweep (`latent: {components: latent}`) shows what latents move."
    known = draft.source.factor(node) if draft.source is not None else None
    if draft.factors is not None and node not in draft.factors:
        return [Finding("CV090", path, f"latents are found by setting a factor, and {show_text(node)} is none", advice)]
    if known is not None and not known.settable:
        said = (
            f"latents are found by setting a factor, and the data have no counterfactual samples under another '{node}'"
        )
        return [Finding("CV087", path, said, advice)]
    if draft.latent_dim is not None and count > draft.latent_dim:
        said = f"{count} latents are to be found, and the model has {draft.latent_dim}"
        return [
            Finding("CV052", path, said, f"Ask for at most {draft.latent_dim}.", related=(("model", "latent_dim"),))
        ]
    return []


def _references(draft: Draft) -> Iterator[tuple[Path, str]]:
    for named in (*(draft.interventions or ()), *(draft.hypotheses or ())):
        section = named.section
        if isinstance(section, Hypothesis):
            yield from ((("hypotheses", named.index, "circuit", i), text) for i, text in enumerate(section.circuit))
        elif isinstance(section, Intervention):
            base: Path = ("interventions", named.index, section.level.kind)
            yield from (((*base, *where), text) for where, text in section.level.references())


def _check_reference(draft: Draft, path: Path, text: str) -> list[Finding]:
    name = text[1:]
    if draft.mapping is None or name in draft.mapping:
        return []
    nodes = (*(draft.factors or ()), *(draft.attributes or ()))
    if any(node not in nodes and nearest(node, nodes) == name for node in draft.mapping):
        # The key in the mapping is misspelt and reported there.
        return []
    declared = name in (draft.factors or ()) or name in (draft.attributes or ())
    if declared:
        advice = f"Add `{name}: ADDRESS` to the mapping, such as `{name}: latent[3]`, or write the address here."
    elif draft.mapping:
        advice = f"The mapping gives {list_choices('$' + node for node in draft.mapping)}."
    else:
        advice = f"The spec has no mapping; add one, such as `mapping: {{{name}: latent[3]}}`."
    meant = "" if declared else nearest(name, draft.mapping)
    return [
        Finding(
            "CV051",
            path,
            f"the mapping does not say where {show_text(text)} lives",
            advice,
            "$" + meant if meant else "",
        )
    ]


def _check_address(draft: Draft, path: Path, text: str) -> list[Finding]:
    try:
        address = parse_address(text)
    except ValueError as error:
        reason = str(error).removeprefix(f"{text!r} is not an address; ")
        said = f"{show_text(text)} is not a component address"
        if reason != str(error):
            return [Finding("CV050", path, said, f"{reason[:1].upper()}{reason[1:]}.")]
        return [Finding("CV050", path, f"{said}: {reason}", "Write path[selector], as in encoder.conv3[0:8].")]
    for span in (*address.units, *address.window):
        if span.stop is not None and (span.start or 0) >= span.stop:
            return [
                Finding(
                    "CV050",
                    path,
                    f"the range {span.start or 0}:{span.stop} in {show_text(text)} is empty",
                    "A range runs from its first position up to, and without, its last.",
                )
            ]
    if address.path.split(".")[0] == "latent":
        return _check_latent(draft, path, text, address)
    return []


def _may_be_part(draft: Draft, parts: list[str]) -> bool:
    """Whether a latent may have these parts, without loading the model; shipped networks have the usual parts only."""
    if len(parts) != 1 or parts[0] in LATENT_PARTS:
        return len(parts) == 1
    shipped = draft.model is not None and draft.model.has_usual_parts
    return not shipped and _PART_OF_SOME.match(parts[0]) is not None


def _check_latent(draft: Draft, path: Path, text: str, address: Address) -> list[Finding]:
    parts = address.path.split(".")[1:]
    if not address.is_pattern and parts and not _may_be_part(draft, parts):
        known = [f"latent.{part}" for part in LATENT_PARTS]
        return [
            Finding(
                "CV054",
                path,
                f"the latent has no part {show_text('.'.join(parts))}",
                f"Write latent for what the decoder receives, or {list_choices(known)}.",
                nearest(address.path, known),
            )
        ]
    size = draft.latent_dim
    if size is None:
        return []
    related: tuple[Path, ...] = (("model", "latent_dim"),)
    if address.window:
        if draft.model is not None and not draft.model.has_vector:
            return []
        return [
            Finding(
                "CV052",
                path,
                f"{show_text(text)} names a window, and a latent has one axis only",
                "Write the latents' positions, such as latent[3] or latent[0:4].",
                related=related,
            )
        ]
    for span in address.units:
        try:
            span.indices(size)
        except IndexError:
            last = (span.stop - 1) if span.stop is not None else (span.start or 0)
            return [
                Finding(
                    "CV052",
                    path,
                    f"{show_text(text)} asks for latent {last}, and the model has {size} latents",
                    f"Positions run from 0 to {size - 1}.",
                    related=related,
                )
            ]
    return []
