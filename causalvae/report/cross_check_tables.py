"""The effects of mediations computed other ways, as tables: DoWhy, its causal model, and observation alone."""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.effects.types import ArrowStrength, CrossCheck, CrossMethod
from causalvae.report.blocks import Block, Folded, Heading
from causalvae.report.glossary import term_of
from causalvae.report.notes import notes_words
from causalvae.report.numbers import ABSENT, format_interval, format_number, percent
from causalvae.report.tables import Table, columns, unit_words

_WAYS: dict[CrossMethod, str] = {
    "dowhy": "DoWhy, crossed patch design",
    "gcm": "DoWhy causal model, pair by pair",
    "gcm sampled": "DoWhy causal model, sampled",
    "observational": "regression on observed samples",
}


def cross_check_blocks(checks: Sequence[CrossCheck], arrows: Sequence[ArrowStrength]) -> list[Block]:
    """What the mediation section says of other ways to the same effects; nothing where there are none."""
    blocks: list[Block] = []
    confirming = [check for check in checks if check.method != "observational"]
    if confirming:
        agreed = sum(check.agrees is True for check in confirming)
        asked = sum(check.agrees is not None for check in confirming)
        blocks.append(
            Heading(
                "The same effects by other methods",
                "Every pair is run in four arms, the input times whose mediators are patched in, so each effect is the "
                "contrast of a randomised experiment, which DoWhy identifies and estimates on a graph of two nodes. "
                "DoWhy's graphical causal model takes the network itself as the mechanism of treatment → mediators → "
                f"outcome. {agreed} of {asked} values agree with the exact ones.",
            )
        )
        table = agreement_table(confirming)
        blocks.append(Folded(f"{table.caption} ({len(table.rows)})", table) if agreed == asked else table)
        estimands = estimand_table(confirming)
        if estimands.rows:
            blocks.append(Folded(estimands.caption, estimands))
    if arrows:
        blocks.append(arrow_table(arrows))
    observed = [check for check in checks if check.method == "observational"]
    if observed:
        blocks.append(
            Heading(
                "Without patching",
                "The estimates of a study that observes factors and activations and does not intervene on the "
                "network: two linear regressions. It is shown for comparison only and is used nowhere else. It is "
                "wrong if treatment and mediators interact or if effects are not linear, and refused if the data "
                "cannot separate the two routes.",
            )
        )
        blocks.append(observational_table(observed).filled)
    return blocks


def agreement_table(checks: Sequence[CrossCheck]) -> Table:
    """One row an effect and way: its value, the exact one, and whether they agree."""
    return Table(
        "Agreement with the exact effects",
        columns("Effect", "Way", "Value#", "Exact#", "Difference#", "May differ by#", "Result", "Note"),
        tuple(
            (
                _effect(check),
                _WAYS[check.method],
                "refused" if check.refusal else format_number(check.value, 6),
                format_number(check.exact, 6),
                ABSENT if check.value is None else format_number(check.value - check.exact, 2),
                format_number(check.tolerance, 2),
                _result(check),
                check.refusal or ("" if check.method == "dowhy" else notes_words(check.notes)),
            )
            for check in checks
        ),
    )


def estimand_table(checks: Sequence[CrossCheck]) -> Table:
    """The estimands as DoWhy identifies them, each once."""
    rows = dict.fromkeys(
        (term_of(check.estimand).short, notes_words(check.notes), check.expression)
        for check in checks
        if check.expression
    )
    return Table("Estimands as DoWhy identifies them", columns("Effect", "Contrast", "Estimand"), tuple(rows))


def arrow_table(arrows: Sequence[ArrowStrength]) -> Table:
    """How much variance of the outcome each arrow carries."""
    return Table(
        "What each arrow carries (DoWhy's arrow strength)",
        columns("Arrow", "Mediators", "Strength#", "Standard error#", "Exact#", "Share of both#", "Result"),
        tuple(
            (
                f"{arrow.parent} → {arrow.outcome} ({arrow.owner.name})",
                arrow.component.label,
                format_number(arrow.strength),
                format_number(arrow.error, 2),
                format_number(arrow.exact),
                percent(arrow.share),
                "✓ agrees" if arrow.agrees else "✗ differs",
            )
            for arrow in arrows
        ),
        (
            "Variance of the outcome when only the value that the arrow carries is randomised, in squared units of "
            "the outcome. The arrow from the treatment is the route around the mediators.",
        ),
    )


def observational_table(checks: Sequence[CrossCheck]) -> Table:
    """One row an effect: the exact value, what regression says, and how far off that is."""
    return Table(
        "Effects from observed samples alone",
        columns("Effect", "Exact#", "Regression [interval]#", "Unit", "Off by#", "Off by (of the exact)#", "Note"),
        tuple(
            (
                _effect(check),
                format_number(check.exact),
                "refused" if check.value is None else format_interval(check.value, check.lower, check.upper),
                unit_words(check.unit),
                ABSENT if check.value is None else format_number(check.value - check.exact),
                ABSENT
                if check.value is None or check.exact == 0
                else percent(abs(check.value - check.exact) / abs(check.exact)),
                "; ".join(filter(None, (check.refusal, notes_words(check.notes)))),
            )
            for check in checks
        ),
    )


def _effect(check: CrossCheck) -> str:
    return f"{term_of(check.estimand).short} on {check.outcome} ({check.owner.name})"


def _result(check: CrossCheck) -> str:
    if check.agrees is None:
        return ABSENT
    return "✓ agrees" if check.agrees else "✗ differs"
