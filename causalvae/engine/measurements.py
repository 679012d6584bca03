"""The tables of a run, in memory and as Parquet files.

Tables
------
pairs
    One row per input of a cohort: ``cohort`` (str), ``pair`` (int), then for each factor ``base:NAME`` and
    ``counterfactual:NAME`` (physical value, float). The observed cohort has no counterfactual: those columns repeat
    the base.
outcomes
    One row per (arm, pair): ``arm`` (str, the arm's id), ``pair`` (int), one float column per attribute, and

    - ``image_sq``: ||y_arm - y_base||^2, where y_base is the clean base output;
    - ``image_dot``: <y_arm - y_base, y_cf - y_base>, where y_cf is the clean counterfactual output (0 in the observed
      cohort);
    - ``live``: False if the patched value equals the clean one, so that the row was copied and not run.
observations
    One row per sample of the observed cohort: ``sample`` (int), ``factor:NAME`` (physical value), ``attribute:NAME``
    (measured on the reconstruction from the latent given in the spec), ``input:NAME`` (measured on the input),
    ``mean:I`` and ``logvar:I`` (posterior of latent I; no ``logvar`` if the encoder is deterministic),
    ``exogenous:I`` (input of the latent layer, if any), ``latent:I`` (the value that the decoder received); for a
    latent map, means of channels, and ``kl:I``, the KL of the channel summed over its positions; ``reconstruction``
    (negative log-likelihood, nats), ``output_gap_sq`` (squared distance to another sample's output).
screens
    One row per candidate of a screened sweep: ``owner``, ``side``, ``arm``, ``component``, ``granularity`` (str),
    ``attribution`` (float: mean over pairs of its first-order effect's size, in units of the screen's outcome) and
    ``selected`` (``kept``, ``checked`` or ``omitted``; arms of the last have no outcomes unless something else
    requires them).
responses
    Effects of latent perturbations on whole outputs and activations, on the first few samples, averaged over the
    values that a latent is set to: ``owner``, ``quantity``, ``site``, ``first``, ``second`` (str), ``pair`` (int),
    ``value``. ``output entropy``: entropy in nats of |change| of the output, divided by its sum, for the component
    ``first``. ``overlap``: |cosine| of the changes caused by ``first`` and ``second`` at the site. NaN if nothing
    changes.
contrasts
    One row per pair of each contrast that compares the declared graph with the data: ``factor`` (str, the one that is
    set), ``pair`` (int), and for the inputs of both sides ``base:NAME``, ``counterfactual:NAME`` (an attribute measured
    on the input), ``base:factor:NAME``, ``counterfactual:factor:NAME``. ``released:NAME``: another declared factor
    if only this one follows the one that is set. ``donor:factor:NAME``: the factors of the sample from which the mapped
    components took their values. There is no counterfactual side if the factor cannot be set.
subspaces
    One row per part of a site in which directions were learned: ``id`` (`causalvae.plan.learned.LearnedPart.id`),
    ``cohort``, ``site`` (str), ``units`` (list of int), ``window`` (list of [start, stop]), ``dim`` (int), ``basis``
    (float32, the orthonormal directions, (units, dim) row by row), ``objective``, ``donors`` (the factor whose value
    donors share; empty if each pair is its own donor), ``pairs`` (int, learned on), ``start`` (initial directions of
    the best search), ``first_loss`` and ``loss`` (unexplained share of interchanges on these pairs, before and after),
    ``null_space_share``, ``null_space_dim`` (of the directions that nothing downstream reads) and ``null_space_how``.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from causalvae.engine.observed_columns import column_of
from causalvae.engine.tables import GROUP_ROWS, FileTable, MemoryTable, OutcomeTable
from causalvae.files import UNSEALED, stream_file
from causalvae.plan.types import Plan
from causalvae.readouts.types import wrap

# Groups of rows that are written at once.
_GROUPS = 32

# Observation column: squared distance between the outputs of two samples.
OUTPUT_GAP = "output_gap_sq"


@dataclass(frozen=True)
class Measurements:
    """The tables of one run, and its plan.

    Parameters
    ----------
    plan : Plan
        The plan that was run.
    pairs, outcomes, observations : DataFrame
        See the module's docstring.
    manifest : dict
        Digests, device, numbers of rows run and skipped, seconds, and the engine's exact controls.
    periods : mapping of str to float
        Attribute -> period, for attributes on a circle.
    affines : mapping of str to (float, float)
        Attribute -> offset and span, for attributes in other units than those of the network; see `Readout.affine`.
    screens : DataFrame
        See the module's docstring; empty if nothing was screened.
    responses : DataFrame
        See the module's docstring; empty if no latent was perturbed.
    subspaces : DataFrame
        See the module's docstring; empty if none was learned.
    contrasts : DataFrame
        See the module's docstring; empty if the graph declares no factor that can be set or is mapped.
    """

    plan: Plan
    pairs: pd.DataFrame
    outcomes: pd.DataFrame
    observations: pd.DataFrame
    manifest: Mapping[str, Any] = field(default_factory=dict)
    periods: Mapping[str, float] = field(default_factory=dict)
    screens: pd.DataFrame = field(default_factory=pd.DataFrame)
    responses: pd.DataFrame = field(default_factory=pd.DataFrame)
    subspaces: pd.DataFrame = field(default_factory=pd.DataFrame)
    contrasts: pd.DataFrame = field(default_factory=pd.DataFrame)
    affines: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Measurements({self.plan.name!r}: {len(self.pairs):,} pairs)"

    def open_table(self) -> OutcomeTable:
        """The outcomes as a table by arm."""
        return MemoryTable(self.outcomes)

    @cached_property
    def _table(self) -> OutcomeTable:
        return self.open_table()

    def arm(self, arm_id: str) -> pd.DataFrame:
        """The outcome rows of one arm, in pair order; raises `KeyError` if it was not run."""
        return self._table.frame(arm_id)

    def values(self, arm_id: str, column: str) -> npt.NDArray[np.float64]:
        """One outcome column of one arm, shape (pairs,), in pair order; raises `KeyError` if it was not run."""
        (values,) = self._table.block((arm_id,), column, self._table.pairs(arm_id))
        return np.asarray(values, np.float64)

    def with_periods(self, periods: Mapping[str, float], affines: Mapping[str, tuple[float, float]]) -> Self:
        """A copy with other `periods` and `affines`."""
        same = copy(self)
        for name, value in (("periods", periods), ("affines", affines)):
            # The class is frozen.
            object.__setattr__(same, name, value)
        return same

    def attribute_sd(self) -> dict[str, float]:
        """Standard deviation of each attribute over the observed reconstructions: the unit of effect sizes.

        For an attribute with a period (`periods`), deviations are taken from the circular mean and wrapped to at most
        half a period.
        """
        return {name: self._sd(name) for name in self.plan.attributes}

    def output_sd(self) -> float:
        """Standard deviation of the whole output over the observed reconstructions, in the unit of its L2 norm.

        The root of the sum of variances over the output's numbers: sqrt(E ||y - y'||^2 / 2) for two samples y and y'.
        """
        return float(np.sqrt(np.nanmean(self.observations[OUTPUT_GAP].to_numpy(np.float64)) / 2))

    def _sd(self, name: str) -> float:
        return deviation(self.observations[column_of("attribute", name)].to_numpy(np.float64), self.periods.get(name))


def deviation(values: npt.NDArray[np.float64], period: float | None = None) -> float:
    """Standard deviation of values, shape (n,); with a `period`, from their circular mean."""
    if period is not None:
        angles = np.exp(2j * np.pi * values / period)
        values = wrap(values - np.angle(angles.mean()) * period / (2 * np.pi), period)
    return float(values.std(ddof=1))


class StoredMeasurements(Measurements):
    """Measurements whose outcomes are read from the files of a run on demand.

    Parameters
    ----------
    plan, pairs, observations, manifest, periods, screens, responses, subspaces, contrasts, affines
        As for `Measurements`.
    table : FileTable
        The stored outcomes.
    """

    _files: FileTable

    def __init__(
        self,
        plan: Plan,
        pairs: pd.DataFrame,
        table: FileTable,
        observations: pd.DataFrame,
        manifest: Mapping[str, Any],
        periods: Mapping[str, float] | None = None,
        screens: pd.DataFrame | None = None,
        responses: pd.DataFrame | None = None,
        subspaces: pd.DataFrame | None = None,
        contrasts: pd.DataFrame | None = None,
        affines: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        given = {
            "plan": plan,
            "pairs": pairs,
            "observations": observations,
            "manifest": manifest,
            "periods": periods or {},
            "screens": pd.DataFrame() if screens is None else screens,
            "responses": pd.DataFrame() if responses is None else responses,
            "subspaces": pd.DataFrame() if subspaces is None else subspaces,
            "contrasts": pd.DataFrame() if contrasts is None else contrasts,
            "affines": affines or {},
            "_files": table,
        }
        for name, value in given.items():
            # The base class is frozen.
            object.__setattr__(self, name, value)

    @property
    def outcomes(self) -> pd.DataFrame:
        """All outcome rows, read at each access."""
        return self._files.read_all()

    def open_table(self) -> FileTable:
        """The outcomes as a table by arm."""
        return self._files


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame` as Parquet with checksums, atomically.

    The checksum of the file is verified when a table is opened, those of pages when a part is read.
    """
    # A category is written as its text: each group of rows would hold all categories, and arms are tens of thousands.
    texts = {name: "str" for name, kind in frame.dtypes.items() if isinstance(kind, pd.CategoricalDtype)}
    # Such tables also hold numbers, whose types an empty one has too.
    schema = pa.Schema.from_pandas((frame.head(0) if texts else frame).astype(texts), preserve_index=False)
    step = _GROUPS * GROUP_ROWS
    with (
        stream_file(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        for start in range(0, max(len(frame), 1), step):
            part = frame.iloc[start : start + step]
            if texts:
                # Arrow looks up the text of each row in a tenth of the time that pandas takes.
                table = pa.Table.from_pandas(part, preserve_index=False).cast(schema)
            else:
                table = pa.Table.from_pandas(part, schema, preserve_index=False)
            writer.write_table(table, row_group_size=GROUP_ROWS)
        writer.add_key_value_metadata({"checksum": UNSEALED})
