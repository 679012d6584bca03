"""Progress on stderr: bars in a terminal, one line per stage in logs."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType, TracebackType
from typing import Any, Literal, Protocol, Self

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from causalvae.cli.console import clean, stderr
from causalvae.collector import uncollected

# Seconds between lines of a long stage in a log.
_LOG_SECONDS = 60.0
# In a log, a stage is announced after `_FIRST_SECONDS`; an uncounted one shorter than `_SHORTEST` is omitted.
_FIRST_SECONDS = 2.0
_SHORTEST = 0.1


class Step(Protocol):
    """Progress of a stage; implemented by `causalvae.engine.progress.Progress`."""

    @property
    def stage(self) -> str:
        """Name of the stage."""

    @property
    def done(self) -> int:
        """Number of finished units."""

    @property
    def total(self) -> int:
        """Total number of units."""

    @property
    def unit(self) -> str:
        """Name of the units."""

    @property
    def rate(self) -> float | None:
        """Recent number of units per second; None to derive it from `done`."""

    @property
    def left(self) -> float | None:
        """Remaining time in seconds; None to derive it from `done`."""


class RateColumn(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        """The recent rate, or the average rate of a finished stage; empty if unknown."""
        speed = task.finished_speed or task.fields.get("rate") or task.speed
        return Text(f"{format_rate(speed)} {task.fields['unit']}/s" if speed else "", style="dim")


class TimeColumn(ProgressColumn):
    """Remaining time, or duration of a finished stage."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Text such as `1 min 15 s left`; the elapsed time if the remaining time is unknown."""
        if task.finished:
            return Text(f"{format_seconds(task.finished_time or 0.0)}", style="progress.elapsed")
        left = task.fields.get("left")
        left = task.time_remaining if left is None else left
        if left is None:
            # The elapsed time shows that an uncountable stage is active.
            elapsed = task.elapsed or 0.0
            return Text(format_seconds(elapsed) if elapsed >= 1 else "", style="progress.elapsed")
        return Text(f"{format_seconds(left)} left", style="progress.remaining")


class CountColumn(ProgressColumn):
    """Finished and total units."""

    def render(self, task: Task) -> Text:
        """Text such as `12,345/60,000`."""
        total = "?" if task.total is None else format_count(task.total)
        return Text(f"{format_count(task.completed)}/{total}", style="progress.download")


def format_count(count: float) -> str:
    """A whole number, millions as `1.23M` to save space."""
    if count < 1e6:
        return f"{count:,.0f}"
    scaled, unit = (count / 1e6, "M") if count < 1e9 else (count / 1e9, "G")
    return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{unit}"


def format_rate(rate: float) -> str:
    """A rate with two or three digits."""
    return format_count(rate) if rate >= 10 else f"{rate:.2g}"


def _narrow(justify: Literal["left", "right"]) -> Column:
    return Column(no_wrap=True, justify=justify)


class _Bars:
    """Progress bars within a context, shown only in a terminal."""

    def __init__(
        self, words: ProgressColumn, quiet: bool, console: Console | None, kind: type[Progress] = Progress
    ) -> None:
        self._quiet = quiet
        self._console = console or stderr()
        # In a notebook, rich redraws bars with a widget, and prints them again and again without one.
        redrawn = self._console.is_jupyter and find_spec("ipywidgets") is not None
        self._live = (self._console.is_terminal or redrawn) and not quiet
        self._bars = kind(
            words,
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            CountColumn(_narrow("right")),
            RateColumn(_narrow("right")),
            TimeColumn(_narrow("right")),
            console=self._console,
            disable=not self._live,
        )

    def __enter__(self) -> Self:
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._bars.stop()


class ProgressView(_Bars):
    """Shows the stages of a run; a context manager whose `tell` is passed as `on_progress`.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    console : Console, optional
        stderr if omitted.
    """

    def __init__(self, quiet: bool = False, console: Console | None = None) -> None:
        super().__init__(TextColumn("{task.description}", table_column=_narrow("left")), quiet, console)
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._finished: set[str] = set()
        self._waiting: dict[str, threading.Timer] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for timer in self._waiting.values():
            timer.cancel()
        super().__exit__(kind, error, traceback)

    def tell(self, step: Step) -> None:
        """Show the progress of a stage."""
        self.show(step.stage, step.done, step.total, step.unit, step.rate, step.left)

    def announce(self, title: str) -> None:
        """Print a title before the stages of another run."""
        for task in self._tasks.values():
            self._bars.remove_task(task)
        self._tasks.clear()
        for held in (self._began, self._told):
            held.clear()
        self._finished.clear()
        if not self._quiet:
            (self._bars.console if self._live else self._console).print(Text(clean(title), style="bold"))

    def show(
        self,
        stage: str,
        done: int,
        total: int,
        unit: str,
        rate: float | None = None,
        left: float | None = None,
    ) -> None:
        """Show the progress of `stage`; see `Step`."""
        if self._quiet:
            return
        if self._live:
            self._show_bar(stage, done, total, unit, rate, left)
        elif stage not in self._finished:
            self._show_line(stage, done, total, unit, rate, left)

    def _show_bar(self, stage: str, done: int, total: int, unit: str, rate: float | None, left: float | None) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(clean(stage), total=total, unit=unit)
        self._bars.update(self._tasks[stage], completed=done, total=total, rate=rate, left=left)

    def _show_line(self, stage: str, done: int, total: int, unit: str, rate: float | None, left: float | None) -> None:
        """Print a line when a stage ends, after two seconds, and every minute."""
        now = time.perf_counter()
        if stage not in self._began and done < total:
            timer = threading.Timer(_FIRST_SECONDS, self._console.print, (clean(f"{stage} ..."),), {"soft_wrap": True})
            timer.daemon = True
            self._waiting[stage] = timer
            timer.start()
        began = self._began.setdefault(stage, now)
        told = self._told.setdefault(stage, now)
        if done >= total:
            self._finished.add(stage)
            if stage in self._waiting:
                self._waiting.pop(stage).cancel()
            seconds = now - began
            if seconds < _SHORTEST and total == 1:
                return
            counted = f"{total:,} {unit} in " if total > 1 else ""
            speed = f", {format_rate(done / seconds)} {unit}/s" if seconds > 0.5 and total > 1 else ""
            self._console.print(clean(f"{stage}: {counted}{seconds:.1f} s{speed}"), soft_wrap=True)
        elif now - told >= _LOG_SECONDS and rate is not None and left is not None:
            self._told[stage] = now
            words = f"{stage}: {done:,}/{total:,} {unit}, {format_rate(rate)} {unit}/s, {format_seconds(left)} left"
            self._console.print(clean(words), soft_wrap=True)


