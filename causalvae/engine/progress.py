"""Progress, rate and remaining time of long tasks."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Progress of a task: `done` of `total` `unit` in `stage`.

    Parameters
    ----------
    stage : str
    done, total : int
    unit : str
    rate : float or None
        Recent number of units per second; None if unknown.
    left : float or None
        Estimated remaining time in seconds; None if unknown.
    """

    stage: str
    done: int
    total: int
    unit: str
    rate: float | None = None
    left: float | None = None


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """Do nothing."""


@contextmanager
def one_step(tell: OnProgress, stage: str) -> Iterator[None]:
    """Report the start and the end of a stage without countable units."""
    tell(Progress(stage, 0, 1, "steps"))
    yield
    tell(Progress(stage, 1, 1, "steps"))


# Window of the moving average in seconds, long enough to average over slow and skipped rows.
_WINDOW = 60.0
_SAMPLES = 120
# Minimum time in seconds for an estimate.
_SHORTEST = 0.5


class Pace:
    """Recent speed of work.

    Units take different times, so their costs are counted as well, to estimate the remaining time.

    Parameters
    ----------
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.samples: deque[tuple[float, int, float]] = deque([(clock(), 0, 0.0)])
        self._units = 0
        self._effort = 0.0

    def add(self, units: int, effort: float) -> None:
        """Count finished units and their cost."""
        now = self._clock()
        self._units += units
        self._effort += effort
        if now - self.samples[-1][0] >= _WINDOW / _SAMPLES:
            self.samples.append((now, self._units, self._effort))
        while len(self.samples) > 2 and now - self.samples[1][0] >= _WINDOW:
            self.samples.popleft()

    def measure(self) -> tuple[float, float] | None:
        """Units and cost per second; None if too little time has passed."""
        began, units, effort = self.samples[0]
        seconds = self._clock() - began
        if seconds < _SHORTEST:
            return None
        return (self._units - units) / seconds, (self._effort - effort) / seconds


class Counter:
    """Counts finished work of several threads and reports progress.

    Parameters
    ----------
    stage, unit : str
    total : int
        Total number of units.
    effort : float
        Total cost, in any unit.
    tell : callable
        Called with a `Progress`, never by two threads at the same time.
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
        """Count work finished by an earlier run, which does not affect the speed."""
        with self._lock:
            self._advance(units, effort)

    def __call__(self, units: int, effort: float) -> None:
        """Count finished units and their cost."""
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
