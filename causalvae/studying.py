"""The public study: a grid of networks trained, analysed alike, and reported together; what is done is not redone."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from causalvae.api import TrainOutcome, run_spec, train_network
from causalvae.boundary import coded
from causalvae.comparison.summarise import measures_of
from causalvae.comparison.types import Measure
from causalvae.data.identity import digest_files
from causalvae.digest import digest
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.files import DamagedFileError, discard, make_folder, read_json, remove_stale, write_json
from causalvae.models.weights import read_weights
from causalvae.report.write_study import write_study
from causalvae.spec.disentanglement_section import DisentanglementSection
from causalvae.spec.loader import load_spec, load_study_spec
from causalvae.spec.model_section import ZooModel
from causalvae.spec.places import base_folder, locate
from causalvae.spec.schema import Spec
from causalvae.spec.study import StudySpec
from causalvae.study.cell import Cell
from causalvae.study.summary import summarise_study
from causalvae.study.types import StudyResults

OnCell = Callable[[str, int, int], None]

# Raised whenever a measure of a cell is taken in another way: what is kept of it is then no answer any more.
_CELLS = 2


@dataclass(frozen=True)
class StudyOutcome:
    """What `study` gives: the results, the study's folder, and the path of each report by format."""

    results: StudyResults
    folder: Path
    reports: dict[str, Path]

    def __repr__(self) -> str:
        return f"StudyOutcome({self.results!r}, folder={str(self.folder)!r})"


@coded
def run_study(
    path: str | Path,
    out: str | Path = "runs/study",
    on_cell: OnCell = lambda name, number, total: None,
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
    on_cell: OnCell = lambda name, number, total: None,
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
    on_cell: OnCell = lambda name, number, total: None,
    on_progress: OnProgress = ignore_progress,
) -> tuple[Cell, ...]:
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
) -> Cell:
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
        return found
    outcome = run_spec(spec, home, folder / "runs", on_progress)
    measures = measures_of(outcome.results)
    page = os.path.relpath(outcome.reports["html"], folder)
    cell = Cell(data, model, seed, measures, page)
    make_folder(kept.parent, below=folder)
    write_json({"key": key, **asdict(cell)}, kept)
    return cell


def analysis_spec(base: Spec, weights: Path, name: str, scores: DisentanglementSection | None = None) -> Spec:
    """An analysis with a trained network in place of its own, and with `scores` where it has no such section."""
    # A network that learned little belongs to a study as much as one that learned all: its report warns of it.
    model = ZooModel(source="zoo", weights=str(weights), untrained=True)
    return base.model_copy(
        update={"name": name, "model": model, "variants": {}, "disentanglement": base.disentanglement or scores}
    )


def _read(kept: Path, key: str) -> Cell | None:
    if not kept.exists():
        return None
    try:
        content = read_json(kept)
    except DamagedFileError:
        discard(kept, "the network is analysed again")
        return None
    if content.pop("key") != key:
        return None
    measures = tuple(Measure(**measure) for measure in content.pop("measures"))
    return Cell(measures=measures, **content)
