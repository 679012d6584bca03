"""The public functions, in the order of a run: open, compile, execute, analyse, write."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from causalvae.alignment.assess import assess
from causalvae.asked_analyses import estimate_analyses, measure_analyses, place_results
from causalvae.boundary import coded
from causalvae.circuits import judge
from causalvae.controls import control_checks, summarise_latents, warn
from causalvae.costs import (
    FOLLOW_UP_SECONDS,
    FOLLOW_UPS,
    Explained,
    explain_costs,
    follow_up_row,
    in_order,
    measured_rows,
)
from causalvae.data.pairs import draw_samples
from causalvae.data_draws import draw_table
from causalvae.digest import digest
from causalvae.edge_runs import diagnose_edges
from causalvae.effects import estimate_effects, open_context
from causalvae.effects.abridged import abridge, abridge_screens
from causalvae.effects.sweep_types import Listing, Record
from causalvae.effects.sweeps import MOST_LISTED
from causalvae.engine.active import ActiveUnits
from causalvae.engine.backends.opening import open_backend
from causalvae.engine.cohorts import draw_cohort
from causalvae.engine.execute import choose_device, execute_plan
from causalvae.engine.forecast import Forecast
from causalvae.engine.forecast import forecast as _forecast
from causalvae.engine.measurements import Measurements
from causalvae.engine.progress import OnProgress, ignore_progress, one_step
from causalvae.engine.runner import PlanRunner
from causalvae.engine.workers import single_threaded_kernels
from causalvae.errors import CausalVAEError
from causalvae.facts import (
    data_draw,
    data_facts,
    execution_facts,
    graph_summary,
    layer_summaries,
    model_facts,
    provenance,
)
from causalvae.files import UNSEALED, make_folder, remove_stale, seal, write_file, write_json
from causalvae.follow_ups import READOUT_SAMPLES, Stopwatch, most_forwards
from causalvae.interchange_runs import compare_interchange
from causalvae.manifolds import manifold_warnings, place_manifolds
from causalvae.metrics import find_metrics
from causalvae.models.card import Carries
from causalvae.models.loading import randomise
from causalvae.null_claims import exchanged_labels, planted_claims
from causalvae.outcome import RunOutcome, load_run
from causalvae.pair_pictures import pair_pictures
from causalvae.plan.compile import compile_spec
from causalvae.plan.passes.pack import rows_at_once
from causalvae.plan.resolve import Resolver
from causalvae.plan.types import Cohort, Controls, Plan
from causalvae.readouts import check_readouts
from causalvae.readouts.checks import BATCH_ROWS
from causalvae.readouts.types import ReadoutCheck
from causalvae.report import write_report
from causalvae.report.analysis_view import left_out_words, views_of
from causalvae.report.answer import answer_words, question_words
from causalvae.report.effects_file import open_record
from causalvae.report.sample_tables import short_words
from causalvae.results import CostRow, NetworkFit, Results
from causalvae.samples import find_samples
from causalvae.session import Session, open_session
from causalvae.spec import load_spec, load_train_spec, open_spec, write_resolved
from causalvae.spec.loader import open_whole
from causalvae.spec.origins import Origins
from causalvae.spec.schema import Spec
from causalvae.spec.training import TrainSpec
from causalvae.training.loop import TrainProgress, TrainResult
from causalvae.training.loop import train as _train
from causalvae.traversals import traversal_strips
from causalvae.trust import refuse_code

__all__ = [
    "RunOutcome",
    "Session",
    "TrainOutcome",
    "analyse",
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
def open(path: str | Path, on_progress: OnProgress = ignore_progress, settings: Sequence[str] = ()) -> Session:
    """Open a spec file: load and check the network and the data that it names.

    Parameters
    ----------
    path : str or Path
        The spec file.
    on_progress : callable
        Called with the progress of each stage.
    settings : sequence of str
        Values to set, each as ``KEY=VALUE``, such as ``data.samples=64``.

    Raises
    ------
    SpecError
        With every fault of the spec.
    CausalVAEError
        CV1xx for the network, CV2xx for data and readouts.

    Examples
    --------
    >>> import causalvae
    >>> session = causalvae.open("specs/compiled_or.yaml")
    >>> [site.name for site in session.components][:3]
    ['encoder.lin1@pre', 'encoder.lin1', 'encoder.head']
    """
    return open_session(*open_spec(path, settings), on_progress)


@coded
@single_threaded_kernels()
def compile_plan(
    session: Session,
    passes: tuple[str, ...] | None = None,
    on_progress: OnProgress = ignore_progress,
    only: str = "",
) -> Plan:
    """Compile a session's spec into a plan without running it.

    Parameters
    ----------
    session : Session
    passes : tuple of str, optional
        The optimiser's passes to apply; all where omitted.
    on_progress : callable
        Called with the progress of each stage.
    only : str
        Name of an analysis of the spec: what it alone asks for is planned; everything where empty.

    Examples
    --------
    >>> import causalvae
    >>> plan = causalvae.compile_plan(causalvae.open("specs/compiled_or.yaml"))
    >>> plan.name
    'compiled-or'
    """
    spec, components, space = session.spec, session.model.components, session.dataset.space
    without = spec.model_copy(update={"hypotheses": (), "interventions": ()})
    units = ActiveUnits(
        session.model,
        session.dataset,
        session.measure,
        choose_device(spec.execution.device),
        partial(compile_spec, without, components, space),
    )
    with one_step(on_progress, "compiling the plan"):
        plan = compile_spec(spec, components, space, passes, partial(_supply, session), units, only)
    files = session.data_identity
    # Data that changes under the same name is other data: what was measured on it before is no answer.
    measures = digest([plan.measures, files]) if files else plan.measures
    named = partial(replace, spec_digest=session.declared.digest, measures=measures)
    copy = plan.controls.copy
    return named(plan, controls=Controls(plan.controls.exact, None if copy is None else named(copy)))


def _supply(session: Session, cohort: Cohort) -> int:
    """How many samples or pairs the data have for a cohort."""
    if session.dataset.size is None:
        return cohort.samples
    return draw_cohort(session.dataset, cohort, session.split).cohort.samples


@coded
def forecast(session: Session, plan: Plan) -> Forecast:
    """What running a plan will cost on this machine: a few rows of every kind are run and timed.

    Of a screened sweep those arms are counted that a few pairs choose, and the screen's own gradients.

    Parameters
    ----------
    session : Session
    plan : Plan
        Compiled from `session`.

    Examples
    --------
    >>> import causalvae
    >>> session = causalvae.open("specs/compiled_or.yaml")
    >>> forecast = causalvae.forecast(session, causalvae.compile_plan(session))
    >>> forecast.total.rows < forecast.passes["none"].rows  # what sharing and dead-row elimination save
    True
    """
    device = choose_device(session.spec.execution.device)
    runner = PlanRunner(plan, session.model, session.dataset, session.measure, device)
    with single_threaded_kernels() as cores:
        return _forecast(plan, runner, cores)


@coded
def explain(
    session: Session, plan: Plan, out: str | Path = "runs", on_progress: OnProgress = ignore_progress
) -> Explained:
    """What running a plan will cost, pass by pass, and what it has cost where ``out`` holds a run of it."""
    runs = Path(out) / session.spec.name
    with one_step(on_progress, "forecasting the cost"):
        predicted = forecast(session, plan)
        extras = {**predicted.extras, FOLLOW_UPS: predicted.clean.scaled(most_forwards(session, plan))}
        predicted = replace(predicted, extras=extras)
    return explain_costs(predicted, runs / session.declared.digest, *_all_tables(runs, plan))


def _tables(runs: Path, plan: Plan) -> Path:
    """Where a plan's tables lie: next to the runs of all specs that are answered by them."""
    return runs / "tables" / plan.tables_digest


