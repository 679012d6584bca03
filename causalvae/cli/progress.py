"""Progress on stderr: bars with a rate and the time left in a terminal, a line a stage elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from causalvae.cli.console import clean, stderr


class Step(Protocol):
    """How far a stage has come; `causalvae.engine.progress.Progress` is one."""

    @property
    def stage(self) -> str:
        """What is being done."""

    @property
    def done(self) -> int:
        """Units done."""

    @property
    def total(self) -> int:
        """Units in all."""

    @property
    def unit(self) -> str:
        """What is counted."""


class RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        """The rate, or nothing before it is known."""
        speed = task.finished_speed or task.speed
        return Text(f"{format_rate(speed)} {task.fields['unit']}/s" if speed else "", style="dim")


def format_rate(rate: float) -> str:
    """A rate with two or three digits."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


class _Bars:
    """Bars on a console, alive only between entering and leaving, and only in a terminal."""

    def __init__(self, words: ProgressColumn, quiet: bool, console: Console | None) -> None:
        self._quiet = quiet
        self._console = console or stderr()
        self._live = self._console.is_terminal and not quiet
        self._bars = Progress(
            words,
            BarColumn(bar_width=None),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            RateColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
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
    """Shows the stages of a run as they are told; use it as a context manager and pass `tell` on.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    console : Console, optional
        stderr where omitted.
    """

    def __init__(self, quiet: bool = False, console: Console | None = None) -> None:
        super().__init__(TextColumn("{task.description:<22.22}"), quiet, console)
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._finished: set[str] = set()

    def tell(self, step: Step) -> None:
        """Show how far a stage has come."""
        self.show(step.stage, step.done, step.total, step.unit)

    def show(self, stage: str, done: int, total: int, unit: str, detail: str = "") -> None:
        """Show how far `stage` has come, with `detail` beside its name."""
        if self._quiet:
            return
        if self._live:
            self._show_bar(stage, done, total, unit, detail)
        elif stage not in self._finished:
            self._show_line(stage, done, total, unit, detail)

    def _show_bar(self, stage: str, done: int, total: int, unit: str, detail: str) -> None:
        words = clean(f"{stage} {detail}".strip())
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(words, total=total, unit=unit)
        self._bars.update(self._tasks[stage], completed=done, total=total, description=words)

    def _show_line(self, stage: str, done: int, total: int, unit: str, detail: str) -> None:
        """One line when a stage is done: a log is no place for a moving bar."""
        now = time.perf_counter()
        began = self._began.setdefault(stage, now)
        if done >= total:
            self._finished.add(stage)
            seconds = now - began
            counted = f"{total:,} {unit} in " if total > 1 else ""
            rate = f", {format_rate(done / seconds)} {unit}/s" if seconds > 0.5 and total > 1 else ""
            words = f"{stage}: {counted}{seconds:.1f} s{rate}"
            self._console.print(clean(f"{words} {detail}".strip()), soft_wrap=True)


class TrainingView(_Bars):
    """Shows a training run: steps, rate, time left and the terms of the loss.

    In a log it prints a line at each twentieth of the way.
    """

    def __init__(self, quiet: bool = False, console: Console | None = None) -> None:
        super().__init__(TextColumn("{task.fields[terms]}", style="dim"), quiet, console)
        self._task: TaskID | None = None
        self._shown = -1

    def tell(self, step: TrainingStep) -> None:
        """Show a step."""
        if self._quiet:
            return
        terms = "  ".join(f"{clean(name)} {value:.4g}" for name, value in step.terms.items())
        if self._live:
            if self._task is None:
                # A resumed run starts in the middle: the bar's rate must not count the steps of earlier runs.
                self._task = self._bars.add_task("", total=step.steps, completed=step.step, unit="steps", terms=terms)
            self._bars.update(self._task, completed=step.step, terms=terms)
            return
        twentieth = step.step * 20 // max(step.steps, 1)
        if twentieth > self._shown:
            self._shown = twentieth
            left = (step.steps - step.step) / step.rate if step.rate else 0.0
            self._console.print(
                f"step {step.step:,}/{step.steps:,}  {terms}  {format_rate(step.rate)} steps/s  "
                f"{format_seconds(left)} left",
                soft_wrap=True,
            )


class TrainingStep(Protocol):
    """A step of training; `causalvae.training.loop.TrainProgress` is one."""

    @property
    def step(self) -> int:
        """Steps done."""

    @property
    def steps(self) -> int:
        """Steps in all."""

    @property
    def rate(self) -> float:
        """Steps a second."""

    @property
    def terms(self) -> dict[str, float]:
        """The terms of the loss."""


def format_seconds(seconds: float) -> str:
    """A duration as hours, minutes and seconds, the two largest of them."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{rest} s"
