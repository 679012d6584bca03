"""Comparison of readouts with true factor values, on inputs and on reconstructions.

Requirements on inputs to pass:

- dSprites: those of the `judge` of the kind;
- probe: accuracy of at least 0.99;
- other data, all readouts with a name in the data's `truth`: R^2 of at least `least_r2` of the kind; for cyclic values,
  a mean resultant length of at least 0.99 and a mean error below a hundredth of the period. Samples with undefined
  truth are ignored.

R^2 is 1 - (sum of squared errors) / (sum of squares about the mean) without fitting, so a readout with the wrong unit
or sign fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from causalvae.readouts.probe import Probe
from causalvae.readouts.readout import Features, ProbeOutput, Readout, read_all
from causalvae.readouts.types import FloatArray, ReadoutCheck, Seen, r_squared, rms

IntArray = npt.NDArray[np.int64]
Rows = npt.NDArray[Any]

PROBE_ACCURACY = 0.99
CYCLE_RESULTANT = 0.99
CYCLE_BIAS = 0.01

BATCH_ROWS = 256


class LabelledData(Protocol):
    """The interface of data sets for checks; implemented by `causalvae.data.dataset.Dataset`."""

    @property
    def space(self) -> Any:
        """Factors: ``names``, ``position(name)``, and ``[name].labels``."""
        ...

    def values(self, rows: Rows) -> FloatArray:
        """Values of the factors, shape (n, n_factors)."""
        ...

    def inputs(self, rows: Rows) -> Tensor:
        """Inputs, shape (n, *input_shape)."""
        ...

    def truth(self, rows: Rows) -> Mapping[str, FloatArray]:
        """True values of readouts by name, each of shape (n,)."""
        ...


def check_readouts(
    dataset: LabelledData,
    readouts: Mapping[str, Readout],
    reconstruct: Callable[[Tensor], Tensor],
    rows: Rows,
    reconstructed: Callable[[Tensor], Tensor] = lambda images: images,
    batch_rows: int = BATCH_ROWS,
) -> tuple[ReadoutCheck, ...]:
    """Compare each readout with the true factor values.

    Parameters
    ----------
    dataset : LabelledData
        Data set with samples and truth.
    readouts : mapping
        Attribute -> readout, from `build_readouts`.
    reconstruct : callable
        Maps inputs, (n, 1, height, width) on the CPU, to reconstructions on any device.
    rows : array, shape (n, width)
        Distinct rows of the data set.
    reconstructed : callable
        Maps inputs to the part that is reconstructed; the identity if omitted.
    batch_rows : int
        Rows that are reconstructed at once.

    Returns
    -------
    tuple of ReadoutCheck
        One for each attribute with a truth in the data, in the order of `readouts`. See the docstring of the module for
        the requirements for `passed`, which do not depend on the network.
    """
    values = dataset.values(rows)
    probes = {readout.probe.target: readout.probe for readout in readouts.values() if isinstance(readout, ProbeOutput)}
    inputs, outputs = _find_all(dataset, readouts, probes, reconstruct, reconstructed, rows, batch_rows)
    truth = dataset.truth(rows)
    # The truth of dSprites is the centre of rotation; for a heart that is not the centre of mass.
    sprites = "position x" in truth
    checks = []
    for column, readout in enumerate(readouts.values()):
        found, rebuilt = inputs.values[:, column], outputs.values[:, column]
        if isinstance(readout, ProbeOutput):
            target = readout.probe.target
            if target in dataset.space.names:
                names = np.asarray(dataset.space[target].labels)[_levels(dataset.space, target, values)]
                checks.append(_check_probe(readout, names, inputs.guesses[target], outputs.guesses[target]))
        elif not sprites and readout.name in truth:
            checks += _check_value(readout, truth[readout.name], found, rebuilt)
        elif readout.judge is not None and readout.name in truth:
            groups = _groups(dataset.space, values)
            checks.append(readout.judge(Seen(readout.attribute, readout.name, truth, groups, found, rebuilt)))
    return tuple(checks)


@dataclass(frozen=True)
class _Found:
    """Values of attributes, (n, n_attributes), and the most likely level of each probe, (n,)."""

    values: FloatArray
    guesses: dict[str, npt.NDArray[np.str_]]


@torch.no_grad()
def _find_all(
    dataset: LabelledData,
    readouts: Mapping[str, Readout],
    probes: Mapping[str, Probe],
    reconstruct: Callable[[Tensor], Tensor],
    reconstructed: Callable[[Tensor], Tensor],
    rows: Rows,
    batch_rows: int,
) -> tuple[_Found, _Found]:
    batches: tuple[list[_Found], list[_Found]] = ([], [])
    for start in range(0, len(rows), batch_rows):
        images = dataset.inputs(rows[start : start + batch_rows])
        for kind, batch in zip(batches, (reconstructed(images), reconstruct(images)), strict=True):
            features = Features(batch.cpu())
            guesses = {
                target: np.asarray(probe.labels)[features.probabilities(probe).argmax(dim=1).numpy()]
                for target, probe in probes.items()
            }
            kind.append(_Found(read_all(readouts, features).numpy(), guesses))
    inputs, outputs = (
        _Found(
            np.concatenate([part.values for part in kind]),
            {target: np.concatenate([part.guesses[target] for part in kind]) for target in probes},
        )
        for kind in batches
    )
    return inputs, outputs


def _levels(space: Any, factor: str, values: FloatArray) -> IntArray:
    """Levels of one factor, shape (n,), from values of all factors, shape (n, n_factors)."""
    found: IntArray = space[factor].levels_at(values[:, space.position(factor)])
    return found


def _groups(space: Any, values: FloatArray) -> dict[str, npt.NDArray[np.bool_]]:
    """Masks of the samples with each shape, (n,); one group of all samples if there is no factor of that name."""
    if "shape" not in space.names or not space["shape"].labels:
        return {"all": np.ones(len(values), dtype=bool)}
    column = _levels(space, "shape", values)
    groups = {label: column == level for level, label in enumerate(space["shape"].labels)}
    return {label: chosen for label, chosen in groups.items() if chosen.sum() > 1}


def _check_value(readout: Readout, truth: FloatArray, found: FloatArray, rebuilt: FloatArray) -> list[ReadoutCheck]:
    """Compare a readout with the truth; no check if the truth is constant."""
    defined = np.isfinite(truth)
    truth, found, rebuilt = truth[defined], found[defined], rebuilt[defined]
    if len(truth) < 2 or np.ptp(truth) == 0:
        return []
    least = f"Of {len(defined)} samples it is defined for {len(truth)}. " if len(truth) < len(defined) else ""
    if readout.period is None:
        r2 = r_squared(truth, found)
        metric, values = "R^2", (r2, r_squared(truth, rebuilt))
        passed = r2 >= readout.least_r2
        note = f"RMS error {rms(found - truth):.3g} {readout.unit} on inputs, {rms(rebuilt - truth):.3g} on "
    else:
        turns = [np.exp(2j * np.pi * (seen - truth) / readout.period).mean() for seen in (found, rebuilt)]
        metric, values = "mean resultant length of the error", (float(abs(turns[0])), float(abs(turns[1])))
        bias = [float(np.angle(turn)) / (2 * np.pi) for turn in turns]
        passed = values[0] >= CYCLE_RESULTANT and abs(bias[0]) < CYCLE_BIAS
        note = (
            f"Mean error {bias[0] * readout.period:+.3g} {readout.unit} on inputs, {bias[1] * readout.period:+.3g} on "
        )
    return [
        ReadoutCheck(
            attribute=readout.attribute,
            readout=readout.name,
            against=f"what the data says, in {readout.unit}",
            metric=metric,
            on_inputs=values[0],
            on_reconstructions=values[1],
            n=len(truth),
            passed=passed,
            note=f"{least}{note}reconstructions.",
        )
    ]


def _check_probe(
    readout: ProbeOutput,
    truth: npt.NDArray[np.str_],
    found: npt.NDArray[np.str_],
    rebuilt: npt.NDArray[np.str_],
) -> ReadoutCheck:
    accuracy = float((found == truth).mean())
    return ReadoutCheck(
        attribute=readout.attribute,
        readout=readout.name,
        against=f"{readout.probe.target}, {len(readout.probe.labels)} levels",
        metric="accuracy of the likeliest level",
        on_inputs=accuracy,
        on_reconstructions=float((rebuilt == truth).mean()),
        n=len(truth),
        passed=accuracy >= PROBE_ACCURACY,
        note=(
            "A trained network reads this attribute: what it finds on a reconstruction mixes the decoder's error with "
            f"its own. Held-out accuracy when trained: {readout.probe.metadata.get('held_out_accuracy', 'unknown')}."
        ),
    )
