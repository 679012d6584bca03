"""The analyses that a spec names: each is measured in a folder of its own, and estimated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from causalvae.digest import digest
from causalvae.effects.context import EffectContext
from causalvae.engine.measurements import Measurements
from causalvae.engine.progress import OnProgress, ignore_progress, one_step
from causalvae.files import make_folder
from causalvae.plan.types import Plan
from causalvae.session import Session
from causalvae.spec.analysis import ANALYSES, Analysis
from causalvae.spec.families import analysis_distribution


def measure_analyses(
    session: Session,
    measurements: Measurements,
    runs: Path,
    on_progress: OnProgress = ignore_progress,
    only: str = "",
) -> dict[str, Any]:
    """What the analyses of a spec measure in addition to its plan.

    Parameters
    ----------
    session : Session
    measurements : Measurements
        The answer to a plan that was compiled from `session`.
    runs : Path
        Takes the folders of analyses, ``analyses/NAME/DIGEST``: those of specs that ask for the same are one.
    on_progress : callable
    only : str
        Name of the one analysis to measure; all where empty.

    Returns
    -------
    dict
        Name of the analysis -> what its `measure` gives.
    """
    plan, found = measurements.plan, {}
    for name, analysis in session.spec.analyses.items():
        if only in ("", name) and _measures(analysis):
            folder = make_folder(runs / "analyses" / name / _key(analysis, session, plan), below=runs.parent)
            found[name] = analysis.measure(session, plan, measurements, folder, on_progress)
    return found


def estimate_analyses(
    session: Session,
    context: EffectContext,
    measured: Mapping[str, Any],
    on_progress: OnProgress = ignore_progress,
    only: str = "",
) -> dict[str, Any]:
    """The results of the analyses of a spec, by name; without those that must measure and have not.

    Parameters
    ----------
    session : Session
    context : EffectContext
    measured : mapping
        What `measure_analyses` gives.
    on_progress : callable
    only : str
        Name of the one analysis to estimate; all where empty.
    """
    results = {}
    for name, analysis in session.spec.analyses.items():
        if only in ("", name) and (name in measured or not _measures(analysis)):
            with one_step(on_progress, f"analysis {name}"):
                results[name] = analysis.estimate(session, context, measured.get(name))
    return results


def place_results(results: Mapping[str, Any]) -> dict[str, Any]:
    """Results of analyses, given by name, as the fields of `causalvae.results.Results` that hold them."""
    fields = {name: ANALYSES.get(name).result_field for name in results}
    own = {field: results[name] for name, field in fields.items() if field}
    return {**own, "analyses": {name: results[name] for name, field in fields.items() if not field}}


def _measures(analysis: Analysis) -> bool:
    return type(analysis).measure is not Analysis.measure


def _key(analysis: Analysis, session: Session, plan: Plan) -> str:
    """Content hash of what decides the measurements; another version of the analysis may measure otherwise."""
    return digest([analysis.measured_by(session, plan), analysis_distribution(analysis.kind)])
