"""What a run measured: columnar tables, in memory and as Parquet files.

Tables
------
pairs
    One row an input of a cohort: ``cohort`` (str), ``pair`` (int), then for each factor ``base:NAME`` and
    ``counterfactual:NAME`` (physical value, float). The observed cohort has no counterfactual: those columns repeat
    the base.
outcomes
    One row an (arm, pair): ``arm`` (str, the arm's id), ``pair`` (int), one float column per attribute, and

    - ``image_sq``: ||y_arm - y_base||^2, summed over pixels, y_base the cohort's clean base output;
    - ``image_dot``: <y_arm - y_base, y_cf - y_base>, y_cf the clean counterfactual output (0 in the observed cohort);
    - ``live``: False where the patched value equalled the clean one, so that the row was copied and not run.
observations
    One row a sample of the observed cohort: ``sample`` (int), ``factor:NAME`` (physical value), ``attribute:NAME``
    (measured on the reconstruction at the latent that the spec chooses), ``input:NAME`` (measured on the input itself),
    ``mean:I`` and ``logvar:I`` (posterior of latent I), ``latent:I`` (the value that the decoder received),
    ``reconstruction`` (negative log-likelihood, nats).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causalvae.plan.types import Plan

TABLES = ("pairs", "outcomes", "observations")


@dataclass(frozen=True)
class Measurements:
    """The tables of one run, and the plan that they answer.

    Parameters
    ----------
    plan : Plan
        What was run.
    pairs, outcomes, observations : DataFrame
        See the module's docstring.
    manifest : dict
        Digests, device, rows run and left out, seconds, the engine's exact controls.
    images : DataFrame
        Decoded images of the plan's traversals: ``strip`` (int), ``step`` (int), ``png`` (bytes).
    """

    plan: Plan
    pairs: pd.DataFrame
    outcomes: pd.DataFrame
    observations: pd.DataFrame
    manifest: Mapping[str, Any] = field(default_factory=dict)
    images: pd.DataFrame = field(default_factory=pd.DataFrame)

    def arm(self, arm_id: str) -> pd.DataFrame:
        """The outcome rows of one arm, in pair order; raises `KeyError` where it was not run."""
        return self._by_arm[arm_id]

    @cached_property
    def _by_arm(self) -> dict[str, pd.DataFrame]:
        ordered = self.outcomes.sort_values("pair", kind="stable")
        return {str(name): frame for name, frame in ordered.groupby("arm", observed=True, sort=False)}

    def values(self, arm_id: str, column: str) -> npt.NDArray[np.float64]:
        """One outcome column of one arm, shape (pairs,), in pair order."""
        return self.arm(arm_id)[column].to_numpy(np.float64)

    def attribute_sd(self) -> dict[str, float]:
        """Standard deviation of each attribute over the observed cohort's reconstructions: the unit of effect sizes."""
        return {name: float(self.observations[f"attribute:{name}"].std(ddof=1)) for name in self.plan.attributes}


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame` as Parquet so that a reader sees either all of it or nothing."""
    partial = path.with_name(path.name + ".partial")
    frame.to_parquet(partial, index=False, compression="zstd")
    partial.replace(path)


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write `value` as JSON so that a reader sees either all of it or nothing."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, indent=1), encoding="utf-8")
    partial.replace(path)
