"""The implied independencies in a table and in words: of the data, and of the network's outputs."""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.alignment.types import Alignment, IndependenceCheck, IndependenceFamily
from causalvae.report.numbers import ABSENT, format_count, format_interval, format_number, format_p
from causalvae.report.tables import Table, columns

_RESULT = {
    "independent": "✓ independent",
    "dependent": "✗ dependent",
    "undecided": "? no dependence found (n is too small to show independence)",
}
_WHOSE = {"data": "the data", "network": "the network's outputs"}
_MOST = 4


def independence_table(alignment: Alignment) -> Table:
    """The conditional independencies that the declared graph implies."""
    return Table(
        "Implied independencies",
        columns("Of", "Independence", "Dependence (sd)#", "p dependent#", "p small#", "Samples#", "Result"),
        tuple(
            (
                check.of,
                independence_name(check),
                ABSENT if check.size is None else format_interval(check.size, check.lower, check.upper),
                format_p(check.p_adjusted),
                format_p(check.p_small),
                format_count(check.n) if check.n else ABSENT,
                _result_words(check),
            )
            for check in alignment.independencies
        ),
        (
            f"Dependence: change of one of the two, in its standard deviations, under a redraw of the other, if all "
            f"that is left between them were causal; shown to be below {alignment.tolerance:g} it counts as none. "
            f"Dependent: rejected by the {alignment.test} ({alignment.correction}, alpha {alignment.alpha:g}).",
        ),
    )


def independence_name(check: IndependenceCheck) -> str:
    """An independence in the usual notation."""
    return f"{check.left} ⊥ {check.right}" + (f" | {', '.join(check.given)}" if check.given else "")


def independence_words(alignment: Alignment) -> tuple[str, ...]:
    """A sentence for the data and one for the network: what is independent, dependent or undecided."""
    families = alignment.families or (
        IndependenceFamily("network", alignment.samples, alignment.fisher_c, alignment.fisher_p),
    )
    sentences = []
    for family in families:
        checks = [check for check in alignment.independencies if check.of == family.of]
        if checks:
            sentences.append(_family_words(family, checks))
    return tuple(sentences)


def _family_words(family: IndependenceFamily, checks: Sequence[IndependenceCheck]) -> str:
    counts = {result: sum(check.result == result for check in checks) for result in _RESULT}
    parts = [f"{counts['independent']} of {len(checks)} shown"]
    dependent = [check for check in checks if check.result == "dependent"]
    if dependent:
        named = "; ".join(independence_name(check) for check in dependent[:_MOST])
        more = f"; {len(dependent) - _MOST} more" if len(dependent) > _MOST else ""
        parts.append(f"{len(dependent)} violated ({named}{more})")
    if counts["undecided"]:
        parts.append(f"{counts['undecided']} without a dependence found, but with too few samples to show independence")
    words = (
        f"Implied independencies of {_WHOSE[family.of]} ({format_count(family.samples)} distinct samples): "
        f"{', '.join(parts)}."
    )
    if family.fisher_c is not None:
        words += f" Fisher's C = {format_number(family.fisher_c)}, p {_p(family.fisher_p)}."
    return words


def _result_words(check: IndependenceCheck) -> str:
    words = _RESULT[check.result]
    if check.result == "undecided" and check.needed > check.n:
        words = f"{words[:-1]}; {format_count(check.needed)} would be enough)"
    return words


def _p(value: float | None) -> str:
    text = format_p(value)
    return text if text.startswith("<") else f"= {text}"