def _all_tables(runs: Path, plan: Plan) -> tuple[Path, Path | None]:
    """Where the tables of a plan lie, and those of its copy with random weights."""
    copy = plan.controls.copy
    return _tables(runs, plan), None if copy is None else _tables(runs, copy)


@coded
def execute(session: Session, plan: Plan, runs: str | Path, on_progress: OnProgress = ignore_progress) -> Measurements:
    """Run a plan; what `runs` already holds of it is not run again.

    Parameters
    ----------
    session : Session
    plan : Plan
        Compiled from `session`.
    runs : str or Path
        Takes the tables, in ``tables/DIGEST``: those of every spec that asks for the same are one.
    on_progress : callable
        Called with the progress of each stage.
    """
    execution = session.spec.execution
    _check_trust(session.spec)
    runs = Path(runs)
    make_folder(_tables(runs, plan), below=runs.parent)
    measurements = execute_plan(
        plan,
        session.model,
        session.dataset,
        session.measure,
        _tables(runs, plan),
        execution.device,
        on_progress,
        open_backend(execution.backend, execution.address),
    )
    return measurements.with_periods(session.periods, session.affines)


def _check_trust(spec: Spec) -> None:
    """Refuse a cluster that the spec names, unless code is allowed: the network and the data would be sent there."""
    if spec.execution.address is not None:
        refuse_code(f"execution.address: {spec.execution.address}, a cluster that is sent code", "execution.address")


