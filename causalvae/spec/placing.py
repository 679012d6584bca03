"""Diagnostics at nodes of the text."""

from __future__ import annotations

from causalvae.spec.diagnostics import Diagnostic, Finding, field_of
from causalvae.spec.yaml_tree import Node, Source, TextFault


def fault_at(
    node: Node, code: str, message: str, expected: str = "", suggestion: str = "", part: str = ""
) -> Diagnostic:
    """An error at a node, or at a part of its text.

    Parameters
    ----------
    node : Node
    code, message, expected, suggestion
        As of `Diagnostic`.
    part : str
        Mark only this part of the node's text.
    """
    return _diagnose(node, Finding(code, (), message, expected, suggestion, part=part))


def place_finding(finding: Finding, root: Node) -> Diagnostic:
    """The diagnostic of a finding, at the node that its path leads to."""
    return _diagnose(root.locate(finding.path, finding.on_key), finding)


def place_text(fault: TextFault, source: Source) -> Diagnostic:
    """The diagnostic of a fault of YAML text."""
    return Diagnostic(
        fault.code,
        "error",
        fault.message,
        source.name,
        fault.line,
        fault.column,
        source.line(fault.line),
        fault.expected,
        length=max(fault.length, 1),
    )


def _diagnose(node: Node, finding: Finding) -> Diagnostic:
    source = node.source.line(node.line)
    column, length = node.column, max(node.length, 1)
    if finding.part:
        found = source.find(finding.part, column - 1)
        if found >= 0:
            column, length = found + 1, len(finding.part)
    return Diagnostic(
        finding.code,
        finding.severity,
        finding.message,
        node.source.name,
        node.line,
        column,
        source,
        finding.expected,
        finding.suggestion,
        field_of(finding.path),
        length,
    )
