"""The answer of a comparison or a study: which network carries what where, and which is better at what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from causalvae.circuits.types import STATUSES
from causalvae.report.blocks import Answer, AnswerLine, Mark
from causalvae.report.effect_tables import SENT
from causalvae.report.first_screen import checks_of
from causalvae.report.measure_labels import MEASURE_LABELS
from causalvae.report.numbers import format_count, format_interval, p_words
from causalvae.report.verdict_words import reason
from causalvae.results import Results
from causalvae.spec.measures import MeasureName
from causalvae.study.types import Group, RankCorrelation, StudyResults

# Whether more of it is better; other measures describe a network and do not rank it.
HIGHER_IS_BETTER: Final[dict[MeasureName, bool]] = {
    MeasureName.RECONSTRUCTION: False,
    MeasureName.SPECIFICITY: True,
    MeasureName.MEDIATED_SHARE: True,
    MeasureName.POLYSEMANTIC_SHARE: False,
    MeasureName.EFFECTS_KEPT: True,
    MeasureName.EFFECTS_INVENTED: False,
    MeasureName.WORST_INTERCHANGE: True,
    MeasureName.DISENTANGLEMENT: True,
    MeasureName.MIG: True,
    MeasureName.SAP: True,
    MeasureName.FACTOR_VAE: True,
    MeasureName.BETA_VAE: True,
    MeasureName.IRS: True,
}
_MOST_LINES, _FEW_SEEDS = 8, 5


@dataclass(frozen=True)
class _Ranked:
    """A number of one network, with its interval where it has one."""

    name: str
    value: float
    lower: float | None
    upper: float | None

    @property
    def words(self) -> str:
        """The number and its interval."""
        return f"{self.name} {format_interval(self.value, self.lower, self.upper)}"

    @property
    def share_words(self) -> str:
        """The same, of a share in percent."""
        ends = (None if end is None else 100 * end for end in (self.lower, self.upper))
        return f"{self.name} ({format_interval(100 * self.value, *ends)} % of the effect)"

    def is_apart_from(self, other: _Ranked) -> bool:
        """Whether the two intervals do not overlap."""
        if self.lower is None or self.upper is None or other.lower is None or other.upper is None:
            return False
        return self.lower > other.upper or other.lower > self.upper


def study_answer(study: StudyResults) -> Answer:
    """What was found, and how certain it is."""
    sides = {run.name: run.results for run in study.runs if run.results is not None}
    found = [*_claims(sides), *_carriers(sides)]
    for data in dict.fromkeys(group.data for group in study.groups) or [""]:
        found += _better(study, data)
    found += _correlated(study.correlations)
    return Answer(tuple(found) or (AnswerLine("?", "The networks cannot be compared."),), tuple(_certain(study, sides)))


def _claims(sides: Mapping[str, Results]) -> list[AnswerLine]:
    """Each claim, with the networks that it holds for."""
    names = dict.fromkeys(verdict.hypothesis for results in sides.values() for verdict in results.verdicts)
    lines = []
    for name in names:
        held = {
            side: verdict
            for side, results in sides.items()
            for verdict in results.verdicts
            if verdict.hypothesis == name
        }
        groups = {s: [side for side, verdict in held.items() if verdict.status == s] for s in STATUSES}
        told = "; ".join(f"{status} on {', '.join(members)}" for status, members in groups.items() if members)
        statuses = {verdict.status for verdict in held.values()}
        mark: Mark = "•" if len(statuses) > 1 else "✓" if statuses == {"supported"} else "?"
        mark = "✗" if statuses == {"refuted"} else mark
        details = tuple(f"{side}: {reason(verdict, brief=True)}" for side, verdict in held.items())
        claim = next(iter(held.values())).words
        lines.append(AnswerLine(mark, f"{claim}: {told}.", details=details, anchor="verdicts"))
    return lines[:_MOST_LINES]


def _carriers(sides: Mapping[str, Results]) -> list[AnswerLine]:
    """For each mediation and outcome: the components of each network, and the share that they carry."""
    places: dict[tuple[str, str], list[_Ranked]] = {}
    for side, results in sides.items():
        outcomes = {(e.owner, e.outcome) for e in results.estimates if e.estimand in SENT and e.estimator == "exact"}
        seen = set()
        for e in results.estimates:
            key = e.owner, e.outcome
            is_share = e.estimand in ("mediated_share", "path_share") and e.estimator == "exact"
            if is_share and key in outcomes and key not in seen and e.outcome != results.whole.name:
                seen.add(key)
                label = f"on {side} through {e.component.label}"
                where = (e.treatment or e.owner.name, results.graph.outcome_words(e.outcome))
                places.setdefault(where, []).append(_Ranked(label, e.value, e.lower, e.upper))
    return [
        AnswerLine(
            "•",
            f"{treatment} reaches {outcome} {'; '.join(found.share_words for found in shares)}.",
            anchor="mediation",
        )
        for (treatment, outcome), shares in list(places.items())[:_MOST_LINES]
        if len(shares) > 1
    ]


def _better(study: StudyResults, data: str) -> list[AnswerLine]:
    """The network that is best at each measure, those that are shown to be first."""
    lines: list[tuple[bool, str]] = []
    for name, higher in HIGHER_IS_BETTER.items():
        ranked = sorted(_values(study, data, name), key=lambda one: -one.value if higher else one.value)
        if len(ranked) < 2 or ranked[0].value == ranked[1].value:
            continue
        best, second = ranked[:2]
        shown = best.is_apart_from(second)
        known = None not in (best.lower, second.lower)
        sure = "shown: intervals apart" if shown else "not shown: intervals overlap" if known else "without intervals"
        least = "largest" if higher else "least"
        lines.append((shown, f"{MEASURE_LABELS[name]}, {least} is best: {best.words}; {second.words} ({sure})"))
    if not lines:
        return []
    lines.sort(key=lambda line: not line[0])
    certain = sum(shown for shown, _ in lines)
    where = f" on {data}" if data else ""
    return [
        AnswerLine(
            "•",
            f"Which is better at what{where}: {certain} of {len(lines)} measures show a difference between the best "
            "network and the next.",
            details=tuple(text for _, text in lines[:_MOST_LINES]),
            anchor="grid" if study.groups else "networks",
        )
    ]


def _values(study: StudyResults, data: str, name: MeasureName) -> list[_Ranked]:
    if study.groups:
        return [
            _Ranked(group.model, group.means[name], group.lowers.get(name), group.uppers.get(name))
            for group in study.groups
            if group.data == data and name in group.means
        ]
    found = ((run.name, run.measure(name)) for run in study.runs)
    return [_Ranked(side, m.value, m.lower, m.upper) for side, m in found if m is not None and m.value is not None]


def _correlated(correlations: Sequence[RankCorrelation]) -> list[AnswerLine]:
    """Whether interventions and classical scores rank networks alike, over as many networks as there are."""
    if not correlations:
        return []
    most = max(found.n for found in correlations)
    pooled = [found for found in correlations if found.n == most]
    strongest = sorted(pooled, key=lambda found: found.p_value)[:3]
    details = tuple(
        f"{MEASURE_LABELS[c.left]} and {MEASURE_LABELS[c.right]}: rank correlation "
        f"{format_interval(c.value, c.lower, c.upper)} ({p_words(c.p_value)})"
        for c in strongest
    )
    text = f"Measures that rank {format_count(most)} networks alike, the clearest of {len(pooled)} pairs:"
    return [AnswerLine("•", text, details=details, anchor="correlations")]


def _certain(study: StudyResults, sides: Mapping[str, Results]) -> list[AnswerLine]:
    lines = []
    if study.groups:
        lines.append(_seeds([group for group in study.groups if group.networks]))
    for side, results in sides.items():
        lines += [
            AnswerLine(line.mark, f"{side}: {line.text}", anchor="reports") for line in checks_of(results)
        ]  # fmt: skip
    return lines


def _seeds(groups: Sequence[Group]) -> AnswerLine:
    fewest, most = (choose((group.networks for group in groups), default=0) for choose in (min, max))
    count = str(fewest) if fewest == most else f"{fewest} to {most}"
    text = f"{count} seeds for each of {len(groups)} kinds of network and data; intervals are over seeds."
    return AnswerLine("?" if fewest < _FEW_SEEDS else "✓", text, anchor="networks")