def _execute_copy(session: Session, plan: Plan, runs: Path) -> Measurements | None:
    """The plan's control on a copy of the network with random weights; None where it has none."""
    copy = plan.controls.copy
    if copy is None:
        return None
    make_folder(_tables(runs, copy), below=runs.parent)
    model = randomise(session.model, plan.seed)
    found = execute_plan(
        copy, model, session.dataset, session.measure, _tables(runs, copy), session.spec.execution.device
    )
    return found.with_periods(session.periods, session.affines)


@coded
@single_threaded_kernels()
def analyse(
    session: Session,
    measurements: Measurements,
    randomised: Measurements | None = None,
    on_progress: OnProgress = ignore_progress,
    measured: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
) -> Results:
    """From measurements to effects, verdicts and alignment.

    Parameters
    ----------
    session : Session
    measurements : Measurements
        The answer to a plan that was compiled from `session`.
    randomised : Measurements, optional
        Of the hypotheses' treatments and the latent perturbations on a randomly initialised copy.
    on_progress : callable
        Called with the progress of each stage.
    measured : mapping, optional
        What `measure` gives; without it, analyses that measure something of their own have no result, and a warning
        says so.
    folder : str or Path, optional
        Takes ``effects.parquet`` and ``units.parquet``, which have every effect and unit, while the results list the
        strongest components of large sweeps; without it the results hold all.

    Examples
    --------
    >>> import causalvae
    >>> session = causalvae.open("specs/compiled_or.yaml")
    >>> plan = causalvae.compile_plan(session)
    >>> measurements = causalvae.execute(session, plan, "runs/compiled-or")
    >>> causalvae.analyse(session, measurements).verdicts[0].status
    'supported'
    """
    if folder is None:
        return _analyse(session, measurements, randomised, on_progress, measured, None)
    with open_record(Path(folder)) as record:
        return _analyse(session, measurements, randomised, on_progress, measured, record)


