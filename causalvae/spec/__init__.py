"""The spec language: from YAML text to a checked spec or to diagnostics."""

from causalvae.spec.address import Address, Span, parse_address
from causalvae.spec.checks import check_spec
from causalvae.spec.diagnostics import Diagnostic, Finding, SpecError
from causalvae.spec.loader import (
    load_spec,
    load_train_spec,
    open_spec,
    parse_spec,
    parse_train_spec,
    read_any_spec,
    read_spec,
)
from causalvae.spec.resolved import write_resolved
from causalvae.spec.schema import Spec

__all__ = [
    "Address",
    "Diagnostic",
    "Finding",
    "Span",
    "Spec",
    "SpecError",
    "check_spec",
    "load_spec",
    "load_train_spec",
    "open_spec",
    "parse_address",
    "parse_spec",
    "parse_train_spec",
    "read_any_spec",
    "read_spec",
    "write_resolved",
]
