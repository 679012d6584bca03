"""What differs between two runs: spec, identities, verdicts, effects."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from causalvae.boundary import coded
from causalvae.circuits.types import Verdict
from causalvae.effects.types import Estimate
from causalvae.errors import CausalVAEError
from causalvae.outcome import RunOutcome, load_run
from causalvae.spec import load_spec

# Of the manifest: what a run read and what it ran in. Its other digests follow from these and from the spec.
_IDENTITIES: Final = ("model digest", "causalvae", "torch", "numpy", "scipy", "dowhy", "python", "platform")


@dataclass(frozen=True)
class KeyChange:
    """A value that differs; None where one side lacks it."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True)
class VerdictChange:
    """A hypothesis whose status differs; None where one side does not have it."""

    hypothesis: str
    before: Verdict | None
    after: Verdict | None


@dataclass(frozen=True)
class EffectChange:
    """An estimate that differs by more than its interval allows.

    Parameters
    ----------
    before, after : Estimate
    lower, upper : float
        Interval of the difference ``after - before``, which does not contain 0.
    """

    before: Estimate
    after: Estimate
    lower: float
    upper: float

    @property
    def difference(self) -> float:
        """``after - before``."""
        return self.after.value - self.before.value


@dataclass(frozen=True)
class RunDiff:
    """What differs between two runs.

    Parameters
    ----------
    before, after : Path
        The runs' folders.
    keys : tuple of KeyChange
        Of the resolved specs.
    identities : tuple of KeyChange
        Of the network, the data and the software.
    verdicts : tuple of VerdictChange
    effects : tuple of EffectChange
        The largest change in units of its interval first.
    compared : int
        Estimates with an interval that both runs have.
    only_before, only_after : int
        Estimates with an interval that one run alone has.
    """

    before: Path
    after: Path
    keys: tuple[KeyChange, ...]
    identities: tuple[KeyChange, ...]
    verdicts: tuple[VerdictChange, ...]
    effects: tuple[EffectChange, ...]
    compared: int
    only_before: int
    only_after: int

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(
            self.keys or self.identities or self.verdicts or self.effects or self.only_before or self.only_after
        )


@coded
def diff_runs(before: str | Path, after: str | Path) -> RunDiff:
    """Compare two runs; nothing is run.

    Parameters
    ----------
    before, after : str or Path
        Folders of runs.

    Raises
    ------
    CausalVAEError
        CV450 to CV452 where results cannot be read, CV432 where a folder has no spec.
    """
    old, new = load_run(before), load_run(after)
    effects, compared, only_before, only_after = _effects(old.results.estimates, new.results.estimates)
    return RunDiff(
        old.folder,
        new.folder,
        _changes(_spec_values(old.folder), _spec_values(new.folder)),
        _changes(_identities(old), _identities(new)),
        _verdicts(old.results.verdicts, new.results.verdicts),
        effects,
        compared,
        only_before,
        only_after,
    )


def _spec_values(folder: Path) -> dict[str, Any]:
    path = folder / "spec.yaml"
    if not path.is_file():
        raise CausalVAEError(
            "CV432", "The folder has no resolved spec.", "Name a folder that `causalvae run` printed.", str(path)
        )
    return flatten(load_spec(path).model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"base"}))


def flatten(value: Any, path: str = "") -> dict[str, Any]:
    """Nested values by their paths, as `--set` takes them; a list without named entries is one value."""
    if isinstance(value, Mapping) and value:
        inner: Iterable[tuple[str, Any]] = value.items()
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        inner = ((item["name"], item) for item in value)
    else:
        return {path: value}
    found: dict[str, Any] = {}
    for key, held in inner:
        found |= flatten(held, f"{path}.{key}" if path else key)
    return found


def _identities(run: RunOutcome) -> dict[str, Any]:
    results = run.results
    found = {name: results.manifest[name] for name in _IDENTITIES if name in results.manifest}
    # Of all that is known of the data but which samples were drawn, which the spec says.
    return found | ({} if results.draw is None else {"data digest": results.draw.digest})


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[KeyChange, ...]:
    keys = dict.fromkeys((*before, *after))
    return tuple(KeyChange(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key))


def _verdicts(before: Iterable[Verdict], after: Iterable[Verdict]) -> tuple[VerdictChange, ...]:
    old = {verdict.hypothesis: verdict for verdict in before}
    new = {verdict.hypothesis: verdict for verdict in after}
    changes = (VerdictChange(name, old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new)))
    return tuple(
        change
        for change in changes
        if change.before is None or change.after is None or change.before.status != change.after.status
    )


def _effects(before: Iterable[Estimate], after: Iterable[Estimate]) -> tuple[tuple[EffectChange, ...], int, int, int]:
    old, new = _by_meaning(before), _by_meaning(after)
    both = [key for key in old if key in new]
    changes = [change for key in both if (change := _change(old[key], new[key])) is not None]

    def size(change: EffectChange) -> float:
        width = change.upper - change.lower
        return abs(change.difference) / width if width > 0 else math.inf

    changes.sort(key=size, reverse=True)
    return tuple(changes), len(both), len(old) - len(both), len(new) - len(both)


def _by_meaning(estimates: Iterable[Estimate]) -> dict[tuple[Any, ...], Estimate]:
    """Estimates with an interval by all that says what they are estimates of."""
    found: dict[tuple[Any, ...], Estimate] = {}
    times: Counter[tuple[Any, ...]] = Counter()
    for each in estimates:
        if each.lower is None or each.upper is None or not math.isfinite(each.value):
            continue
        key: tuple[Any, ...] = (
            each.owner, each.estimand, each.treatment, each.outcome, str(each.component), each.granularity,
            each.source, each.direction, each.estimator, each.unit,
        )  # fmt: skip
        found[(*key, times[key])] = each
        times[key] += 1
    return found


def _change(before: Estimate, after: Estimate) -> EffectChange | None:
    """The change of an estimate; None where the interval of the difference contains 0."""
    lower, upper = difference_interval((before.value, *_bounds(before)), (after.value, *_bounds(after)))
    return EffectChange(before, after, lower, upper) if lower > 0 or upper < 0 else None


def _bounds(estimate: Estimate) -> tuple[float, float]:
    return (
        estimate.value if estimate.lower is None else estimate.lower,
        estimate.value if estimate.upper is None else estimate.upper,
    )


def difference_interval(before: tuple[float, float, float], after: tuple[float, float, float]) -> tuple[float, float]:
    """Interval of the difference of two independent estimates, from the interval of each.

    Parameters
    ----------
    before, after : tuple of float
        Value, lower and upper bound.

    Returns
    -------
    lower, upper : float
        Of ``after - before``. It is too wide where both are of the same draws, so that a change is not named too soon.

    References
    ----------
    Zou, G. Y. and Donner, A. (2008), Construction of confidence limits about effect measures: a general approach,
    Statistics in Medicine 27, 1693-1702.
    """
    (old, old_low, old_high), (new, new_low, new_high) = before, after
    lower = new - old - math.hypot(new - new_low, old_high - old)
    upper = new - old + math.hypot(new_high - new, old - old_low)
    return lower, upper