def _analyse(
    session: Session,
    measurements: Measurements,
    randomised: Measurements | None,
    on_progress: OnProgress,
    measured: Mapping[str, Any] | None,
    record: Record | None,
) -> Results:
    spec, plan = session.spec, measurements.plan
    follow_ups = Stopwatch(session)
    listing = Listing() if record is None else Listing(record, MOST_LISTED)
    context = replace(open_context(spec, measurements, session.whole, session.units), listing=listing)
    copy = None if randomised is None else open_context(spec, randomised, session.whole, session.units)
    effects = estimate_effects(context, on_progress)
    with one_step(on_progress, "metrics of the latents"):
        metrics = find_metrics(session, context, copy)
    with one_step(on_progress, "verdicts"):
        verdicts = judge(context, session.graph, session.found)
        with follow_ups.running():
            verdicts = place_manifolds(session, plan, verdicts)
    alignment = assess(
        session.completed_spec,
        context.outcomes,
        session.graph,
        session.labels,
        partial(draw_table, session, plan),
        on_progress,
    )
    latents = summarise_latents(measurements, Resolver(spec, session.model.components).mapped_latents())
    with one_step(on_progress, "comparing interchanges"), follow_ups.running():
        alignment = compare_interchange(session, context.outcomes, alignment, latents)
        alignment = diagnose_edges(session, context.outcomes, alignment)
    with one_step(on_progress, "checking the readouts"), follow_ups.running():
        readouts = _check_readouts(session)
    with one_step(on_progress, "pictures"), follow_ups.running():
        traversals, pictures = traversal_strips(session, context), pair_pictures(session, context)
    analyses = estimate_analyses(session, context, measured or {}, on_progress)
    views = views_of(analyses)
    controls = control_checks(context, copy, session.check)
    if spec.execution.controls:
        with follow_ups.running():
            controls = (*controls, *planted_claims(verdicts), *exchanged_labels(session, context))
    samples = find_samples(session, plan)
    estimates, units = (*effects.estimates, *metrics.estimates), metrics.units
    swept, screens = context.listing.found, effects.screens
    sweeps = tuple(found.summary for sides in swept.values() for found in sides if found.summary is not None)
    if record is not None:
        record.estimates(metrics.estimates)
        record.roles([unit for unit in units if unit.owner not in swept])
        perturbed = {use.owner for use in plan.uses if use.role == "perturbation"}
        estimates, units, perturbations = abridge(estimates, units, perturbed)
        sweeps = (*sweeps, *perturbations)
        record.screened(screens)
        screens = abridge_screens(screens)
    return Results(
        name=spec.name,
        description=spec.description,
        whole=session.whole,
        question=question_words(spec),
        answer=" ".join(
            filter(
                None,
                (
                    answer_words(verdicts, alignment, estimates, units, bool(spec.graph.edge_pairs), sweeps),
                    *(view.answer for view in views),
                ),
            )
        ),
        verdicts=verdicts,
        estimates=estimates,
        refutations=effects.refutations,
        alignment=alignment,
        graph=graph_summary(spec),
        layers=layer_summaries(session),
        readouts=readouts,
        controls=controls,
        traversals=traversals,
        pictures=pictures,
        latents=latents,
        model=model_facts(session),
        fit=NetworkFit(session.check.reconstruction, session.check.kl),
        data=data_facts(session, samples),
        draw=data_draw(session),
        samples=samples,
        execution=execution_facts(measurements),
        manifest=provenance(session, plan),
        warnings=(
            *warn(controls, readouts, latents, session.unused_parameters),
            *effects.warnings,
            *(warning for view in views for warning in view.warnings),
            *left_out_words(spec.analyses, analyses),
            *manifold_warnings(verdicts),
            *short_words(samples),
        ),
        screens=screens,
        units=units,
        sweeps=sweeps,
        metrics=metrics.rows,
        cross_checks=effects.checks,
        arrows=effects.arrows,
        costs=(follow_up_row(follow_ups.seconds),),
        levels=tuple(sorted({intervention.level.kind for intervention in spec.interventions})),
        **place_results(analyses),
    )


@coded
@single_threaded_kernels()
def measure(
    session: Session, measurements: Measurements, runs: str | Path, on_progress: OnProgress = ignore_progress
) -> dict[str, Any]:
    """What the analyses of a session's spec measure in addition to its plan; what `runs` holds is not measured again.

    Parameters
    ----------
    session : Session
    measurements : Measurements
        The answer to a plan that was compiled from `session`.
    runs : str or Path
        Takes what is measured, in ``analyses/NAME/DIGEST``.
    on_progress : callable
        Called with the progress of each stage.
    """
    return measure_analyses(session, measurements, Path(runs), on_progress)


