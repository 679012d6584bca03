"""Checks across the fields of a spec, before anything is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath

from causalvae.spec.catalogue import RESERVED_ATTRIBUTES
from causalvae.spec.claim_checks import check_claims, check_hypotheses
from causalvae.spec.component_checks import check_components
from causalvae.spec.data_checks import check_data
from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.digraph import find_cycles
from causalvae.spec.draft import Draft, Edge, Named, draft_spec
from causalvae.spec.entries import DataEntry
from causalvae.spec.file_checks import check_files, check_reads
from causalvae.spec.intervention_checks import check_interventions, check_refuters
from causalvae.spec.outcome_checks import check_vectors
from causalvae.spec.readout_checks import check_readouts
from causalvae.spec.schema import FactorSection, Spec


def check_spec(spec: Spec) -> tuple[Finding, ...]:
    """Findings on a spec that was made in Python rather than read from a file."""
    return check_draft(draft_spec(spec))


def check_draft(
    draft: Draft, faulty: frozenset[Path] = frozenset(), folder: FilePath | None = None
) -> tuple[Finding, ...]:
    """Findings on a draft.

    Parameters
    ----------
    draft : Draft
    faulty : frozenset of paths
        Paths of values already known to be at fault; findings that depend on them are omitted.
    folder : path, optional
        Where relative paths start. If given, the existence of files, folders and modules is checked as well.
    """
    factors = _check_factors(draft)
    # A suggested factor counts as declared, so that other references to it are not reported.
    meant = {finding.suggestion: None for finding in factors if finding.code == "CV034" and finding.suggestion}
    if draft.factors is not None and meant:
        draft = replace(draft, factors={**meant, **draft.factors})
    findings = [
        *check_data(draft.data),
        *check_files(draft),
        *_check_nodes(draft),
        *_check_graphs(draft),
        *factors,
        *check_vectors(draft),
        *check_readouts(draft.attributes or {}, draft.inputs),
        *check_components(draft),
        *_check_names(draft.interventions or (), "interventions"),
        *check_interventions(draft),
        *_check_names(draft.hypotheses or (), "hypotheses"),
        *check_hypotheses(draft),
        *check_claims(draft),
        *check_refuters(draft),
        *_check_execution(draft),
        *(
            finding
            for name, section in draft.analyses.items()
            if section is not None
            for finding in section.findings(draft, (name,))
        ),
        *([] if folder is None else check_reads(folder, draft.model, draft.data)),
    ]
    holding = {path[:depth] for path in faulty for depth in range(len(path) + 1)}
    return tuple(finding for finding in findings if not _rests_on(finding, faulty, holding))


def _rests_on(finding: Finding, faulty: frozenset[Path], holding: set[Path]) -> bool:
    """Whether a finding depends on a faulty value; `holding` contains the faulty paths and all their prefixes."""
    if any(path in holding for path in finding.related):
        return True
    return not finding.on_key and any(finding.path[:depth] in faulty for depth in range(len(finding.path) + 1))


def _check_nodes(draft: Draft) -> list[Finding]:
    findings = [
        Finding(
            "CV036",
            ("graph", "factors", index),
            "this factor is already in the list",
            "Delete it, or name another one.",
        )
        for index in draft.repeated_factors
    ]
    findings += [
        Finding(
            "CV031",
            ("graph", "attributes", name),
            f"'{name}' is declared both as a factor and as an attribute",
            f"Give the attribute a different name, such as '{name}_measured': a factor makes the image, an attribute "
            "is read from the decoded output.",
            on_key=True,
        )
        for name in draft.attributes or ()
        if name in (draft.factors or ())
    ]
    findings += [
        Finding(
            "CV042",
            ("graph", "attributes", name),
            f"an attribute cannot be called '{name}': the tables of a run have a column of that name",
            f"Give it another name, such as '{name}_measured'; {list_choices(RESERVED_ATTRIBUTES, 'and')} are taken.",
            on_key=True,
        )
        for name in draft.attributes or ()
        if name in RESERVED_ATTRIBUTES
    ]
    return findings


def _check_graphs(draft: Draft) -> list[Finding]:
    """The declared graph and its rivals."""
    graphs: dict[Path, tuple[Edge, ...]] = {("graph", "edges"): draft.edges}
    graphs |= {("alignment", "rivals", name): edges for name, edges in draft.rivals.items()}
    return [finding for place, edges in graphs.items() for finding in _check_edges(draft, place, edges)]


def _check_edges(draft: Draft, place: Path, edges: tuple[Edge, ...]) -> list[Finding]:
    if draft.factors is None or draft.attributes is None:
        return []
    findings = []
    nodes = tuple(dict.fromkeys((*draft.factors, *draft.attributes)))
    first: dict[tuple[str, str], int] = {}
    for edge in edges:
        path: Path = (*place, edge.index)
        findings += [
            Finding(
                "CV030",
                path,
                f"the edge names {show_text(node)}, which is neither a factor nor an attribute",
                f"'{node}' is a vector: draw edges to its components."
                if node in (draft.vectors or ())
                else f"Declare it, or name one of {list_choices(nodes)}.",
                nearest(node, nodes),
                part=node,
            )
            for node in dict.fromkeys((edge.parent, edge.child))
            if node not in draft.factors and node not in draft.attributes
        ]
        if edge.parent in draft.attributes and edge.child in draft.factors and edge.parent not in draft.factors:
            findings.append(
                Finding(
                    "CV033",
                    path,
                    f"an edge leads from the attribute '{edge.parent}' into the factor '{edge.child}'",
                    f"Factors make attributes: write `{edge.child} -> {edge.parent}`.",
                )
            )
        if (edge.parent, edge.child) in first:
            findings.append(
                Finding(
                    "CV037",
                    path,
                    f"the edge '{edge.parent} -> {edge.child}' is given twice",
                    "Delete one of the two.",
                    severity="warning",
                )
            )
        first.setdefault((edge.parent, edge.child), edge.index)
    for cycle in find_cycles([(edge.parent, edge.child) for edge in edges]):
        index = first[(cycle[-2], cycle[-1])]
        findings.append(
            Finding(
                "CV032",
                (*place, index),
                f"the graph has a cycle: {_show_cycle(cycle)}",
                "Delete or reverse one of these edges; a causal graph has no cycles.",
            )
        )
    return findings


def _show_cycle(cycle: tuple[str, ...], most: int = 12) -> str:
    if len(cycle) <= most:
        return " -> ".join(cycle)
    return " -> ".join((*cycle[: most - 2], f"({len(cycle) - most:,} more)", *cycle[-2:]))


def _check_factors(draft: Draft) -> list[Finding]:
    source = draft.source
    if source is None or draft.data is None:
        return []
    findings = []
    for name, section in (draft.factors or {}).items():
        index = draft.factor_positions.get(name)
        path: Path = ("graph", "factors", name if index is None else index)
        if source.factor(name) is None:
            findings.append(
                Finding(
                    "CV034",
                    path,
                    f"the data source '{draft.data.kind}' has no factor {show_text(name)}",
                    f"Its factors are {list_choices(source.names).replace(' or ', ' and ')}.",
                    nearest(name, source.names),
                    on_key=True,
                )
            )
        elif section is not None:
            findings += _check_factor(name, section, path, source)
    return findings


def _check_factor(name: str, section: FactorSection, path: Path, source: DataEntry) -> list[Finding]:
    known = source.factor(name)
    if known is None:
        return []
    findings = []

    def differs(key: str, said: str, truth: str) -> None:
        findings.append(
            Finding(
                "CV035",
                (*path, key),
                f"the spec says that '{name}' has {key} {said}, and the data says {truth}",
                f"Write `{key}: {truth}`, or delete the key: the data's own value is then taken.",
            )
        )

    if section.kind is not None and section.kind != known.kind:
        differs("kind", section.kind, known.kind)
    if section.levels is not None and section.levels != known.levels:
        differs("levels", f"{section.levels:,}", str(known.levels))
    if section.range is not None:
        slack = 1e-3 * (known.high - known.low)
        if abs(section.range[0] - known.low) > slack or abs(section.range[1] - known.high) > slack:
            said, truth = (f"[{low:.6g}, {high:.6g}]" for low, high in (section.range, (known.low, known.high)))
            differs("range", said, truth)
    return findings


def _check_execution(draft: Draft) -> list[Finding]:
    section, path = draft.execution, ("execution", "address")
    if section is None or section.address is None or section.backend == "ray":
        return []
    return [
        Finding(
            "CV082",
            path,
            f"an address is where a cluster is, and 'execution.backend' is {section.backend}",
            "Write `backend: ray`, or delete `address`.",
            related=(("execution", "backend"),),
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
