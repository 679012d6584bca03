"""Latent traversals: what one latent does to one sample as pictures, and to attributes over a few samples as curves."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from causalvae.effects.outcomes import ROUNDING
from causalvae.report.blocks import Block, Prose, Section, Strip, Strips
from causalvae.report.dose_curves import draw_curve, reach, shared_limits
from causalvae.report.numbers import format_count, format_number, quantile_label
from causalvae.results import Results, TraversalStrip
from causalvae.spec.picture import Datum, LabelledDatum, OutputFacts, picture_of

# Curves of one latent: the attributes that it moves most.
_MOST_CURVES: Final = 6


def traversal_section(results: Results) -> Section | None:
    """All latents with pictures, numbers or curves, the strongest first; None where there are none."""
    strips = sorted(results.traversals, key=lambda strip: -strip.strength)
    idle = [strip for strip in strips if strip.samples and strip.strength <= ROUNDING * strips[0].strength]
    drawn = [strip for strip in strips if strip not in idle and (strip.images or strip.numbers or strip.responses)]
    if not drawn:
        return None
    limits = _limits(results)
    facts = OutputFacts() if results.pictures is None else results.pictures.facts
    blocks: list[Block] = [Strips(tuple(_strip(strip, results, limits, facts) for strip in drawn))]
    plain = sum(not (strip.images or strip.numbers) for strip in drawn)
    if 0 < plain < len(drawn):
        blocks.append(Prose(f"Latents without pictures, so that the page stays small: {format_count(plain)}."))
    if idle:
        blocks.append(Prose(f"Latents that change nothing: {', '.join(map(_label, idle))}."))
    if hidden := len(strips) - len(drawn) - len(idle):
        blocks.append(Prose(f"Latents that change less and are not shown: {format_count(hidden)}."))
    return Section("traversals", "Latent traversals", _lead(drawn), tuple(blocks))


def _lead(drawn: list[TraversalStrip]) -> str:
    lead = (
        "One sample decoded with a single latent set to quantiles of the values that it takes over the data (q50 is "
        "its median), the others held. A disentangled latent changes one thing from left to right. Select a strip to "
        "enlarge it."
    )
    samples = max(strip.samples for strip in drawn)
    if any(strip.responses for strip in drawn):
        lead += (
            f" Curves: how an attribute changes from what it is at the latent's median, mean and band of "
            f"{format_count(samples)} sample{'s' if samples > 1 else ''}; an attribute has one axis for all latents."
        )
    if any(len(strip.responses) > _MOST_CURVES for strip in drawn):
        lead += f" Of each latent, the {_MOST_CURVES} attributes that it moves most."
    return lead


def _limits(results: Results) -> Mapping[str, tuple[float, float]]:
    names = dict.fromkeys(response.attribute for strip in results.traversals for response in strip.responses)
    return {
        name: shared_limits(
            [item for strip in results.traversals for item in strip.responses if item.attribute == name]
        )
        for name in names
    }


def _strip(
    strip: TraversalStrip, results: Results, limits: Mapping[str, tuple[float, float]], facts: OutputFacts
) -> Strip:
    label = _label(strip)
    frames = tuple(
        (quantile_label(quantile), image if _is_base64(image) else "")
        for quantile, image in zip(strip.quantiles, strip.images, strict=False)
        if image
    )
    share = {item.attribute: reach(item) / (max(map(abs, limits[item.attribute])) or 1.0) for item in strip.responses}
    most = sorted(strip.responses, key=lambda item: -share[item.attribute])[:_MOST_CURVES]
    curves = [draw_curve(strip.values, item, limits[item.attribute]) for item in strip.responses if item in most]
    text = f"changes {results.whole.name} by {format_number(strip.strength)} {results.whole.length}"
    return Strip(
        label, frames, text if strip.samples else "", _steps(strip, label, facts),
        tuple(curve for curve in curves if curve is not None),
    )  # fmt: skip


def _label(strip: TraversalStrip) -> str:
    return strip.label or f"latent[{strip.latent}]"


def _steps(strip: TraversalStrip, label: str, facts: OutputFacts) -> Markup | None:
    if not strip.numbers:
        return None
    names = [quantile_label(quantile) for quantile in strip.quantiles]
    shown = [
        LabelledDatum(name, f"{label} at {name}", Datum(numbers=numbers))
        for name, numbers in zip(names, strip.numbers, strict=True)
        if numbers
    ]
    return picture_of(facts).draw(shown, facts)


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
