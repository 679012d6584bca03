"""How far the network agrees with the declared graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EdgeStatus = Literal["supported", "missing", "spurious", "absent", "undecided"]


@dataclass(frozen=True)
class EdgeCheck:
    """One factor and one attribute: does doing the one move the other?

    Parameters
    ----------
    source, target : str
        Factor and attribute.
    declared : bool
        Whether the declared graph has a directed path from source to target.
    status : str
        supported: declared and present. missing: declared and shown absent. spurious: present and not declared.
        absent: not declared and shown absent (agreement). undecided: neither shown.
    via : {"input", "component"}
        do(factor) on the input, or on the components that the spec maps the factor to.
    effect, lower, upper : float
        Root mean square change of the attribute in its standard deviations over the data, with interval.
    p_present, p_absent : float
        Corrected p-values against an effect of at most, and of at least, `tolerance`.
    tolerance : float
    n : int
    """

    source: str
    target: str
    declared: bool
    status: EdgeStatus
    via: Literal["input", "component"]
    effect: float
    lower: float
    upper: float
    p_present: float
    p_absent: float
    tolerance: float
    n: int


@dataclass(frozen=True)
class IndependenceCheck:
    """One conditional independence that the declared graph implies, tested on the measured variables.

    Parameters
    ----------
    left, right : str
    given : tuple of str
    statistic : float
        Of the test that `Alignment.test` names.
    p_value, p_adjusted : float
        Before and after the correction.
    rejected : bool
        Whether `p_adjusted` is at most the level.
    effect : float
        Largest correlation, without its sign, that is left between the two once the given ones are accounted for.
    """

    left: str
    right: str
    given: tuple[str, ...]
    statistic: float
    p_value: float
    p_adjusted: float
    rejected: bool
    effect: float = 0.0


@dataclass(frozen=True)
class Alignment:
    """Agreement of declared graph and network.

    Parameters
    ----------
    edges : tuple of EdgeCheck
        Every factor x attribute, for each `via` that could be run.
    independencies : tuple of IndependenceCheck
    fisher_c, fisher_p : float or None
        Fisher's C over the implied independencies; None where there are none.
    test, correction, alpha
        Which conditional-independence test, multiplicity correction and level.
    precision, recall, f1 : float or None
        Of the present edges against the declared ones (ancestor relations), primary `via`.
    shd : int
        Structural Hamming distance between the declared relations and the recovered ones; undecided count as they are
        declared.
    primary : {"input", "component"}
        Which edges the summary counts.
    samples : int
    seconds : float
    notes : tuple of str
    """

    edges: tuple[EdgeCheck, ...]
    independencies: tuple[IndependenceCheck, ...]
    fisher_c: float | None
    fisher_p: float | None
    test: str
    correction: str
    alpha: float
    precision: float | None
    recall: float | None
    f1: float | None
    shd: int
    primary: Literal["input", "component"]
    samples: int
    seconds: float
    notes: tuple[str, ...] = ()
