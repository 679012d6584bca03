"""The alignment in words: one sentence for each of graph, network and mapping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from causalvae.alignment.interchange import GOOD, WITHIN
from causalvae.alignment.types import Alignment, Link, LinkCount, LinkStatus, PairCheck
from causalvae.report.numbers import percent

Mark = Literal["✓", "✗", "?"]

_MOST = 4


@dataclass(frozen=True)
class Sentence:
    """One part of the headline: ✗ if something is shown to be wrong, ✓ if all is shown to be right, else ?."""

    mark: Mark
    text: str


def headline_sentences(alignment: Alignment) -> tuple[Sentence, ...]:
    """Graph, network and mapping, each with the pairs that depart; empty where the graph has no pair."""
    if not alignment.pairs:
        return ()
    return (_graph(alignment), _network(alignment), _mapping(alignment))


def headline_words(alignment: Alignment) -> str:
    """The headline as one line of text."""
    return " ".join(sentence.text for sentence in headline_sentences(alignment))


def pair_words(check: PairCheck) -> str:
    """Why a pair departs, or is what it is, by the first link that says so."""
    arrow = f"{check.source} → {check.target}"
    effect = "" if check.data is None else f" ({size_words(check.data.value)})"
    match check.graph:
        case "missing":
            return f"{arrow} is declared but absent{effect}"
        case "undeclared":
            return f"{arrow} is present{_at_levels(check) or effect} and not declared"
        case "reversed":
            return f"{arrow} is declared, but the effect has the opposite direction" if check.declared else ""
    for link, name in ((check.network, "the network"), (check.mapping, "the mapping")):
        if link is not None and link.status == "lost":
            return f"{name} loses {arrow} (carries {percent(link.share)})"
        if link is not None and link.status == "added":
            return f"{name} invents {arrow} ({size_words(link.effect)})"
    return f"{arrow}{_at_levels(check) or effect}"


def _graph(alignment: Alignment) -> Sentence:
    count, checks = alignment.headline.graph, alignment.pairs
    parts = [f"{count.as_declared} of {count.total} pairs as declared", f"{count.wrong} wrong"]
    parts.append(f"{count.undecided} undecided")
    if count.untested:
        parts.append(f"{count.untested} not tested")
    wrong = sorted(
        (check for check in checks if check.graph in ("missing", "undeclared", "reversed") and pair_words(check)),
        # What is there and not declared comes first, the largest of it at the head.
        key=lambda check: (check.graph == "missing", -_largest(check)),
    )
    tested = [check for check in checks if check.data is not None]
    of = "the data" if all(check.basis != "network" for check in tested) else "the data and the latents"
    note = ""
    if any(check.basis == "association" for check in checks):
        note = "; association given the labels, edges between factors: not tested"
    if not tested:
        return Sentence("?", f"Graph: not tested ({count.total} pairs).")
    counted = ", ".join(parts) + note
    if wrong:
        return Sentence("✗", f"Graph: disagrees with {of} ({counted}): {_some(map(pair_words, wrong))}.")
    if count.undecided or count.untested:
        return Sentence("?", f"Graph: nothing wrong is shown ({counted}).")
    return Sentence("✓", f"Graph: agrees with {of} ({counted}).")


def _network(alignment: Alignment) -> Sentence:
    lost, invented = alignment.headline.lost, alignment.headline.invented
    links = [(check, check.network) for check in alignment.pairs if check.network is not None]
    parts = [
        f"loses {_count(lost)} effects{_named(links, 'lost')}",
        f"invents {_count(invented)}{_named(links, 'added')}",
    ]
    worst = alignment.headline.worst_reconstruction
    shown = "" if worst is None else f" (worst reconstruction: {worst.attribute}, {size_words(worst.error)})"
    if not lost.tested and not invented.tested:
        return Sentence("?", f"Network: not tested{shown}.")
    mark = _mark((lost, invented))
    if mark == "✓" and worst is not None and worst.error > WITHIN:
        # All effects are right and the values are not, as where a constant is added to them.
        mark = "?"
        parts.append(f"but does not reproduce {worst.attribute}")
    return Sentence(mark, f"Network: {', '.join(parts)}{shown}.")


def _mapping(alignment: Alignment) -> Sentence:
    found = alignment.headline
    total = len(found.mapped) + len(found.unmapped)
    if not found.mapped:
        return Sentence("?", "Mapping: not tested (no factor is mapped).")
    links = [(check, check.mapping) for check in alignment.pairs if check.mapping is not None]
    counts = (found.missing, found.spurious)
    mark, parts = _mark(counts), []
    if found.missing.departs or found.spurious.departs:
        relations = "relation" if found.missing.departs == 1 else "relations"
        parts.append(
            f"{found.missing.departs} {relations} missing{_named(links, 'lost')} and "
            f"{found.spurious.departs} spurious{_named(links, 'added')}"
        )
    undecided = sum(count.undecided for count in counts)
    tested = sum(count.tested for count in counts)
    if undecided:
        parts.append(f"{undecided} of {tested} relations undecided")
    if not tested:
        parts.append("no relation could be tested")
    unmapped = f" (not tested: {', '.join(found.unmapped)})" if found.unmapped else ""
    parts.append(f"{len(found.mapped)} of {total} factors mapped{unmapped}")
    worst, tests = found.worst_interchange, alignment.interchanges
    head = "the mapping is wrong; " if mark == "✗" else ""
    if worst is None:
        parts.append("interchange accuracy not tested")
    else:
        parts.append(f"worst interchange accuracy {worst.accuracy.value:.2f} ({worst.factor})")
    untested = [name for name in found.mapped if name not in {test.factor for test in tests}]
    if untested and tests:
        parts.append(f"interchange accuracy not tested for {', '.join(untested)}")
    # Factors have different numbers of pairs, so the lowest accuracy is not always the one that is shown to be low.
    failing = [test.factor for test in tests if test.accuracy.upper < GOOD]
    if failing:
        head = head or f"interchange accuracy too low for {', '.join(failing)}; "
        mark = "✗"
    elif mark == "✓" and (untested or any(test.accuracy.lower < GOOD for test in tests)):
        mark = "?"
    return Sentence(mark, f"Mapping: {head}{'; '.join(parts)}.")


def _mark(counts: Sequence[LinkCount]) -> Mark:
    if any(count.departs for count in counts):
        return "✗"
    return "?" if any(count.undecided for count in counts) or not any(count.tested for count in counts) else "✓"


def _count(count: LinkCount) -> str:
    undecided = f" ({count.undecided} undecided)" if count.undecided else ""
    return f"{count.departs} of {count.tested}{undecided}"


def _named(links: Iterable[tuple[PairCheck, Link]], status: LinkStatus) -> str:
    departing = [(check, link) for check, link in links if link.status == status]
    departing.sort(key=lambda item: item[1].share if item[1].share is not None else -item[1].effect)
    shown = [
        f"{check.source} → {check.target}, {size_words(link.effect) if link.share is None else percent(link.share)}"
        for check, link in departing
    ]
    return f" ({_some(shown)})" if shown else ""


def size_words(effect: float) -> str:
    """A change in standard deviations: to two decimals, since less means nothing."""
    return f"{effect:.2f} sd"


def _largest(check: PairCheck) -> float:
    sizes = [level.effect.value for level in check.levels]
    return max([*sizes, 0.0 if check.data is None else check.data.value])


def _at_levels(check: PairCheck) -> str:
    if not check.levels:
        return ""
    shown = [f"{level.moderator} = {level.level}, {size_words(level.effect.value)}" for level in check.levels[:_MOST]]
    return f" for {'; '.join(shown)}"


def _some(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = len(listed) - _MOST
    return "; ".join(listed[:_MOST]) + (f"; {more} more in the table of pairs" if more > 0 else "")
