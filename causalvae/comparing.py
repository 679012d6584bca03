"""The public comparison: several networks, or data sets, under one spec, run and set beside each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from causalvae.api import run_spec
from causalvae.boundary import coded
from causalvae.comparison import Comparison, summarise
from causalvae.digest import digest
from causalvae.engine.progress import OnProgress, ignore_progress
from causalvae.errors import CausalVAEError
from causalvae.files import make_folder
from causalvae.report.write_comparison import write_comparison
from causalvae.results import Results
from causalvae.spec import load_spec, open_spec
from causalvae.spec.schema import Spec

OnSide = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CompareOutcome:
    """What `compare` gives: the comparison, its folder, and the path of each report by format."""

    comparison: Comparison
    folder: Path
    reports: dict[str, Path]

    def __repr__(self) -> str:
        return f"CompareOutcome({self.comparison!r}, folder={str(self.folder)!r})"


@dataclass(frozen=True)
class _Planned:
    name: str
    description: str
    spec: Spec
    folder: Path


@coded
def compare(
    paths: Sequence[str | Path],
    out: str | Path = "runs",
    on_progress: OnProgress | None = None,
    on_side: OnSide = lambda name, number, total: None,
) -> CompareOutcome:
    """Run the sides of a comparison and write a report of all.

    Parameters
    ----------
    paths : sequence of str or Path
        Specs. One that has ``variants`` gives a side for each of them, another is a side itself.
    out : str or Path
        Runs are kept as `causalvae.run` keeps them; the comparison lies in ``out/NAME/compare-DIGEST/``.
    on_progress : callable, optional
        Told of the progress of each run.
    on_side : callable
        Called with a side's name, its number from 1, and how many there are, before it is run.

    Raises
    ------
    SpecError
        With every fault of a spec.
    CausalVAEError
        CV460 where there are fewer than two sides or two have one name; and every other error that a user can correct.
    """
    planned = [side for path in paths for side in _plan(Path(path))]
    names = [side.name for side in planned]
    if len(planned) < 2 or len(set(names)) < len(names):
        fault = "two sides have the same name" if len(planned) > 1 else "there is only one side to a comparison"
        raise CausalVAEError(
            "CV460",
            f"{fault}: {', '.join(names) or 'none'}.",
            "Give a spec with two `variants`, or two specs of different names.",
            "variants",
        )
    runs: list[tuple[str, str, Results, Path]] = []
    for number, side in enumerate(planned, start=1):
        on_side(side.name, number, len(planned))
        outcome = run_spec(side.spec, side.folder, out, on_progress or ignore_progress)
        page = outcome.reports.get("html", outcome.folder)
        runs.append((side.name, side.description, outcome.results, page))
    title, description = _title(paths, planned)
    out = Path(out)
    folder = out / title / f"compare-{digest([side.spec.digest for side in planned])}"
    make_folder(folder, below=out)
    comparison = summarise(
        title,
        description,
        [(name, text, results, os.path.relpath(page, folder)) for name, text, results, page in runs],
    )
    return CompareOutcome(comparison, folder, write_comparison(comparison, folder))


def _plan(path: Path) -> list[_Planned]:
    spec, folder = open_spec(path)
    if not spec.variants:
        return [_Planned(spec.name, spec.description, spec, folder)]
    return [_Planned(name, section.description, spec.variant(name), folder) for name, section in spec.variants.items()]


def _title(paths: Sequence[str | Path], planned: Sequence[_Planned]) -> tuple[str, str]:
    if len(paths) == 1:
        spec = load_spec(paths[0])
        return spec.name, spec.description
    return "-and-".join(dict.fromkeys(side.spec.name for side in planned))[:100], ""
