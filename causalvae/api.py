"""The public functions, in the order of a run."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from causalvae.alignment.assess import assess
from causalvae.boundary import coded
from causalvae.circuits import judge
from causalvae.controls import control_checks, summarise_latents, warn
from causalvae.costs import (
    Explained,
    explain_costs,
    keep_prediction,
    kept_prediction,
    measured_rows,
    predicted_rows,
    side_by_side,
)
from causalvae.data.pairs import draw_samples
from causalvae.digest import digest
from causalvae.disentanglement.report import ScoreReport
from causalvae.effects import estimate_effects
from causalvae.engine.active import ActiveUnits
from causalvae.engine.backends.backend import open_backend
from causalvae.engine.cohorts import draw_cohort
from causalvae.engine.execute import choose_device, execute_plan
from causalvae.engine.forecast import Forecast
from causalvae.engine.forecast import forecast as _forecast
from causalvae.engine.measurements import Measurements
from causalvae.engine.progress import OnProgress, Progress, ignore_progress, one_step
from causalvae.engine.runner import PlanRunner
from causalvae.engine.workers import single_threaded_kernels
from causalvae.files import UNSEALED, make_folder, remove_stale, seal, write_file, write_json
from causalvae.finding import FoundLatents
from causalvae.metrics import find_metrics, perturbed_owners
from causalvae.models.card import Carries
from causalvae.models.components import Site
from causalvae.models.loading import randomise
from causalvae.outcome import RunOutcome, load_run
from causalvae.plan.compile import compile_spec
from causalvae.plan.resolve import Resolver
from causalvae.plan.restrict import restrict
from causalvae.plan.types import Cohort, Plan, Role
from causalvae.readouts import check_readouts, measure
from causalvae.report import write_report
from causalvae.report.answer import answer_words, question_words
from causalvae.report.sample_tables import short_words
from causalvae.results import CostRow, GraphSummary, Results, SampleFacts, TraversalStrip
from causalvae.samples import find_samples, split_facts
from causalvae.scoring import find_scores
from causalvae.spec import load_spec, load_train_spec, open_spec, write_resolved
from causalvae.spec.schema import Spec
from causalvae.spec.training import TrainSpec
from causalvae.spec.whole_output import WholeOutput
from causalvae.training.loop import TrainProgress, TrainResult
from causalvae.training.loop import train as _train
from causalvae.trust import refuse_code
from causalvae.workspace import Workspace, open_workspace

_CONTROL_PAIRS = 64
_READOUT_SAMPLES = 1000
_LIBRARIES = (
    "causalvae",
    "torch",
    "numpy",
    "pandas",
    "networkx",
    "dowhy",
    "pgmpy",
    "scipy",
    "scikit-learn",
    "pydantic",
)

__all__ = [
    "RunOutcome",
    "TrainOutcome",
    "analyse",
    "compile_plan",
    "execute",
    "explain",
    "forecast",
    "list_components",
    "load_run",
    "load_spec",
    "run",
    "run_spec",
    "train",
    "train_network",
    "write_report",
]


@dataclass(frozen=True)
class TrainOutcome:
    """What `train` gives.

    Parameters
    ----------
    reconstruction : float
        Nats an image at the posterior mean, on fresh images.
    kl : tuple of float
        Nats of each latent.
    carries : tuple of Carries
        What each latent carries, factor by factor; empty where the data's factors cannot be set.
    seconds : float
        Training time over all resumes.
    weights : Path
        The safetensors file.
    """

    reconstruction: float
    kl: tuple[float, ...]
    carries: tuple[Carries, ...]
    seconds: float
    weights: Path


@coded
def list_components(spec: Spec, folder: str | Path, tell: OnProgress = ignore_progress) -> tuple[Site, ...]:
    """Every addressable component of a spec's network, in the order of computation.

    Parameters
    ----------
    spec : Spec
    folder : str or Path
        The spec file's folder: relative paths start here.
    tell : callable
        Called with the progress of each stage.
    """
    return open_workspace(spec, Path(folder), tell).model.components.sites


@coded
def list_unused_parameters(spec: Spec, folder: str | Path, tell: OnProgress = ignore_progress) -> tuple[str, ...]:
    """Names of the parameters of a spec's network that neither encoding nor decoding uses, so that no address names.

    Parameters
    ----------
    spec : Spec
    folder : str or Path
        The spec file's folder: relative paths start here.
    tell : callable
        Called with the progress of each stage.
    """
    return open_workspace(spec, Path(folder), tell).model.unused


@coded
def compile_plan(
    spec: Spec, folder: str | Path, passes: tuple[str, ...] | None = None, tell: OnProgress = ignore_progress
) -> Plan:
    """Compile a spec into a plan without running it.

    Parameters
    ----------
    spec : Spec
    folder : str or Path
        The spec file's folder.
    passes : tuple of str, optional
        The optimiser's passes to apply; all where omitted.
    tell : callable
        Called with the progress of each stage.
    """
    workspace = open_workspace(spec, Path(folder), tell)
    components, space = workspace.model.components, workspace.dataset.space
    without = workspace.spec.model_copy(update={"hypotheses": (), "interventions": ()})
    units = ActiveUnits(
        workspace.model,
        workspace.dataset,
        partial(measure, workspace.readouts),
        choose_device(spec.execution.device),
        partial(compile_spec, without, components, space),
    )
    with one_step(tell, "compiling the plan"):
        plan = compile_spec(workspace.spec, components, space, passes, partial(_supply, workspace), units)
    files = workspace.data_identity
    # Data that changes under the same name is other data: what was measured on it before is no answer.
    measures = digest([plan.measures, files]) if files else plan.measures
    return replace(plan, spec_digest=spec.digest, measures=measures)


def _supply(workspace: Workspace, cohort: Cohort) -> int:
    """How many samples or pairs the data have for a cohort."""
    if workspace.dataset.size is None:
        return cohort.samples
    return draw_cohort(workspace.dataset, cohort, workspace.split).cohort.samples


@coded
def forecast(spec: Spec, plan: Plan, folder: str | Path, each_pass: bool = True) -> Forecast:
    """What running a plan will cost on this machine: a few rows of every kind are run and timed.

    Of a screened sweep those arms are counted that a few pairs choose, and the screen's own gradients.

    Parameters
    ----------
    spec : Spec
    plan : Plan
        Compiled from `spec`.
    folder : Path
        The spec file's folder.
    each_pass : bool
        Tell it for the plan after every pass; else only for the plan as it will be run.
    """
    workspace = open_workspace(spec, Path(folder))
    runner = PlanRunner(
        plan,
        workspace.model,
        workspace.dataset,
        partial(measure, workspace.readouts),
        choose_device(spec.execution.device),
    )
    with single_threaded_kernels() as cores:
        return _forecast(plan, runner, cores, each_pass=each_pass)


@coded
def explain(
    spec: Spec, plan: Plan, folder: str | Path, out: str | Path = "runs", tell: OnProgress = ignore_progress
) -> Explained:
    """What running a plan will cost, pass by pass, and what it has cost where ``out`` holds a run of it."""
    runs = Path(out) / spec.name
    with one_step(tell, "forecasting the cost"):
        predicted = forecast(spec, plan, folder)
    return explain_costs(predicted, runs / spec.digest, _tables(runs, plan))


def _tables(runs: Path, plan: Plan) -> Path:
    """Where a plan's tables lie: beside the runs of all specs that are answered by them."""
    return runs / "tables" / plan.tables_digest


