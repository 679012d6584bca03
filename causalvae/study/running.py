"""The public functions `run_study` and `compare`.

A study trains a grid of networks first and reuses finished parts; a comparison uses given networks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from causalvae.api import run_spec, train_network
from causalvae.boundary import coded
from causalvae.data.identity import digest_files
from causalvae.digest import digest
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.errors import CausalVAEError
from causalvae.files import DamagedFileError, discard, make_folder, read_json, remove_stale, write_json
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.weights import read_weights
from causalvae.spec.analysis import Analysis
from causalvae.spec.loader import Point, load_spec, load_study_spec, open_whole
from causalvae.spec.measures import MeasureName
from causalvae.spec.origins import Origins
from causalvae.spec.places import base_folder, locate
from causalvae.spec.schema import Spec
from causalvae.spec.study import StudySpec
from causalvae.study.measures import measures_of
from causalvae.study.summary import summarise_comparison, summarise_study
from causalvae.study.types import Measure, StudyResults, StudyRun
from causalvae.study.write import write_study

OnRun = Callable[[str, int, int], None]

# Version of stored measures, to be increased if their definition or format changes.
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
    origins: Origins


@coded
def compare(
    paths: Sequence[str | Path],
    out: str | Path = "runs",
    on_progress: OnProgress | None = None,
    on_side: OnRun = lambda name, number, total: None,
    settings: Sequence[str] = (),
) -> StudyOutcome:
    """Run the sides of a comparison and write a common report.

    Parameters
    ----------
    paths : sequence of str or Path
        Specs. Each variant of a spec with ``variants`` is a side, and each point of a ``grid``; any other spec is one
        side.
    out : str or Path
        Folder of runs, as for `causalvae.run`; the comparison is written to ``out/NAME/compare-DIGEST/``.
    on_progress : callable, optional
        Called with the progress of each run.
    on_side : callable
        Called before each side with its name, its number from 1, and the number of sides.
    settings : sequence of str
        Values to set in each spec, each as ``KEY=VALUE``.

    Raises
    ------
    SpecError
        If a spec is invalid.
    CausalVAEError
        CV460 if there are fewer than two sides or two have the same name; and any error of a run.

    Examples
    --------
    >>> import causalvae
    >>> compared = causalvae.compare(["specs/compiled_comparison.yaml"])
    >>> compared.results
    StudyResults('compiled-comparison': 2 runs)
    >>> sorted(compared.reports)
    ['csv', 'html', 'json', 'markdown']
    """
    planned = [side for path in paths for side in _plan(Path(path), settings)]
    names = [side.name for side in planned]
    if len(planned) < 2 or len(set(names)) < len(names):
        fault = "two sides have the same name" if len(planned) > 1 else "there is only one side to a comparison"
        raise CausalVAEError(
            "CV460",
            f"{fault}: {', '.join(names) or 'none'}.",
            "Give a spec with two `variants` or with a `grid`, or two specs of different names.",
            "variants",
        )
    title, description = _title(paths, planned, settings)
    out = Path(out)
    folder = out / title / f"compare-{digest([side.spec.digest for side in planned])}"
    runs = []
    for number, side in enumerate(planned, start=1):
        on_side(side.name, number, len(planned))
        outcome = run_spec(side.spec, side.folder, out, on_progress or ignore_progress, side.origins)
        page = os.path.relpath(outcome.reports.get("html", outcome.folder), folder)
        measures = measures_of(outcome.results)
        runs.append(StudyRun(side.name, "", measures, page, side.description, results=outcome.results))
    make_folder(folder, below=out)
    results = summarise_comparison(title, description, runs)
    return StudyOutcome(results, folder, write_study(results, folder))


def _plan(path: Path, settings: Sequence[str]) -> list[_Planned]:
    """The sides of one file: the points of its grid, and of each its variants."""
    opened = open_whole(path, settings)
    points = opened.points or (Point("", opened.spec, opened.origins),)
    return [side for point in points for side in _sides(point, opened.folder)]


def _sides(point: Point[Spec], folder: Path) -> list[_Planned]:
    spec, label, origins = point.spec, point.label, point.origins
    if not spec.variants:
        return [_Planned(label or spec.name, spec.description, spec, folder, origins)]
    sides = []
    for variant, section in spec.variants.items():
        name = f"{variant}, {label}" if label else variant
        own = replace(origins, variant=variant)
        sides.append(_Planned(name, section.description, spec.variant(variant), folder, own))
    return sides


def _title(paths: Sequence[str | Path], planned: Sequence[_Planned], settings: Sequence[str]) -> tuple[str, str]:
    if len(paths) == 1:
        spec = load_spec(paths[0], settings=settings)
        return spec.name, spec.description
    return "-and-".join(dict.fromkeys(side.spec.name for side in planned))[:100], ""


@coded
def run_study(
    path: str | Path,
    out: str | Path = "runs/study",
    on_cell: OnRun = lambda name, number, total: None,
    on_progress: OnProgress = ignore_progress,
    settings: Sequence[str] = (),
) -> StudyOutcome:
    """Train and analyse a grid of networks; parts finished in `out` are reused.

    Parameters
    ----------
    path : str or Path
        The study spec.
    out : str or Path
        Folder of ``NAME/``, with weights, runs, cells and reports.
    on_cell : callable
        Called before each step with its name, its number from 1, and the number of steps.
    on_progress : callable
        Called with the progress of each training and run.
    settings : sequence of str
        Values to set in the study spec, each as ``KEY=VALUE``.

    Raises
    ------
    SpecError
        If the study spec or an analysis is invalid.
    CausalVAEError
        For any error of a training or a run.
    """
    spec = load_study_spec(path, settings)
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
    """Train all networks without weights; stopped trainings are resumed.

    Parameters
    ----------
    study : StudySpec
    folder : Path
        Folder of ``weights/DATA-MODEL-SEED``.
    base : Path
        Folder of the study spec, where relative paths start.
    """
    for number, (data, model, seed) in enumerate(study.cells, start=1):
        spec = study.train_spec(data, model, seed)
        place = _place(folder, spec.name)
        on_cell(f"training {spec.name}", number, len(study.cells))

        def tell(progress: object, name: str = spec.name) -> None:
            on_progress(Progress(f"training {name}", progress.step, progress.steps, "steps"))  # type: ignore[attr-defined]

        if not (place / f"{spec.name}.safetensors").exists():
            make_folder(place, below=folder)
            train_network(spec, place, base, tell)
        # It is several times as large as the weights and no longer needed. A study that was killed may have left it.
        (place / "checkpoint.pt").unlink(missing_ok=True)


def _place(folder: Path, name: str) -> Path:
    return folder / "weights" / name


def analyse_cells(
    study: StudySpec,
    folder: Path,
    base: Path,
    on_cell: OnRun = lambda name, number, total: None,
    on_progress: OnProgress = ignore_progress,
) -> tuple[StudyRun, ...]:
    """Run the analysis of each trained network.

    The measures of a network are stored in ``cells/DATA-MODEL-SEED.json`` and reused unless the analysis, the content
    of its data files or the weights have changed.
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
    """The analysis with another network, and with `scores` if it has no such section."""
    # Networks that learned little are part of a study too, so poor reconstruction is only a warning.
    model = ZooModel(source="zoo", weights=str(weights), untrained=True)
    scoring = {} if scores is None or scores.kind in base.analyses else {scores.kind: scores}
    return base.model_copy(update={"name": name, "model": model, "variants": {}, **scoring})


def _read(kept: Path, key: str) -> tuple[tuple[Measure, ...], str] | None:
    """The measures and the path of the report stored for `key`, if any."""
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
