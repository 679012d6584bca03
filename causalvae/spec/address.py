"""Component addresses: ``encoder.conv3[0:8]``, ``latent[3]``, ``decoder.**``, ``block#2``, ``$scale``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = re.compile(
    r"""^(?P<path>[A-Za-z_*][A-Za-z0-9_.*]*)
        (?:\#(?P<call>\d+))?
        (?P<pre>@pre)?
        (?:\[(?P<selector>[^\[\]]*)\])?$""",
    re.VERBOSE,
)
_ITEM = re.compile(r"^(?:(?P<index>\d+)|(?P<start>\d*):(?P<stop>\d*))$")


@dataclass(frozen=True)
class Span:
    """A half-open range of positions along one axis; an open end is None."""

    start: int | None
    stop: int | None

    def indices(self, size: int) -> tuple[int, ...]:
        """The positions within an axis of length `size`; `IndexError` if the span is empty or exceeds the axis."""
        start = 0 if self.start is None else self.start
        stop = size if self.stop is None else self.stop
        if not 0 <= start < stop <= size:
            raise IndexError(f"{start}:{stop} does not fit an axis of {size}")
        return tuple(range(start, stop))


@dataclass(frozen=True)
class Address:
    """The address of a component.

    Parameters
    ----------
    path : str
        Dotted module path; ``*`` stands for one part, ``**`` for any number; or ``latent`` and its parts.
    call : int
        Number of the call, from 1, if a module is called more than once.
    pre : bool
        Whether the value before the activation function that follows the module is meant.
    units : tuple of Span
        Positions along the first axis (units, channels); empty means all.
    window : tuple of Span
        One span for each further axis if a spatial window is given; else empty.
    """

    path: str
    call: int = 1
    pre: bool = False
    units: tuple[Span, ...] = ()
    window: tuple[Span, ...] = ()

    @property
    def is_pattern(self) -> bool:
        """Whether the path contains a wildcard."""
        return "*" in self.path


def parse_address(text: str) -> Address:
    """Parse an address.

    ``[0:8]``, ``[4, 7]`` and ``[0:2, 5]`` name units; ``[:, 8:24, 8:24]`` (a first item with an open start and end) or
    any selector after a ``;`` names a window: ``[4, 7; 8:24, 8:24]``.

    Raises
    ------
    ValueError
        If `text` is not an address.
    """
    match = _ADDRESS.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an address; write path[selector], as in encoder.conv3[0:8]")
    selector = match["selector"]
    call = int(match["call"]) if match["call"] else 1
    if call < 1:
        raise ValueError("calls count from 1")
    units: tuple[Span, ...] = ()
    window: tuple[Span, ...] = ()
    if selector is not None:
        if ";" in selector:
            first, _, rest = selector.partition(";")
            units, window = _spans(first), _spans(rest)
        else:
            spans = _spans(selector)
            if spans[0] == Span(None, None):
                units, window = (), spans[1:]
            else:
                units = spans
    return Address(match["path"], call, match["pre"] is not None, units, window)


def _spans(text: str) -> tuple[Span, ...]:
    spans = []
    for item in text.split(","):
        match = _ITEM.match(item.strip())
        if match is None:
            raise ValueError(f"{item.strip()!r} is neither an index nor a range")
        if match["index"] is not None:
            index = int(match["index"])
            spans.append(Span(index, index + 1))
        else:
            spans.append(
                Span(
                    int(match["start"]) if match["start"] else None,
                    int(match["stop"]) if match["stop"] else None,
                )
            )
    return tuple(spans)
