"""Tables of the alignment: every pair in three columns, interchange accuracies."""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.alignment.interchange import GOOD
from causalvae.alignment.types import Alignment, Effect, Interchange, Link, PairCheck, Share
from causalvae.report.alignment_words import pair_words, size_words
from causalvae.report.glossary import status_words
from causalvae.report.numbers import ABSENT, format_count, format_interval, percent
from causalvae.report.tables import Table, columns

GRAPH_WORDS = {
    "present": "✓ as declared",
    "absent": "✓ as declared",
    "missing": "✗ absent",
    "undeclared": "✗ not declared",
    "reversed": "✗ reversed",
    "undecided": "? undecided",
    "untested": "not tested",
}
LINK_WORDS = {
    "kept": "✓ kept",
    "none": "✓ none",
    "lost": "✗ lost",
    "added": "✗ invented",
    "undecided": "? undecided",
    "untested": "not tested",
}


def pair_table(alignment: Alignment, every: bool = True) -> Table:
    """Every pair, or only those that are declared or depart."""
    shown = [
        check for check in alignment.pairs if every or check.declared or check.status not in ("absent", "untested")
    ]
    rows = tuple(_row(check) for check in shown)
    return Table(
        "Every pair: graph, data, network, mapping" if every else "Declared pairs, and pairs that disagree",
        columns(
            "From",
            "To",
            "Declared",
            "Data (sd)#",
            "Graph",
            "Network#",
            "Kept by the network",
            "Mapping#",
            "Kept by the mapping",
            "In all",
        ),
        rows,
        (
            f"Data: root mean square change under do(From), all other declared factors held, in standard deviations "
            f"of To over the data; below {alignment.tolerance:g} counts as none. Network and mapping: the share of the "
            "effect that arrives (lost below 80 %), or the change in sd where there should be none (invented above "
            "0.25 sd).",
        ),
    )


def compact_table(alignment: Alignment) -> Table:
    """The pairs that are declared or depart, for a terminal."""
    shown = [check for check in alignment.pairs if check.declared or check.status not in ("absent", "untested")]
    quiet = len(alignment.pairs) - len(shown)
    return Table(
        "Agreement of graph, data, network and mapping",
        columns("Pair", "Graph", "Data (sd)#", "Network#", "Mapping#", "In all"),
        tuple(
            (
                f"{check.source} → {check.target}",
                "declared" if check.declared else ABSENT,
                ABSENT if check.data is None else f"{GRAPH_WORDS[check.graph][:1]} {check.data.value:.2f}",
                _compact(check.network),
                _compact(check.mapping),
                status_words(check.status),
            )
            for check in shown
        ),
        (*_level_notes(shown), *([f"{quiet} other pairs: not declared, and absent or not tested."] if quiet else [])),
    )


def _level_notes(checks: Sequence[PairCheck]) -> list[str]:
    """Effects that are present at some levels only."""
    return [f"Not on average, but present: {pair_words(check)}." for check in checks if check.levels]


def _compact(link: Link | None) -> str:
    if link is None or link.status == "untested":
        return ABSENT
    words = size_words(link.effect) if link.share is None else percent(link.share)
    return f"{LINK_WORDS[link.status][:1]} {words}"


def _row(check: PairCheck) -> tuple[str, ...]:
    graph = GRAPH_WORDS[check.graph]
    if check.levels:
        graph += " at " + ", ".join(f"{level.moderator} = {level.level}" for level in check.levels)
    return (
        check.source,
        check.target,
        "yes" if check.declared else "no",
        _effect_words(check.data),
        graph,
        *_link_words(check.network),
        *_link_words(check.mapping),
        status_words(check.status),
    )


def _effect_words(effect: Effect | None) -> str:
    return ABSENT if effect is None else format_interval(effect.value, effect.lower, effect.upper)


def _link_words(link: Link | None) -> tuple[str, str]:
    if link is None:
        return ABSENT, ABSENT
    if link.share is not None:
        return percent(link.share), LINK_WORDS[link.status]
    return size_words(link.effect), LINK_WORDS[link.status]


def interchange_table(alignment: Alignment) -> Table:
    """Interchange accuracy of every mapped factor, the worst first."""
    ordered = sorted(alignment.interchanges, key=lambda found: found.accuracy.value)
    return Table(
        "Interchange accuracy of the mapping",
        columns(
            "Factor",
            "Accuracy [interval]#",
            "Result",
            "No swap#",
            "Random latents#",
            "Untrained#",
            "Against the data#",
            "Its ceiling#",
            "Pairs#",
        ),
        tuple(
            (
                found.factor,
                _share_words(found.accuracy),
                "✓ right"
                if found.accuracy.lower >= GOOD
                else "✗ wrong"
                if found.accuracy.upper < GOOD
                else "? undecided",
                *(ABSENT if share is None else f"{share.value:.2f}" for share in _beside(found)),
                format_count(found.accuracy.n),
            )
            for found in ordered
        ),
        (
            "The mapped components take their values from another sample in which the factor has its counterfactual "
            "value. An interchange is right if every attribute is within 0.25 sd of the network's output for the "
            "counterfactual input. Against the data: compared with the counterfactual input itself; the ceiling is "
            "the accuracy that the network's reconstruction allows. No swap, random latents and random weights are "
            "comparisons that should be lower. A network that shows no change is often right.",
        ),
    )


def graph_table(alignment: Alignment) -> Table:
    """The declared graph and its rivals, held against the same data."""
    return Table(
        "Graphs on the same run",
        columns(
            "Graph",
            "Pairs as claimed#",
            "Wrong#",
            "Undecided#",
            "Independencies violated#",
            "Wrong pairs",
            "Same independencies as",
            "Not distinguished from",
        ),
        tuple(
            (
                _graph_name(graph.name),
                f"{graph.count.as_declared} of {graph.count.total}",
                format_count(graph.count.wrong),
                format_count(graph.count.undecided),
                f"{graph.violated} of {graph.implied}",
                ", ".join(f"{source} → {target}" for source, target in graph.wrong) or ABSENT,
                ", ".join(map(_graph_name, graph.same_class)) or ABSENT,
                ", ".join(map(_graph_name, graph.undistinguished)) or ABSENT,
            )
            for graph in alignment.graphs
        ),
        (
            "Only interventions can distinguish graphs with the same independencies; graphs that are not "
            "distinguished differ in no pair that this run decides.",
        ),
    )


def _graph_name(name: str) -> str:
    return name or "declared"


def _beside(found: Interchange) -> tuple[Share | None, ...]:
    return found.nothing, found.random, found.untrained, found.against_data, found.ceiling


def _share_words(share: Share) -> str:
    return format_interval(share.value, share.lower, share.upper)


def support_words(alignment: Alignment) -> str:
    """How many counterfactual inputs lie where the data are; empty where all do."""
    support = alignment.support
    if support.outside is None:
        return ""
    return (
        f"Factors are correlated (up to {support.correlation:.2f}): {percent(support.outside)} of the counterfactual "
        "inputs lie outside the ellipse that holds 99 % of the data. Network and mapping are judged on the others."
    )