@coded
def execute(
    spec: Spec,
    plan: Plan,
    folder: str | Path,
    runs: str | Path,
    on_progress: OnProgress = ignore_progress,
) -> Measurements:
    """Run a plan; what `runs` already holds of it is not run again.

    Parameters
    ----------
    spec : Spec
    plan : Plan
        Compiled from `spec`.
    folder : Path
        The spec file's folder.
    runs : Path
        Takes the tables, in ``tables/DIGEST``: those of every spec that asks for the same are one.
    on_progress : callable
    """
    _check_trust(spec)
    workspace = open_workspace(spec, Path(folder))
    runs = Path(runs)
    make_folder(_tables(runs, plan), below=runs.parent)
    measurements = execute_plan(
        plan,
        workspace.model,
        workspace.dataset,
        partial(measure, workspace.readouts),
        _tables(Path(runs), plan),
        spec.execution.device,
        on_progress,
        open_backend(spec.execution.backend, spec.execution.address),
    )
    return measurements.with_periods(workspace.periods, workspace.affines)


def _check_trust(spec: Spec) -> None:
    """Refuse a cluster that the spec names, unless code is allowed: the network and the data would be sent there."""
    if spec.execution.address is not None:
        refuse_code(f"execution.address: {spec.execution.address}, a cluster that is sent code", "execution.address")