@coded
@single_threaded_kernels()
def run_analysis(
    session: Session, name: str, out: str | Path = "runs", on_progress: OnProgress = ignore_progress
) -> Any:
    """Run one analysis of a session's spec and nothing else; what ``out`` already holds of it is not run again.

    Parameters
    ----------
    session : Session
    name : str
        Of the analysis, as the spec names it.
    out : str or Path
        As of `run`; no report is written.
    on_progress : callable
        Called with the progress of each stage.

    Returns
    -------
    dataclass
        The analysis's result; `causalvae.report.analysis_view.views_of` shows it.

    Raises
    ------
    CausalVAEError
        CV429 where the spec does not name the analysis.
    """
    asked = session.spec.analyses
    if name not in asked:
        raise CausalVAEError(
            "CV429", f"The spec asks for no analysis {name!r}.", f"Add the key `{name}` to it, or name one of "
            f"{', '.join(asked) or 'its analyses: there are none'}.", name,
        )  # fmt: skip
    runs = Path(out) / session.spec.name
    measurements = execute(session, compile_plan(session, on_progress=on_progress, only=name), runs, on_progress)
    measured = measure_analyses(session, measurements, runs, on_progress, only=name)
    context = open_context(session.spec, measurements, session.whole, session.units)
    return estimate_analyses(session, context, measured, on_progress, only=name)[name]


def _check_readouts(session: Session) -> tuple[ReadoutCheck, ...]:
    """Each readout against the factors' true values, on samples to test on."""
    within = session.split.within(session.dataset, "test")
    rows = draw_samples(session.dataset, READOUT_SAMPLES, session.spec.data.seed, within)
    vae = session.model.vae
    at_once = rows_at_once(session.spec.execution.memory_bytes, session.model.components, BATCH_ROWS)
    return check_readouts(session.dataset, session.readouts, vae, rows, vae.target, at_once)


@coded
def run(
    path: str | Path,
    out: str | Path = "runs",
    on_progress: OnProgress | None = None,
    settings: Sequence[str] = (),
) -> RunOutcome:
    """A spec file from text to report.

    Parameters
    ----------
    path : str or Path
        The spec file.
    out : str or Path
        Runs are kept in ``out/NAME/SPEC_DIGEST/``, their tables in ``out/NAME/tables/TABLES_DIGEST/``; a run that was
        killed goes on where it stopped, and specs that differ in claims or statistics alone share their tables.
    on_progress : callable, optional
    settings : sequence of str
        Values to set, each as ``KEY=VALUE``, such as ``data.samples=64``.

    Raises
    ------
    SpecError
        With every fault of the spec.
    CausalVAEError
        CV430 where the spec has a grid, which `causalvae.compare` runs; also for every other error that a user can
        correct.

    Examples
    --------
    >>> import causalvae
    >>> outcome = causalvae.run("specs/compiled_or.yaml")
    >>> outcome.verdicts[["hypothesis", "status"]]
          hypothesis      status
    0  both-together   supported
    1      one-alone  unspecific
    2       not-read     refuted
    3    first-layer   supported
    """
    opened = open_whole(path, settings)
    if opened.points:
        raise CausalVAEError(
            "CV430",
            f"The spec has a grid of {len(opened.points)} runs, and this is one run.",
            "Run it with `causalvae.compare([PATH])`, or set one point: `grid=` and the point's values.",
            "grid",
        )
    return run_spec(opened.spec, opened.folder, out, on_progress or ignore_progress, opened.origins)


