"""Passes that let the engine omit what no outcome depends on; each sets one of the plan's options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import record
from causalvae.plan.types import Plan


def rerun_suffixes(plan: Plan, components: ComponentMap) -> Plan:
    """Re-run from the patched nodes on, taking everything before them from the kept clean run."""
    return _switch(plan, components, "suffix", "only operations downstream of the patch run again", rerun="suffix")


def stop_at_outcomes(plan: Plan, components: ComponentMap) -> Plan:
    """Compute nothing after the last value that an attribute is measured on.

    Where every attribute is a latent, the decoder is omitted and the change of the image is not measured.
    """
    end = replace(plan, options=replace(plan.options, stop=True)).outputs[-1]
    return _switch(plan, components, "stop", f"runs end at the {end}", stop=True)


def skip_dead_rows(plan: Plan, components: ComponentMap) -> Plan:
    """Omit rows whose patched value equals the clean one: they have the clean outcome.

    How many there are is known only when the values are, so the record shows an upper bound.
    """
    return _switch(
        plan, components, "dead_rows", "at most; the run reports how many rows were dead", skip_dead_rows=True
    )


def enter_low_rank(plan: Plan, components: ComponentMap) -> Plan:
    """Compute the first linear operation after a patch of a few units as clean value plus the difference's share."""
    return _switch(plan, components, "low_rank", "patched units alone enter the next linear operation", low_rank=True)


def compute_windows(plan: Plan, components: ComponentMap) -> Plan:
    """Follow a patch of one position through convolutions, and compute only what lies in its reach.

    Builds on low-rank entry: without it nothing starts as a window.
    """
    return _switch(plan, components, "windows", "only the part of an image within the patch's reach", windows=True)


def _switch(plan: Plan, components: ComponentMap, name: str, note: str, **options: Any) -> Plan:
    after = replace(plan, options=replace(plan.options, **options))
    return replace(after, passes=(*plan.passes, record(name, plan, after, components, note)))
