"""Targets of patches from their labels."""

from __future__ import annotations

import re

from causalvae.models.components import ComponentRef
from causalvae.plan.targets import ComponentSet

_UNITS = re.compile(r"(?P<site>[^\[]+)\[(?P<units>\d+(, \d+)*)\]")


def target(label: str) -> ComponentSet:
    """What ``latent[3] + encoder.lin1`` names: single units and whole sites; nothing for an empty label."""
    return ComponentSet(tuple(_component(part) for part in label.split(" + ") if part))


def _component(label: str) -> ComponentRef:
    found = _UNITS.fullmatch(label)
    if found is None:
        return ComponentRef(label)
    return ComponentRef(found["site"], tuple(int(unit) for unit in found["units"].split(", ")))
