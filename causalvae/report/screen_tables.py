"""First-order screening as a reader meets it: what was ranked, what was run, what that missed.

First-order effects stand in tables of their own, so that none is taken for an exact one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from causalvae.effects.types import ScreenSummary
from causalvae.report.effects_file import SCREENED_FILE
from causalvae.report.numbers import ABSENT, format_count, format_interval, format_number, percent
from causalvae.report.tables import Table, columns, unit_words

_FEW = 12
_MOST = 500
_METHODS = {
    "attribution": "attribution patching: the gradient at the clean run",
    "integrated_gradients": "integrated gradients: the mean gradient at {steps} points of the line between the inputs",
}


def screen_words(screen: ScreenSummary) -> str:
    """How a sweep was screened and how well, in a few sentences."""
    candidates = format_count(screen.candidates)
    how = _METHODS.get(screen.method, screen.method).format(steps=screen.steps)
    run = (
        f"All {candidates} components were ranked by their first-order effect on {screen.outcome} ({how}, times the "
        f"change of the value; mean size over {format_count(screen.pairs)} pairs). The best "
        f"{format_count(screen.kept)} were run exactly, and {format_count(screen.checked)} of the others, drawn at "
        f"random (seed {screen.seed})."
    )
    if len(screen.components) < screen.candidates:
        run += f" {format_count(len(screen.components))} are listed; {SCREENED_FILE} has all."
    return f"{run} {recall_words(screen)}"


def recall_words(screen: ScreenSummary) -> str:
    """What the random sample says of a screen, in a sentence or two."""
    best = format_count(screen.kept)
    if math.isnan(screen.recall):
        return "No others were run, so what the screen missed is not known."
    if screen.left_out:
        known = (
            f"{percent(screen.confidence)} interval {percent(screen.recall_lower)} to {percent(screen.recall_upper)}"
        )
        recall = (
            f"It kept an estimated {percent(screen.recall)} of the {best} with the largest exact effects ({known})."
        )
    else:
        recall = f"It kept {percent(screen.recall)} of the {best} with the largest exact effects; all were run."
    if math.isnan(screen.rank_correlation):
        return recall
    ranks = format_interval(screen.rank_correlation, screen.rank_lower, screen.rank_upper)
    return f"{recall} Rank correlation of first-order and exact effect over the random sample: {ranks}."


def compared_table(screen: ScreenSummary) -> Table:
    """Exact effects next to first-order ones, of the components that were run; the largest first."""
    run = [component for component in screen.components if component.exact is not None]
    ordered = sorted(run, key=lambda component: -_size(component.exact))
    return Table(
        f"Exact and first-order effects on {screen.outcome}",
        columns("Component", "Run because", f"Exact{_unit(screen)}#", f"First-order{_unit(screen)}#"),
        tuple(
            (
                component.component.label,
                {"kept": "ranked among the best", "checked": "drawn at random"}.get(
                    component.selected, "asked for elsewhere"
                ),
                format_number(component.exact),
                format_number(component.attribution),
            )
            for component in ordered[:_MOST]
        ),
        _cut(len(ordered)),
    )


def first_order_table(screen: ScreenSummary, most: int = _MOST) -> Table:
    """First-order effects alone, of the components that were not run; the largest first."""
    left = [component for component in screen.components if component.exact is None]
    ordered = sorted(left, key=lambda component: -_size(component.attribution))
    shown = ordered[:most]
    which = "The largest first-order effects" if len(shown) < len(ordered) else "First-order effects"
    return Table(
        f"{which} on {screen.outcome} of components that were not run exactly",
        columns("Component", f"First-order{_unit(screen)}#"),
        tuple((component.component.label, format_number(component.attribution)) for component in shown),
        _cut(len(ordered)) if most == _MOST else (),
    )


def strongest_left_out(screen: ScreenSummary) -> Table:
    """The few largest of `first_order_table`."""
    return first_order_table(screen, _FEW)


def summary_table(screens: Sequence[ScreenSummary]) -> Table:
    """All screens, one a row."""
    return Table(
        "Screened sweeps: all ranked by gradients, only the best and some at random run exactly",
        columns("Sweep", "Direction", "Outcome", "Ranked#", "Best#", "Random#", "Recall [interval]#"),
        tuple(
            (
                screen.owner.name,
                screen.direction,
                screen.outcome,
                format_count(screen.candidates),
                format_count(screen.kept),
                format_count(screen.checked),
                ABSENT
                if math.isnan(screen.recall)
                else format_interval(screen.recall, screen.recall_lower, screen.recall_upper),
            )
            for screen in screens
        ),
    )


def _unit(screen: ScreenSummary) -> str:
    words = unit_words(screen.unit)
    return "" if words == ABSENT else f" ({words})"


def _size(value: float | None) -> float:
    return -math.inf if value is None or math.isnan(value) else value


def _cut(count: int) -> tuple[str, ...]:
    more = count - _MOST
    return (f"{format_count(more)} more are in results.json.",) if more > 0 else ()