def _execute_randomised(workspace: Workspace, plan: Plan, runs: Path) -> Measurements | None:
    """The hypotheses' circuits and the latent perturbations on a randomly initialised copy of the network."""
    spec = workspace.spec
    owners = (*(f"hypothesis:{hypothesis.name}" for hypothesis in spec.hypotheses), *perturbed_owners(plan))
    if not spec.execution.controls or not owners:
        return None
    model = randomise(workspace.model, spec.execution.seed)
    weights = f"{plan.model_digest}, drawn anew with seed {spec.execution.seed}"
    roles: tuple[Role, ...] = ("base", "counterfactual", "sufficiency", "necessity", "perturbation")
    randomised = replace(restrict(plan, owners, roles, _CONTROL_PAIRS), model_digest=weights)
    make_folder(_tables(runs, randomised), below=runs.parent)
    measurements = execute_plan(
        randomised,
        model,
        workspace.dataset,
        partial(measure, workspace.readouts),
        _tables(runs, randomised),
        spec.execution.device,
    )
    return measurements.with_periods(workspace.periods, workspace.affines)


@coded
def analyse(
    spec: Spec,
    plan: Plan,
    measurements: Measurements,
    folder: str | Path,
    randomised: Measurements | None = None,
    on_progress: OnProgress = ignore_progress,
    scores: ScoreReport | None = None,
) -> Results:
    """From measurements to effects, verdicts and alignment.

    Parameters
    ----------
    spec : Spec
    plan : Plan
    measurements : Measurements
        The answer to `plan`.
    folder : Path
        The spec file's folder.
    randomised : Measurements, optional
        Of the hypotheses' treatments and the latent perturbations on a randomly initialised copy.
    on_progress : callable
    scores : ScoreReport, optional
        Classical scores of the network, which no measurement of the plan gives.
    """
    workspace = open_workspace(spec, Path(folder))
    declared, spec = spec, workspace.spec
    readouts, dataset, model = workspace.readouts, workspace.dataset, workspace.model
    periods = workspace.periods
    units = {name: readout.unit for name, readout in readouts.items()} | dict.fromkeys(
        plan.latent_attributes, "units of the latent"
    )
    whole = WholeOutput.of(model.graph.shape(model.graph.outputs["output"]))

    effects = estimate_effects(spec, plan, measurements, whole, periods, units, _as_progress(on_progress))
    with one_step(on_progress, "metrics of the latents"):
        metrics = find_metrics(workspace, plan, measurements, randomised, whole, units)
    with one_step(on_progress, "verdicts"):
        verdicts = judge(spec, plan, measurements, workspace.graph, periods, whole)
    labels = {
        factor.name: dict(zip(factor.values, factor.labels, strict=True))
        for factor in dataset.space.factors
        if factor.labels
    }
    alignment = assess(workspace.completed(spec), plan, measurements, workspace.graph, periods, on_progress, labels)
    rows = draw_samples(dataset, _READOUT_SAMPLES, spec.data.seed, workspace.split.within(dataset, "test"))
    with one_step(on_progress, "checking the readouts"):
        checks = check_readouts(dataset, readouts, model.vae, rows, model.vae.target)
    controls = control_checks(spec, measurements, randomised, workspace.check, periods, whole)
    factors = Resolver(spec, model.components).mapped_latents()
    latents = summarise_latents(measurements, factors)
    manifest = measurements.manifest
    samples = find_samples(workspace, plan)
    split = split_facts(dataset, workspace.split)
    return Results(
        name=spec.name,
        description=spec.description,
        whole=whole,
        question=question_words(spec),
        answer=answer_words(
            verdicts,
            alignment,
            (*effects.estimates, *metrics.estimates),
            metrics.units,
            bool(spec.graph.edge_pairs),
        ),
        verdicts=verdicts,
        estimates=(*effects.estimates, *metrics.estimates),
        refutations=effects.refutations,
        alignment=alignment,
        graph=GraphSummary(
            factors=tuple(spec.graph.factors),
            attributes=tuple(spec.graph.attributes),
            edges=spec.graph.edge_pairs,
            mapping={node: section.components or () for node, section in spec.mapping.items()},
            vectors={name: section.components for name, section in spec.graph.vectors.items()},
        ),
        readouts=checks,
        controls=controls,
        traversals=_strips(plan, measurements),
        latents=latents,
        model={
            **model.facts,
            "reconstruction (nats a sample)": round(workspace.check.reconstruction, 2),
            **({} if workspace.check.kl is None else {"KL (nats a sample)": round(workspace.check.kl, 2)}),
            **{f"found for {node}": _found_words(found) for node, found in workspace.found.items()},
        },
        data={**dataset.describe(), "pairs a treatment": _pairs_words(samples), "seed": spec.data.seed},
        samples=samples,
        execution={
            "device": manifest["device"],
            "threads": manifest["threads"],
            "rows, clean runs included": manifest["rows"],
            "patched rows run": manifest["rows_run"],
            "patched rows left out (dead)": manifest["rows_dead"],
            "rows at once": manifest["batch_rows"],
            "seconds": round(manifest["seconds"], 1),
            "passes": ", ".join(record.name for record in plan.passes),
        },
        manifest={
            "spec digest": declared.digest,
            "plan digest": plan.digest,
            "tables digest": plan.tables_digest,
            "model digest": plan.model_digest,
            "seed": spec.execution.seed,
            **({"split": split} if split else {}),
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            **{library: version(library) for library in _LIBRARIES},
        },
        warnings=(*warn(controls, checks, latents, model.unused), *effects.warnings, *short_words(samples)),
        screens=effects.screens,
        units=metrics.units,
        metrics=metrics.rows,
        cross_checks=effects.checks,
        arrows=effects.arrows,
        scores=scores,
    )


