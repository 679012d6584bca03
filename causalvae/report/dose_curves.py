"""What setting a latent does to an attribute, as a curve over the values that it is set to."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from causalvae.report.numbers import format_number, format_signed
from causalvae.report.svg import drawing, element, shorten
from causalvae.results import DoseResponse

_WIDTH, _LEFT, _TOP, _BASE = 150.0, 4.0, 20.0, 74.0


def draw_curve(values: Sequence[float], response: DoseResponse, limits: tuple[float, float]) -> Markup | None:
    """The mean change over samples, and the band in which the changes of all of them are.

    Parameters
    ----------
    values : sequence of float
        What the latent is set to, from left to right.
    response : DoseResponse
    limits : (float, float)
        Ends of the axis of changes: the same for all latents, so that curves can be compared.

    Returns
    -------
    Markup or None
        None where fewer than two values are known.
    """
    known = [place for place, change in enumerate(response.mean) if math.isfinite(change)]
    if len(known) < 2:
        return None
    first, last = values[0], values[-1]
    low, high = limits

    def x(place: int) -> float:
        share = (values[place] - first) / (last - first) if last > first else place / (len(values) - 1)
        return _LEFT + share * (_WIDTH - 2 * _LEFT)

    def y(change: float) -> float:
        return _BASE - (change - low) / ((high - low) or 1.0) * (_BASE - _TOP)

    upper = [f"{x(place):.1f} {y(response.highest[place]):.1f}" for place in known]
    lower = [f"{x(place):.1f} {y(response.lowest[place]):.1f}" for place in reversed(known)]
    line = [f"{x(place):.1f} {y(response.mean[place]):.1f}" for place in known]
    start, end = response.mean[known[0]], response.mean[known[-1]]
    name = f"{response.attribute} ({response.unit})" if response.unit else response.attribute
    words = curve_words(values, response)
    parts = [
        element("text", element("title", name), shorten(name, 25), x=_LEFT, y=11.0, class_="row-label"),
        element("path", d=f"M{'L'.join([*upper, *lower])}Z", class_="curve-band"),
        element("line", x1=_LEFT, x2=_WIDTH - _LEFT, y1=y(0.0), y2=y(0.0), class_="axis"),
        element("path", d=f"M{'L'.join(line)}", class_="curve-line"),
        element("text", format_signed(start, 2), x=_LEFT, y=_BASE + 13, class_="tick"),
        element("text", format_signed(end, 2), x=_WIDTH - _LEFT, y=_BASE + 13, text_anchor="end", class_="tick"),
    ]  # fmt: skip
    return drawing(_WIDTH, _BASE + 18, words, *parts, class_="drawing curve")


def curve_words(values: Sequence[float], response: DoseResponse) -> str:
    """The ends of a curve in words."""
    unit = f" {response.unit}" if response.unit else ""
    ends = " to ".join(
        f"{format_signed(response.mean[place])}{unit} at {format_number(values[place])}" for place in (0, -1)
    )
    return f"{response.attribute}: {ends}"


def shared_limits(responses: Sequence[DoseResponse]) -> tuple[float, float]:
    """The lowest and the highest change of curves of one attribute, zero among them."""
    found = [change for item in responses for change in (*item.lowest, *item.highest) if math.isfinite(change)]
    return min(found, default=0.0), max(found, default=0.0)


def reach(response: DoseResponse) -> float:
    """The largest mean change of a curve, without its sign."""
    return max((abs(change) for change in response.mean if math.isfinite(change)), default=0.0)
