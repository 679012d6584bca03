"""Keeps ``results.json`` below a size: the largest parts are shortened, and a warning says which."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from causalvae.circuits.types import Verdict
from causalvae.effects.types import Estimate
from causalvae.report.effects_file import EFFECTS_FILE
from causalvae.report.json_report import FILE_NAME, plain_values, render_json
from causalvae.report.numbers import format_count
from causalvae.results import Results

# A little below 5 MB, for the warning.
MOST_JSON: Final = 4_900_000

# Parts that are left out whole, with what stands in their place.
_WHOLE: Final[dict[str, Any]] = {"pictures": None, "traversals": (), "alignment": None, "scores": None, "analyses": {}}
# Parts of which the first entries are kept.
_LISTS: Final = (
    "estimates", "units", "refutations", "screens", "sweeps", "metrics", "cross_checks", "arrows", "costs",
)  # fmt: skip
_DETAILS: Final = "details of verdicts"


def fit_results(results: Results, most: int = MOST_JSON) -> Results:
    """The results, shortened until their JSON has at most about `most` bytes.

    Of the largest part that may be shortened half is left out, or all of what is no list, until the rest fits. Verdicts
    stay; what they say of single pairs, sets of units and other ways of patching is a part. So do estimates that
    concern no component.

    Parameters
    ----------
    results : Results
    most : int
    """
    size = len(render_json(results).encode())
    if size <= most:
        return results
    sizes = {name: _size(_part(results, name)) for name in (*_WHOLE, *_LISTS, _DETAILS)}
    kept = results
    while size > most and max(sizes.values()) > 0:
        name = max(sizes, key=lambda part: sizes[part])
        before = sizes[name]
        kept = _shorten(kept, name)
        sizes[name] = _size(_part(kept, name))
        size -= before - sizes[name]
        if sizes[name] == before:
            # Nothing of it may be left out.
            sizes[name] = 0
    return replace(kept, warnings=(*kept.warnings, _words(results, kept, most)))


def _part(results: Results, name: str) -> Any:
    """What `_shorten` may leave out of a part."""
    if name == _DETAILS:
        return [_details(verdict) for verdict in results.verdicts]
    value = getattr(results, name)
    return [estimate for estimate in value if _may_go(estimate)] if name == "estimates" else value


def _size(part: Any) -> int:
    # An empty part, and one that is not there, takes nothing.
    return len(json.dumps(plain_values(part), indent=1)) if part else 0


def _shorten(results: Results, name: str) -> Results:
    if name == _DETAILS:
        return replace(results, verdicts=tuple(map(_without_details, results.verdicts)))
    if name in _WHOLE:
        return replace(results, **{name: _WHOLE[name]})
    entries: Sequence[Any] = getattr(results, name)
    may_go: Callable[[Any], bool] = _may_go if name == "estimates" else lambda entry: True
    room = sum(map(may_go, entries)) // 2
    kept = []
    for entry in entries:
        if not may_go(entry):
            kept.append(entry)
        elif room:
            kept.append(entry)
            room -= 1
    changed: dict[str, Any] = {name: tuple(kept)}
    return replace(results, **changed)


def _may_go(estimate: Estimate) -> bool:
    return bool(estimate.component)


def _details(verdict: Verdict) -> list[Any]:
    found = (verdict.failing, verdict.subsets, verdict.multiverse, verdict.manifolds, verdict.selections)
    return [part for part in found if part]


def _without_details(verdict: Verdict) -> Verdict:
    return replace(verdict, failing=None, subsets=None, multiverse=None, manifolds=(), selections=())


def _words(whole: Results, kept: Results, most: int) -> str:
    said = []
    for name in _LISTS:
        all_of, some = len(getattr(whole, name)), len(getattr(kept, name))
        if some < all_of:
            said.append(f"{format_count(all_of - some)} of {format_count(all_of)} {name.replace('_', ' ')}")
    said += [name for name in _WHOLE if getattr(whole, name) and not getattr(kept, name)]
    if _size(_part(kept, _DETAILS)) < _size(_part(whole, _DETAILS)):
        said.append(_DETAILS)
    return (
        f"{FILE_NAME} and the reports omit {', '.join(said)}, which would make it larger than "
        f"{round(most / 1e6, 1):g} MB. {EFFECTS_FILE} has every effect."
    )