@contextmanager
def show_progress() -> Iterator[Callable[[Step], None]]:
    """Show the progress of functions of this package that take `on_progress`.

    Bars in a terminal, and in a notebook if ipywidgets is installed; otherwise a line for each stage that ends.

    Yields
    ------
    callable
        To be passed as `on_progress`.

    Examples
    --------
    >>> import causalvae
    >>> with causalvae.show_progress() as on_progress:
    ...     session = causalvae.open("specs/compiled_or.yaml", on_progress)
    """
    with ProgressView() as view:
        yield view.tell


def load_libraries(view: ProgressView) -> ModuleType:
    """Import the package and show the progress, since torch and DoWhy take seconds to import."""
    view.show("loading libraries", 0, 1, "steps")
    with uncollected():
        package = import_module("causalvae")
        import_module("causalvae.study.running")
    # Later collections then skip the objects of the libraries.
    gc.freeze()
    view.show("loading libraries", 1, 1, "steps")
    return package


class _BarAboveTerms(Progress):
    """A bar with the terms of the loss below it."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, then the terms."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            for line in fold_items(task.fields["terms"], self.console.width):
                yield Text(line, style="dim", no_wrap=True)


def name_terms(terms: Mapping[str, float]) -> list[str]:
    """Each term of a loss as `name value`, the loss first."""
    order = sorted(terms, key=lambda name: name != "loss")
    return [f"{clean(name)} {terms[name]:.4g}" for name in order]


def fold_items(items: Iterable[str], width: int) -> list[str]:
    """Join items, separated by two spaces, to lines of at most `width` columns; items are never broken."""
    lines: list[str] = []
    for item in items:
        if lines and cell_len(lines[-1]) + 2 + cell_len(item) <= width:
            lines[-1] += f"  {item}"
        else:
            lines.append(item)
    return lines


class TrainingView(_Bars):
    """Shows a training run: steps, rate, remaining time and the terms of the loss.

    In a log it prints a line after every 5 % of the steps.
    """

    def __init__(self, quiet: bool = False, console: Console | None = None) -> None:
        words = TextColumn("training", table_column=_narrow("left"))
        super().__init__(words, quiet, console, _BarAboveTerms)
        self._task: TaskID | None = None
        self._shown = -1

    def tell(self, step: TrainingStep) -> None:
        """Show a step."""
        if self._quiet:
            return
        terms = name_terms(step.terms)
        # The rate of a resumed run does not include the steps of earlier runs.
        left = (step.steps - step.step) / step.rate if step.rate else None
        if self._live:
            told: dict[str, Any] = {"terms": terms, "rate": step.rate, "left": left}
            if self._task is None:
                self._task = self._bars.add_task("", total=step.steps, completed=step.step, unit="steps", **told)
            self._bars.update(self._task, completed=step.step, **told)
            return
        twentieth = step.step * 20 // max(step.steps, 1)
        if twentieth > self._shown:
            self._shown = twentieth
            self._console.print(
                f"step {step.step:,}/{step.steps:,}  {'  '.join(terms)}  {format_rate(step.rate)} steps/s  "
                f"{format_seconds(left or 0.0)} left",
                soft_wrap=True,
            )


class TrainingStep(Protocol):
    """A step of training; implemented by `causalvae.training.loop.TrainProgress`."""

    @property
    def step(self) -> int:
        """Number of finished steps."""

    @property
    def steps(self) -> int:
        """Total number of steps."""

    @property
    def rate(self) -> float:
        """Steps per second."""

    @property
    def terms(self) -> dict[str, float]:
        """The terms of the loss."""


def format_seconds(seconds: float) -> str:
    """A duration in hours, minutes and seconds; only the two largest units."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{rest} s"
