"""How far long work has come, how fast it goes and how long it will still take."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A step of long work: `done` of `total` `unit` in `stage`.

    Parameters
    ----------
    stage : str
    done, total : int
    unit : str
    rate : float or None
        Units a second over the last while; None where it is not known.
    left : float or None
        Seconds that the rest will take at the pace of the last while; None where it is not known.
    """

    stage: str
    done: int
    total: int
    unit: str
    rate: float | None = None
    left: float | None = None


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """Report to nobody."""


@contextmanager
def one_step(tell: OnProgress, stage: str) -> Iterator[None]:
    """Report a stage that cannot be counted: that it began, and that it is done."""
    tell(Progress(stage, 0, 1, "steps"))
    yield
    tell(Progress(stage, 1, 1, "steps"))


# Seconds over which the pace is taken: long enough to level out what takes long and what is left out at once.
_WINDOW = 60.0
_SAMPLES = 120
# A pace over less than this is no pace yet.
_SHORTEST = 0.5


class Pace:
    """How fast work has gone over the last while.

    Units take unlike time, so beside the units their effort is counted, and the time left is told by the effort.

    Parameters
    ----------
    clock : callable
        Seconds from some moment on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.samples: deque[tuple[float, int, float]] = deque([(clock(), 0, 0.0)])
        self._units = 0
        self._effort = 0.0

    def add(self, units: int, effort: float) -> None:
        """Count work that was just finished."""
        now = self._clock()
        self._units += units
        self._effort += effort
        if now - self.samples[-1][0] >= _WINDOW / _SAMPLES:
            self.samples.append((now, self._units, self._effort))
        while len(self.samples) > 2 and now - self.samples[1][0] >= _WINDOW:
            self.samples.popleft()

    def measure(self) -> tuple[float, float] | None:
        """Units and effort a second; None where too little time has gone by."""
        began, units, effort = self.samples[0]
        seconds = self._clock() - began
        if seconds < _SHORTEST:
            return None
        return (self._units - units) / seconds, (self._effort - effort) / seconds


class Counter:
    """Counts finished work over threads and tells how far it has come.

    Parameters
    ----------
    stage, unit : str
    total : int
        Units in all.
    effort : float
        Effort in all, in whatever unit.
    tell : callable
        Never called by two threads at once.
    clock : callable
    """

    def __init__(
        self,
        stage: str,
        unit: str,
        total: int,
        effort: float,
        tell: OnProgress,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stage = stage
        self._unit = unit
        self._total = total
        self._effort = effort
        self._tell = tell
        self.pace = Pace(clock)
        self._done = 0
        self._spent = 0.0
        self._lock = threading.Lock()

    def skip(self, units: int, effort: float) -> None:
        """Count what an earlier run has finished: it says nothing of how fast this one is."""
        with self._lock:
            self._advance(units, effort)

    def __call__(self, units: int, effort: float) -> None:
        """Count what was just finished."""
        with self._lock:
            self.pace.add(units, effort)
            self._advance(units, effort)

    def _advance(self, units: int, effort: float) -> None:
        self._done += units
        self._spent += effort
        rate = left = None
        measured = self.pace.measure()
        if measured is not None and measured[1] > 0:
            rate = measured[0]
            left = max(0.0, self._effort - self._spent) / measured[1]
        self._tell(Progress(self._stage, self._done, self._total, self._unit, rate, left))
