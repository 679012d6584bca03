"""Pauses Python's garbage collector while libraries are imported or a network is traced."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the search for cycles of objects that refer to each other.

    Imports and traces make some 100,000 objects that all remain. Each search goes through all of them and finds little;
    in a short run these searches took a second.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
