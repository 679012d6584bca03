"""The public study and comparison: networks run alike and reported together.

A study trains a grid of networks first, and does not do again what is done; a comparison is given its networks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from causalvae.api import TrainOutcome, run_spec, train_network
from causalvae.boundary import coded
from causalvae.data.identity import digest_files
from causalvae.digest import digest
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.errors import CausalVAEError
from causalvae.files import DamagedFileError, discard, make_folder, read_json, remove_stale, write_json
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.weights import read_weights
from causalvae.spec.analysis import Analysis
from causalvae.spec.loader import load_spec, load_study_spec, open_spec
from causalvae.spec.measures import MeasureName
from causalvae.spec.places import base_folder, locate
from causalvae.spec.schema import Spec
from causalvae.spec.study import StudySpec
from causalvae.study.measures import measures_of
from causalvae.study.summary import summarise_comparison, summarise_study
from causalvae.study.types import Measure, StudyResults, StudyRun
from causalvae.study.write import write_study

OnRun = Callable[[str, int, int], None]

# Raised whenever a measure is taken in another way or kept in another format: what was kept is then no answer any more.
_CELLS = 3


@dataclass(frozen=True)
class StudyOutcome:
    """The outcome of `run_study` and `compare`: the results, their folder, and the path of each report by format."""

    results: StudyResults
    folder: Path
    reports: dict[str, Path]

    def __repr__(self) -> str:
        return f"StudyOutcome({self.results!r}, folder={str(self.folder)!r})"


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
    on_side: OnRun = lambda name, number, total: None,
) -> StudyOutcome:
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
    title, description = _title(paths, planned)
    out = Path(out)
    folder = out / title / f"compare-{digest([side.spec.digest for side in planned])}"
    runs = []
    for number, side in enumerate(planned, start=1):
        on_side(side.name, number, len(planned))
        outcome = run_spec(side.spec, side.folder, out, on_progress or ignore_progress)
        page = os.path.relpath(outcome.reports.get("html", outcome.folder), folder)
        measures = measures_of(outcome.results)
        runs.append(StudyRun(side.name, "", measures, page, side.description, results=outcome.results))
    make_folder(folder, below=out)
    results = summarise_comparison(title, description, runs)
    return StudyOutcome(results, folder, write_study(results, folder))


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


@coded
def run_study(
    path: str | Path,
    out: str | Path = "runs/study",
    on_cell: OnRun = lambda name, number, total: None,
    on_progress: OnProgress = ignore_progress,
) -> StudyOutcome:
    """Train and analyse a grid of networks; whatever `out` already holds of it is not done again.

    Parameters
    ----------
    path : str or Path
        The study spec.
    out : str or Path
        Takes ``NAME/``: weights, runs, cells and reports.
    on_cell : callable
        Told what is done next, its number from 1 and how many there are.
    on_progress : callable
        Told of the progress of each training and run.

    Raises
    ------
    SpecError
        With every fault of the study spec or of an analysis.
    CausalVAEError
        For every other error that a user can correct.
    """
    spec = load_study_spec(path)
    out = Path(out)
    base, folder = Path(path).parent, out / spec.name
    make_folder(folder, below=out)
    remove_stale(folder)
    train_cells(spec, folder, base, on_cell, on_progress)
    results = summarise_study(spec, analyse_cells(spec, folder, base, on_cell, on_progress))
    return StudyOutcome(results, folder, write_study(results, folder))


def train_cells(
    study: StudySpec,
    folder: Path,
    base: Path,
    on_cell: OnRun = lambda name, number, total: None,
    on_progress: OnProgress = ignore_progress,
) -> None:
    """Train every network that has no weights yet; one that was stopped goes on.

    Parameters
    ----------
    study : StudySpec
    folder : Path
        Weights lie in ``weights/DATA-MODEL-SEED``.
    base : Path
        The study file's folder: relative paths start here.
    """
    for number, (data, model, seed) in enumerate(study.cells, start=1):
        spec = study.train_spec(data, model, seed)
        place = _place(folder, spec.name)
        on_cell(f"training {spec.name}", number, len(study.cells))
        if (place / f"{spec.name}.safetensors").exists():
            continue

        def tell(progress: object, name: str = spec.name) -> None:
            on_progress(Progress(f"training {name}", progress.step, progress.steps, "steps"))  # type: ignore[attr-defined]

        make_folder(place, below=folder)
        outcome: TrainOutcome = train_network(spec, place, base, tell)
        # A checkpoint is several times as large as the weights, and has served.
        outcome.weights.with_name("checkpoint.pt").unlink(missing_ok=True)


def _place(folder: Path, name: str) -> Path:
    return folder / "weights" / name


def analyse_cells(
    study: StudySpec,
    folder: Path,
    base: Path,
    on_cell: OnRun = lambda name, number, total: None,
    on_progress: OnProgress = ignore_progress,
) -> tuple[StudyRun, ...]:
    """Run the analysis of each network's data on it, and score it; every network must have been trained.

    What is found of a network is kept in ``cells/DATA-MODEL-SEED.json`` and read from there the next time, unless the
    analysis, which holds the scores' settings, the content of its data files or the weights have changed.
    """
    cells = []
    for number, (data, model, seed) in enumerate(study.cells, start=1):
        name = study.train_spec(data, model, seed).name
        on_cell(f"analysing {name}", number, len(study.cells))
        cells.append(_analyse(study, data, model, seed, folder, base, on_progress))
    return tuple(cells)


def _analyse(
    study: StudySpec, data: str, model: str, seed: int, folder: Path, base: Path, on_progress: OnProgress
) -> StudyRun:
    name = study.train_spec(data, model, seed).name
    path = base / study.data[data].analysis
    weights = (_place(folder, name) / f"{name}.safetensors").resolve()
    analysis = load_spec(path)
    spec = analysis_spec(analysis, weights, name, study.scores)
    kept = folder / "cells" / f"{name}.json"
    home = base_folder(path.parent, analysis.base)
    files = digest_files(locate(home, file) for file in spec.data.files)
    key = digest([_CELLS, spec.digest, read_weights(str(weights), folder).digest, files])
    found = _read(kept, key)
    if found is not None:
        measures, page = found
        return StudyRun(name, data, measures, page, model=model, seed=seed)
    outcome = run_spec(spec, home, folder / "runs", on_progress)
    measures = measures_of(outcome.results)
    page = os.path.relpath(outcome.reports["html"], folder)
    make_folder(kept.parent, below=folder)
    write_json({"key": key, "measures": [asdict(measure) for measure in measures], "report": page}, kept)
    return StudyRun(name, data, measures, page, model=model, seed=seed)


def analysis_spec(base: Spec, weights: Path, name: str, scores: Analysis | None = None) -> Spec:
    """An analysis with a trained network in place of its own, and with `scores` where it has no such section."""
    # A network that learned little belongs to a study as much as one that learned all: its report warns of it.
    model = ZooModel(source="zoo", weights=str(weights), untrained=True)
    scoring = {} if scores is None or scores.kind in base.analyses else {scores.kind: scores}
    return base.model_copy(update={"name": name, "model": model, "variants": {}, **scoring})


def _read(kept: Path, key: str) -> tuple[tuple[Measure, ...], str] | None:
    """The measures and the report's path that were kept for `key`."""
    if not kept.exists():
        return None
    try:
        content = read_json(kept)
    except DamagedFileError:
        discard(kept, "the network is analysed again")
        return None
    if content["key"] != key:
        return None
    measures = (Measure(**{**measure, "name": MeasureName(measure["name"])}) for measure in content["measures"])
    return tuple(measures), content["report"]
