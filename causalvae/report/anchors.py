"""Anchors of a page: names that can be linked, each used once."""

from __future__ import annotations

import re

_OTHER = re.compile(r"[^A-Za-z0-9_]+")
_LONGEST = 60


class Anchors:
    """Gives out anchors.

    Examples
    --------
    >>> anchors = Anchors()
    >>> anchors.take("edge", "scale", "area"), anchors.take("edge", "scale", "area")
    ('edge-scale-area', 'edge-scale-area-2')
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, *names: str) -> str:
        """An anchor made of `names` that was not given out before."""
        plain = "-".join(_OTHER.sub("-", name).strip("-") for name in names)[:_LONGEST].strip("-")
        found, number = plain, 1
        while found in self._taken:
            number += 1
            found = f"{plain}-{number}"
        self._taken.add(found)
        return found
