"""Runs a mapping as a generator of counterfactuals, repeatedly, and reads the attributes of what it gives.

Each application needs the output of the one before it, so no plan of independent arms can ask for this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from causalvae.alignment.support import Ellipse, fit_ellipse
from causalvae.alignment.variables import kind_of
from causalvae.analyses.counterfactuals.generator import Generator
from causalvae.data.factors import FloatArray, Rows
from causalvae.data.others import Others, Release
from causalvae.data.pairs import draw_samples
from causalvae.engine.cohorts import draw_cohort
from causalvae.engine.donors import choose_donors
from causalvae.engine.execute import choose_device
from causalvae.engine.measurements import write_table
from causalvae.engine.pictures import to_png
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.engine.tables import read_table
from causalvae.errors import NoPairsError
from causalvae.files import DamagedFileError, discard, read_sealed
from causalvae.plan.resolve import Resolver, joint_patches
from causalvae.plan.types import Cohort, Patch, Side, Treatment
from causalvae.session import Session
from causalvae.spec.value_source import DonorKey, make_source

if TYPE_CHECKING:
    from causalvae.analyses.counterfactuals.section import CounterfactualsAnalysis

BoolArray = npt.NDArray[np.bool_]
Point = Literal["input", "data", "output", "back", "repeated", "swapped"]

OBSERVED: Final = 1000
"""Samples that the attributes' standard deviations, and the ellipse that holds the factors, are taken over."""
REPEATED: Final = 64
"""Of the samples this many are passed through the network again and again: what that gives is shown and not judged."""
EXAMPLES: Final = 3
_AT_ONCE = 64
_TABLES = ("observed", "values", "pictures")


@dataclass(frozen=True)
class CounterfactualTables:
    """What was measured.

    Parameters
    ----------
    observed : DataFrame
        Inputs of the data: ``factor:NAME`` and ``input:ATTRIBUTE``.
    values : DataFrame
        One row for each input, output and repetition. ``factor`` and ``other``: what is set, empty for what is not.
        ``point``: ``input`` x, ``data`` the data's counterfactual, ``output`` f(x, A := a), ``back`` A set and set
        back `cycles` times, ``repeated`` x reconstructed `cycles` times; of two factors ``output`` is f_B(f_A(x)) and
        ``swapped`` f_A(f_B(x)). ``sample`` (int). ``inside``: whether the counterfactual input and the donor lie where
        the data are. ``value``: the factor's, of ``input`` and ``data`` alone. ``pixels``: mean squared difference of
        the output's numbers from x; of ``output`` from the data's counterfactual, of ``swapped`` from ``output``. Then
        a column for each attribute, ``attribute:NAME``.
    pictures : DataFrame
        ``factor``, ``point``, ``cycles``, ``sample``, ``png`` (bytes) of a few samples; empty where outputs are no
        pictures.
    """

    observed: pd.DataFrame
    values: pd.DataFrame
    pictures: pd.DataFrame


def measure_counterfactuals(
    session: Session, section: CounterfactualsAnalysis, folder: Path, on_progress: OnProgress = ignore_progress
) -> CounterfactualTables:
    """The tables of a session's mapping, read from `folder` where it has them.

    Parameters
    ----------
    session : Session
    section : CounterfactualsAnalysis
    folder : Path
        Takes a Parquet file for each table; belongs to these settings, data and weights alone.
    on_progress : callable
    """
    paths = {name: folder / f"{name}.parquet" for name in _TABLES}
    kept = [_is_kept(path) for path in paths.values()]
    if not all(kept):
        found = _Run(session, section, on_progress).measure()
        for name, path in paths.items():
            write_table(getattr(found, name), path)
    return CounterfactualTables(**{name: read_table(path) for name, path in paths.items()})


def _is_kept(path: Path) -> bool:
    """Whether a table was measured before; a damaged one is deleted."""
    if not path.exists():
        return False
    try:
        read_sealed(path)
    except DamagedFileError:
        discard(path, "counterfactuals are measured again")
        return False
    return True