@coded
def run(path: str | Path, out: str | Path = "runs", on_progress: OnProgress | None = None) -> RunOutcome:
    """A spec file from text to report.

    Parameters
    ----------
    path : str or Path
        The spec file.
    out : str or Path
        Runs are kept in ``out/NAME/SPEC_DIGEST/``, their tables in ``out/NAME/tables/TABLES_DIGEST/``; a run that was
        killed goes on where it stopped, and specs that differ in claims or statistics alone share their tables.
    on_progress : callable, optional

    Raises
    ------
    SpecError
        With every fault of the spec.
    CausalVAEError
        For every other error that a user can correct.
    """
    return run_spec(*open_spec(path), out, on_progress or ignore_progress)


@coded
def run_spec(
    spec: Spec, folder: str | Path, out: str | Path = "runs", tell: OnProgress = ignore_progress
) -> RunOutcome:
    """A spec from value to report, as `run`; relative paths start at `folder`."""
    began = time.perf_counter()
    _check_trust(spec)
    folder, out = Path(folder), Path(out)
    plan = compile_plan(spec, folder, tell=tell)
    runs = out / spec.name
    run_folder = runs / spec.digest
    make_folder(run_folder, below=out)
    remove_stale(run_folder)
    # Relative paths start where they did, so that the folder's own spec runs again.
    resolved = write_resolved(spec, os.path.relpath(folder.resolve(), run_folder.resolve()))
    write_file(run_folder / "spec.yaml", resolved)
    with one_step(tell, "forecasting the cost"):
        predicted = _predict(spec, plan, folder, _tables(runs, plan))
    measurements = execute(spec, plan, folder, runs, tell)
    workspace = open_workspace(spec, folder)
    with one_step(tell, "random copy"):
        randomised = _execute_randomised(workspace, plan, runs)
    scores = find_scores(workspace, plan.model_digest, runs / "scores", tell)
    results = analyse(spec, plan, measurements, folder, randomised, tell, scores)
    costs = side_by_side(predicted, measured_rows(_tables(runs, plan)))
    execution = {
        **results.execution,
        "seconds of one core, predicted": round(sum(row.predicted_seconds or 0.0 for row in costs), 1),
        "seconds of one core, measured": round(sum(row.seconds or 0.0 for row in costs), 1),
        "seconds in all": round(time.perf_counter() - began, 1),
    }
    results = replace(results, execution=execution, costs=costs)
    # The JSON is always there, so that any report can be rendered again.
    with one_step(tell, "report"):
        reports = write_report(results, run_folder, tuple(dict.fromkeys((*spec.report.formats, "json"))))
    files = {"spec.yaml": hashlib.sha256(resolved.encode()).hexdigest()}
    write_json({**results.manifest, **results.execution, "files": files}, run_folder / "manifest.json")
    return RunOutcome(results, run_folder, reports)