@coded
def run_spec(
    spec: Spec,
    folder: str | Path,
    out: str | Path = "runs",
    on_progress: OnProgress = ignore_progress,
    origins: Origins | None = None,
) -> RunOutcome:
    """A spec from value to report, as `run`; relative paths start at `folder`.

    Parameters
    ----------
    spec : Spec
    folder, out : str or Path
    on_progress : callable
    origins : Origins, optional
        Where the spec's values come from, which the resolved spec in the run's folder notes.

    Examples
    --------
    >>> import causalvae
    >>> spec = causalvae.load_spec("specs/compiled_or.yaml")
    >>> few = spec.model_copy(update={"hypotheses": spec.hypotheses[:1]})
    >>> list(causalvae.run_spec(few, "specs").verdicts["status"])
    ['supported']
    """
    began = time.perf_counter()
    _check_trust(spec)
    session = open_session(spec, folder, on_progress)
    plan = compile_plan(session, on_progress=on_progress)
    runs = Path(out) / spec.name
    resolved = _claim_folder(session, Path(out), origins)
    measurements = execute(session, plan, runs, on_progress)
    with one_step(on_progress, "random copy"):
        randomised = _execute_copy(session, plan, runs)
    measured = measure(session, measurements, runs, on_progress)
    results = analyse(session, measurements, randomised, on_progress, measured, resolved.parent)
    results = _with_costs(results, measured_rows(*_all_tables(runs, plan)), time.perf_counter() - began)
    # The JSON is always there, so that any report can be rendered again.
    with one_step(on_progress, "report"):
        reports = write_report(results, resolved.parent, tuple(dict.fromkeys((*spec.report.formats, "json"))))
    files = {resolved.name: hashlib.sha256(resolved.read_bytes()).hexdigest()}
    write_json({**results.manifest, **results.execution, "files": files}, resolved.parent / "manifest.json")
    return RunOutcome(results, resolved.parent, reports)


def _claim_folder(session: Session, out: Path, origins: Origins | None = None) -> Path:
    """Make the folder of a session's run and write its spec there; gives the spec's path."""
    spec = session.declared
    folder = out / spec.name / spec.digest
    make_folder(folder, below=out)
    remove_stale(folder)
    # Relative paths start where they did, so that the folder's own spec runs again.
    text = write_resolved(spec, os.path.relpath(session.folder, folder.resolve()), origins)
    path = folder / "spec.yaml"
    # A run's own spec, run again, stays as it is: it says where its values came from at first.
    if origins is None or Path(origins.file).resolve() != path.resolve():
        write_file(path, text)
    return path


def _with_costs(results: Results, measured: tuple[CostRow, ...], seconds: float) -> Results:
    """The same results with what the run cost."""
    execution = {
        **results.execution,
        FOLLOW_UP_SECONDS: round(sum(row.seconds or 0.0 for row in results.costs), 1),
        "seconds of one core": round(sum(row.seconds or 0.0 for row in (*measured, *results.costs)), 1),
        "seconds in all": round(seconds, 1),
    }
    return replace(results, execution=execution, costs=in_order((*measured, *results.costs)))


@coded
def train(
    path: str | Path,
    out: str | Path | None = None,
    on_progress: Callable[[TrainProgress], None] = lambda progress: None,
    settings: Sequence[str] = (),
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
    settings : sequence of str
        Values to set, each as ``KEY=VALUE``, such as ``objective.beta=4``.
    """
    spec = load_train_spec(path, settings)
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
    result = (spec.objective.trainer() or _train)(spec, folder, on_progress, base=base)
    weights = _write_weights(result, folder, spec.name)
    return TrainOutcome(result.reconstruction, result.kl, result.carries, result.seconds, weights)


def _write_weights(result: TrainResult, folder: Path, name: str) -> Path:
    from safetensors.torch import save

    path = folder / f"{name}.safetensors"
    state = {key: value.contiguous() for key, value in result.vae.state_dict().items()}
    write_file(path, seal(save(state, metadata={**result.metadata, "checksum": UNSEALED})))
    return path
