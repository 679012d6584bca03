"""Declarative causal analysis of what happens inside variational autoencoders.

The public functions are loaded when first asked for, so that importing the package, and validating a spec, loads no
heavy library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from causalvae.api import (
        TrainOutcome,
        analyse,
        compile_plan,
        execute,
        explain,
        forecast,
        measure,
        open,
        open_session,
        run,
        run_analysis,
        run_spec,
        train,
        write_report,
    )
    from causalvae.cli.progress import show_progress
    from causalvae.errors import CausalVAEError
    from causalvae.outcome import RunOutcome, load_run
    from causalvae.session import Session
    from causalvae.spec import load_spec
    from causalvae.study.running import StudyOutcome, compare, run_study
    from causalvae.trust import allow_code

_HOMES = {
    "causalvae.api": (
        "TrainOutcome",
        "analyse",
        "compile_plan",
        "execute",
        "explain",
        "forecast",
        "measure",
        "open",
        "open_session",
        "run",
        "run_analysis",
        "run_spec",
        "train",
        "write_report",
    ),
    "causalvae.cli.progress": ("show_progress",),
    "causalvae.errors": ("CausalVAEError",),
    "causalvae.outcome": ("RunOutcome", "load_run"),
    "causalvae.session": ("Session",),
    "causalvae.spec": ("load_spec",),
    "causalvae.study.running": ("StudyOutcome", "compare", "run_study"),
    "causalvae.trust": ("allow_code",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CausalVAEError",
    "RunOutcome",
    "Session",
    "StudyOutcome",
    "TrainOutcome",
    "allow_code",
    "analyse",
    "compare",
    "compile_plan",
    "execute",
    "explain",
    "forecast",
    "load_run",
    "load_spec",
    "measure",
    "open",
    "open_session",
    "run",
    "run_analysis",
    "run_spec",
    "run_study",
    "show_progress",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("causalvae")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