def _predict(spec: Spec, plan: Plan, folder: Path, tables: Path) -> tuple[CostRow, ...]:
    """The forecast of a run, made when it is first started and kept beside its tables for when it goes on."""
    kept = kept_prediction(tables)
    if kept is not None:
        return kept
    rows = predicted_rows(forecast(spec, plan, folder, each_pass=False))
    make_folder(tables, below=tables.parents[2])
    keep_prediction(rows, tables)
    return rows


@coded
def train(
    path: str | Path,
    out: str | Path | None = None,
    on_progress: Callable[[TrainProgress], None] = lambda progress: None,
) -> TrainOutcome:
    """Train the network of a training spec, resuming where an earlier run stopped.

    Parameters
    ----------
    path : str or Path
        The training spec.
    out : str or Path, optional
        Takes checkpoint, log and weights; ``runs/train/NAME`` where omitted.
    on_progress : callable
        Called after every step.
    """
    spec = load_train_spec(path)
    folder = Path("runs") / "train" / spec.name if out is None else Path(out)
    return train_network(spec, folder, Path(path).parent, on_progress)


@coded
def train_network(
    spec: TrainSpec,
    folder: str | Path,
    base: str | Path = "",
    on_progress: Callable[[TrainProgress], None] = lambda progress: None,
) -> TrainOutcome:
    """Train as a spec says, as `train`; relative paths of its data start at `base`."""
    folder, base = Path(folder), Path(base)
    if spec.model.architecture == "grace":
        from causalvae.neighbours.grace.training import train_grace

        result = train_grace(spec, folder, on_progress)
    elif spec.model.architecture == "encoder_free":
        from causalvae.neighbours.half_avae.training import train_half

        result = train_half(spec, folder, on_progress)
    else:
        result = _train(spec, folder, on_progress, base=base)
    weights = _write_weights(result, folder, spec.name)
    return TrainOutcome(result.reconstruction, result.kl, result.carries, result.seconds, weights)


def _write_weights(result: TrainResult, folder: Path, name: str) -> Path:
    from safetensors.torch import save

    path = folder / f"{name}.safetensors"
    state = {key: value.contiguous() for key, value in result.vae.state_dict().items()}
    write_file(path, seal(save(state, metadata={**result.metadata, "checksum": UNSEALED})))
    return path


def _as_progress(on_progress: OnProgress) -> Callable[[str, int, int, str], None]:
    return lambda stage, done, total, unit: on_progress(Progress(stage, done, total, unit))


def _found_words(found: FoundLatents) -> str:
    listed = " and ".join(f"latent[{i}] ({found.shares[i]:.0%} of the movement)" for i in found.latents)
    return f"{listed}, on {found.pairs} pairs that are used for nothing else"


def _pairs_words(samples: SampleFacts) -> int | str:
    """Pairs of the treatments; the fewest and the most where finite data have fewer of some."""
    counts = sorted({use.used for use in samples.cohorts if use.paired})
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]}"
    return counts[0] if counts else 0


def _strips(plan: Plan, measurements: Measurements) -> tuple[TraversalStrip, ...]:
    strips = []
    for number, traversal in enumerate(plan.traversals):
        rows: Any = measurements.images[measurements.images["strip"] == number].sort_values("step")
        images = tuple(base64.b64encode(png).decode("ascii") for png in rows["png"])
        strips.append(TraversalStrip(traversal.label, traversal.latent, traversal.quantiles, images))
    return tuple(strips)