@dataclass(frozen=True)
class _Setting:
    """One factor set in samples of the test part.

    Parameters
    ----------
    factor : str
    patches : tuple of Patch
        Of the components that are mapped to it.
    base, counterfactual : array, shape (n, width)
        Samples, and the same with the factor set and all else held.
    forth, back : array, shape (n, width)
        Other samples, with the factor set to what it is in `counterfactual` and in `base`.
    """

    factor: str
    patches: tuple[Patch, ...]
    base: Rows
    counterfactual: Rows
    forth: Rows
    back: Rows

    def __len__(self) -> int:
        return len(self.base)


@dataclass
class _Run:
    session: Session
    section: CounterfactualsAnalysis
    on_progress: OnProgress
    _values: list[dict[str, Any]] = field(default_factory=list)
    _pictures: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        execution = self.session.spec.execution
        self._device = choose_device(execution.device)
        self._rows = execution.batch_rows if isinstance(execution.batch_rows, int) else _AT_ONCE
        self._generator = Generator(self.session.model, self._device, self._rows)
        self._cycles = sorted({1, self.section.cycles})

    @torch.inference_mode()
    def measure(self) -> CounterfactualTables:
        """All tables."""
        settings = [found for factor in self.session.graph.factors if (found := self._set(factor)) is not None]
        pairs = list(combinations(settings, 2))
        steps = 1 + len(settings) + len(pairs)
        self._tell(0, steps)
        observed, rows = self._observe()
        for batch in self._batches(min(len(rows), REPEATED)):
            self._repeat(rows[batch], batch)
        self._tell(1, steps)
        ellipse = self._ellipse(observed)
        for done, setting in enumerate(settings):
            for batch in self._batches(len(setting)):
                self._apply(setting, batch, ellipse)
            for batch in self._batches(min(len(setting), REPEATED)):
                self._there_and_back(setting, batch, ellipse)
            self._tell(2 + done, steps)
        for done, (first, second) in enumerate(pairs):
            for batch in self._batches(min(len(first), len(second), REPEATED)):
                self._commute(first, second, batch)
            self._tell(2 + len(settings) + done, steps)
        pictures = pd.DataFrame(self._pictures, columns=["factor", "point", "cycles", "sample", "png"])
        return CounterfactualTables(observed, pd.concat(map(pd.DataFrame, self._values), ignore_index=True), pictures)

    def _tell(self, done: int, total: int) -> None:
        self.on_progress(Progress("counterfactuals", done, total, "steps"))

    def _batches(self, samples: int) -> Iterator[slice]:
        for first in range(0, samples, self._rows):
            yield slice(first, min(first + self._rows, samples))

    def _set(self, factor: str) -> _Setting | None:
        """The samples that a factor is set in; None where it is not mapped or the data cannot set it."""
        session, seed = self.session, self.section.seed
        space, spec = session.dataset.space, session.spec
        if factor not in spec.mapping or factor not in space.names or not space[factor].settable:
            return None
        resolver = Resolver(spec, session.model.components)
        found = resolver.find(f"${factor}", f"mapping.{factor}")
        patches = joint_patches(found, make_source("interchange"), f"mapping.{factor}")
        others = held_others(session)
        treatment = Treatment(f"do({factor})", factor, None, others, "as_drawn")
        try:
            drawn = draw_cohort(
                session.dataset, Cohort(treatment.name, self.section.samples, seed, treatment), session.split
            )
        except NoPairsError:
            return None
        if len(drawn.rows["base"]) < 2:
            return None

        def donors(side: Side) -> Rows:
            return choose_donors(session.dataset, drawn.rows, DonorKey(seed, factor, side, imposed=True), others).rows

        return _Setting(
            factor,
            patches,
            drawn.rows["base"],
            drawn.rows["counterfactual"],
            donors("counterfactual"),
            donors("base"),
        )

    def _observe(self) -> tuple[pd.DataFrame, Rows]:
        """Inputs of the test part as they are."""
        session = self.session
        within = session.split.within(session.dataset, "test")
        rows = draw_samples(session.dataset, max(OBSERVED, self.section.samples), self.section.seed, within)
        attributes = [self._attributes(self._inputs(rows[batch])) for batch in self._batches(len(rows))]
        names, values = session.dataset.space.names, session.dataset.values(rows)
        frame = {f"factor:{name}": values[:, place] for place, name in enumerate(names)}
        read = {f"input:{name}": np.concatenate([part[name] for part in attributes]) for name in session.readouts}
        return pd.DataFrame({**frame, **read}), rows

    def _ellipse(self, observed: pd.DataFrame) -> Ellipse | None:
        spec = self.session.completed_spec
        numbers = [
            name
            for name in self.session.graph.factors
            if f"factor:{name}" in observed and kind_of(spec, name, self.session.periods)[0] == "numeric"
        ]
        return fit_ellipse(observed, numbers)[0]

    def _repeat(self, rows: Rows, batch: slice) -> None:
        """Reconstructions of reconstructions: as often as a sample is passed through by all cycles."""
        x, noise = self._inputs(rows), self._noise(batch)
        wanted = {*self._cycles, *(2 * cycles for cycles in self._cycles)}
        known = self._attributes(x)
        self._note("input", batch, known, np.zeros(len(x)))
        again = x
        for cycle in range(1, max(wanted) + 1):
            again = self._generator.reconstruct(again, noise)
            if cycle in wanted:
                self._note("repeated", batch, self._attributes(again), self._distance(again, x), cycles=cycle)

    def _apply(self, setting: _Setting, batch: slice, ellipse: Ellipse | None) -> None:
        x, data = self._inputs(setting.base[batch]), self._inputs(setting.counterfactual[batch])
        donated = self._donate(setting, batch, setting.forth)
        output = self._generator.intervene(x, self._noise(batch), setting.patches, donated)
        inside = self._inside(setting, batch, ellipse)
        self._record("input", setting, batch, x, x, inside, values=self._values_of(setting, setting.base[batch]))
        values = self._values_of(setting, setting.counterfactual[batch])
        self._record("data", setting, batch, data, x, inside, values=values)
        self._record("output", setting, batch, output, data, inside)

    def _there_and_back(self, setting: _Setting, batch: slice, ellipse: Ellipse | None) -> None:
        x, noise = self._inputs(setting.base[batch]), self._noise(batch)
        ways = [self._donate(setting, batch, rows) for rows in (setting.forth, setting.back)]
        inside = self._inside(setting, batch, ellipse)
        now = x
        for cycle in range(1, max(self._cycles) + 1):
            for donated in ways:
                now = self._generator.intervene(now, noise, setting.patches, donated)
            if cycle in self._cycles:
                self._record("back", setting, batch, now, x, inside, cycle)

    def _commute(self, first: _Setting, second: _Setting, batch: slice) -> None:
        x, noise = self._inputs(first.base[batch]), self._noise(batch)
        donated = {setting.factor: self._donate(setting, batch, setting.forth) for setting in (first, second)}

        def through(*order: _Setting) -> Tensor:
            now = x
            for setting in order:
                now = self._generator.intervene(now, noise, setting.patches, donated[setting.factor])
            return now

        one, other = through(first, second), through(second, first)
        points: tuple[tuple[Point, Tensor], ...] = (("output", one), ("swapped", other))
        for point, value in points:
            distance = self._distance(value, one)
            self._note(point, batch, self._attributes(value), distance, first.factor, second.factor)

    def _donate(self, setting: _Setting, batch: slice, donors: Rows) -> Mapping[str, Tensor]:
        return self._generator.donate(self._inputs(donors[batch]), self._noise(batch), setting.patches)

    def _record(
        self,
        point: Point,
        setting: _Setting,
        batch: slice,
        value: Tensor,
        reference: Tensor,
        inside: BoolArray,
        cycles: int = 0,
        values: FloatArray | float = np.nan,
    ) -> None:
        distance = self._distance(value, reference)
        attributes = self._attributes(value)
        self._note(point, batch, attributes, distance, setting.factor, cycles=cycles, inside=inside, values=values)
        self._show(point, batch, value, setting.factor, cycles)

    def _values_of(self, setting: _Setting, rows: Rows) -> FloatArray:
        dataset = self.session.dataset
        return dataset.values(rows)[:, dataset.space.position(setting.factor)]

    def _inside(self, setting: _Setting, batch: slice, ellipse: Ellipse | None) -> BoolArray:
        """Which samples' counterfactual inputs and donors lie where the data are."""
        inside = np.ones(batch.stop - batch.start, dtype=bool)
        if ellipse is None:
            return inside
        names = self.session.dataset.space.names
        for rows in (setting.counterfactual, setting.forth):
            values = self.session.dataset.values(rows[batch])
            inside &= ellipse.holds(pd.DataFrame(values, columns=[f"set:factor:{name}" for name in names]), "set")
        return inside

    def _inputs(self, rows: Rows) -> Tensor:
        return self.session.dataset.inputs(rows).to(self._device)

    def _noise(self, batch: slice) -> Tensor:
        """The noise of the samples' latents, the same in every run of a sample."""
        shape = self.session.model.vae.latent_shape
        draws = [
            np.random.default_rng([self.section.seed, sample]).standard_normal(shape, dtype=np.float32)
            for sample in range(batch.start, batch.stop)
        ]
        return torch.from_numpy(np.stack(draws)).to(self._device)

    def _outputs(self, x: Tensor) -> Tensor:
        """The part of inputs that outputs stand for."""
        return self.session.model.vae.target(x).float()

    def _attributes(self, x: Tensor) -> Mapping[str, FloatArray]:
        values = self.session.measure(self._outputs(x)).double().cpu().numpy()
        return {name: values[:, place] for place, name in enumerate(self.session.readouts)}

    def _distance(self, value: Tensor, reference: Tensor) -> FloatArray:
        """Mean squared difference of outputs, shape (n,)."""
        away = (self._outputs(value) - self._outputs(reference)).double().flatten(1)
        return np.asarray(away.square().mean(1).cpu().numpy())

    def _note(
        self,
        point: Point,
        batch: slice,
        attributes: Mapping[str, FloatArray],
        pixels: FloatArray,
        factor: str = "",
        other: str = "",
        cycles: int = 0,
        inside: BoolArray | bool = True,
        values: FloatArray | float = np.nan,
    ) -> None:
        samples = np.arange(batch.start, batch.stop)
        self._values.append(
            {"factor": factor, "other": other, "point": point, "cycles": cycles, "sample": samples, "inside": inside}
            | {"value": values, "pixels": pixels}
            | {f"attribute:{name}": column for name, column in attributes.items()}
        )

    def _show(self, point: Point, batch: slice, value: Tensor, factor: str, cycles: int) -> None:
        if self.session.whole.name != "image":
            return
        for sample in range(batch.start, min(batch.stop, EXAMPLES)):
            png = to_png(self._outputs(value)[sample - batch.start])
            self._pictures.append({"factor": factor, "point": point, "cycles": cycles, "sample": sample, "png": png})


def held_others(session: Session) -> Others:
    """All other declared factors are held; variables that the graph does not declare follow where factors make them."""
    facts = session.spec.data.facts()
    if facts is None or not facts.structural:
        return "hold"
    undeclared = tuple(name for name in session.dataset.space.names if name not in session.spec.graph.factors)
    return Release(undeclared) if undeclared else "hold"
