"""Pairs of every declared edge, circuit and treatment as pictures: those with the largest and the smallest effect.

Which pairs are instructive is known once effects are, so these runs come after the others. Their outputs are those that
the tables were measured on, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from causalvae.effects.context import EffectContext
from causalvae.effects.outcomes import IMAGE, difference, output_squares
from causalvae.engine.execute import choose_device
from causalvae.engine.picked import PickedOutputs, run_picked
from causalvae.engine.runner import PlanRunner
from causalvae.engine.statistics import merge
from causalvae.engine.subspaces.learning import learned_statistics
from causalvae.engine.values import padded_rows
from causalvae.plan.draft import INTERCHANGE
from causalvae.plan.owner import Owner
from causalvae.plan.relays import with_inner
from causalvae.plan.resolve import Resolver, joint_patches
from causalvae.plan.targets import NOTHING, Target, set_of
from causalvae.plan.types import OBSERVED, OUTPUT, Arm, Plan, Use
from causalvae.results import FactorChange, Frame, FrameRole, PairChoice, PairPictures, Pictures, ShownPair
from causalvae.session import Session
from causalvae.shown_outputs import PAIR_BYTES, FloatArray, focused, output_facts
from causalvae.spec.picture import OutputFacts, Picture, picture_of

Numbers = npt.NDArray[np.float64]

_CHOICES: Final[tuple[PairChoice, ...]] = ("largest", "smallest", "typical")
# Interventions that are run for pictures, and what that may cost: a share of the run, or this many operations.
_MOST: Final = 60
_SHARE, _FREE_FLOPS = 0.1, 5e10
# Numbers of a sweep that are held while its strongest component is found.
_HELD: Final = 1_000_000


@dataclass(frozen=True)
class _Wanted:
    """Pairs of one intervention that are worth a picture.

    `patched` is None for treatments; `total` and `effect` are changes of the outcome, shape (n,).
    """

    owners: tuple[Owner, ...]
    clean: Arm
    outcome: str
    total: Numbers
    edge: tuple[str, str] | None = None
    patched: Arm | None = None
    component: Target = NOTHING
    effect: Numbers | None = None

    @property
    def chosen(self) -> tuple[tuple[PairChoice, int], ...]:
        """The pairs with the largest and the smallest effect and, but for an edge, the median one."""
        sizes = np.abs(self.total if self.effect is None or self.edge else self.effect)
        known = np.flatnonzero(np.isfinite(sizes))
        order = known[np.argsort(sizes[known], kind="stable")]
        if not len(order):
            return ()
        places = dict(zip(_CHOICES, (-1, 0, (len(order) - 1) // 2), strict=True))
        found: dict[int, PairChoice] = {}
        for choice in _CHOICES[: 2 if self.edge else 3]:
            found.setdefault(int(order[places[choice]]), choice)
        return tuple((choice, pair) for pair, choice in found.items())


def pair_pictures(session: Session, context: EffectContext) -> Pictures:
    """What interventions do to a few pairs of each.

    Parameters
    ----------
    session : Session
    context : EffectContext
        Of the run.
    """
    facts, plan = output_facts(session), context.plan
    if OUTPUT not in plan.outputs:
        return Pictures(facts)
    wanted = list(_wanted(session, context))
    affordable = wanted[: _affordable(session, plan, wanted)]
    runs = _run(session, context, affordable)
    facts = focused(facts, (run.change for found in runs for run in found))
    shown, left_out = _within_budget(session, context, affordable, runs, facts)
    return Pictures(facts, shown, left_out + sum(len(item.chosen) for item in wanted[len(affordable) :]))


def _wanted(session: Session, context: EffectContext) -> Iterator[_Wanted]:
    """Hypotheses, mediations, declared edges, the strongest component of each sweep, and treatments.

    Where there is no room for all, those that come first are shown.
    """
    circuits: dict[tuple[str, str], _Wanted] = {}
    spec, arms = context.spec, {arm.id: arm for arm in context.plan.arms}
    asked = [(Owner.hypothesis(item.name), item.outcome) for item in spec.hypotheses]
    interventions = [(Owner.intervention(item.name), item) for item in spec.interventions]
    asked += [(owner, item.level.pictured_outcome) for owner, item in interventions]
    for owner, outcome in asked:
        for use in context.plan.uses_of(owner, "sufficiency")[:1]:
            found = _patched(context, arms, owner, use, outcome)
            known = circuits.get((use.arm, outcome))
            circuits[use.arm, outcome] = found if known is None else replace(known, owners=(*known.owners, owner))
    yield from circuits.values()
    yield from _edges(session, context)
    for owner, _ in interventions:
        yield from _strongest(context, arms, owner)
    for owner, item in interventions:
        if item.input_level is not None:
            base, other = _clean(context.plan, arms, owner)
            changes = context.changes(base.id, other.id, IMAGE)
            yield _Wanted((owner,), base, IMAGE, changes.total(context.outcomes.pairs((base.id, other.id))))


def _edges(session: Session, context: EffectContext) -> Iterator[_Wanted]:
    """Every declared edge from a factor that is set to an attribute, with the factor's components patched."""
    plan, arms = context.plan, {arm.id: arm for arm in context.plan.arms}
    resolver = Resolver(session.spec, session.model.components)
    for factor, attribute in session.spec.graph.edge_pairs:
        owner = Owner("network", factor)
        if attribute not in plan.attributes or not plan.uses_of(owner, "counterfactual"):
            continue
        base, other = _clean(plan, arms, owner)
        total = context.changes(base.id, other.id, attribute).total(context.outcomes.pairs((base.id, other.id)))
        patched, component = None, NOTHING
        if factor in session.spec.mapping and attribute in session.readouts:
            found = resolver.find(f"${factor}", owner)
            patched, component = replace(base, patches=joint_patches(found, INTERCHANGE, owner)), set_of(found)
        yield _Wanted((owner,), base, attribute, total, (factor, attribute), patched, component)


def _clean(plan: Plan, arms: dict[str, Arm], owner: Owner) -> tuple[Arm, Arm]:
    (base,), (other,) = (plan.uses_of(owner, role)[:1] for role in ("base", "counterfactual"))
    return arms[base.arm], arms[other.arm]


def _patched(context: EffectContext, arms: dict[str, Arm], owner: Owner, use: Use, outcome: str) -> _Wanted:
    base, other = _clean(context.plan, arms, owner)
    n = context.outcomes.pairs((base.id, other.id, use.arm))
    changes = context.changes(base.id, other.id, outcome)
    effect = changes.carried((use.arm,), n)[0]
    return _Wanted((owner,), base, outcome, changes.total(n), None, arms[use.arm], use.component, effect)


def _strongest(context: EffectContext, arms: dict[str, Arm], owner: Owner) -> Iterator[_Wanted]:
    """The component of a sweep that moves the whole output most, on each side."""
    outcomes = context.outcomes
    uses = [use for use in context.plan.uses_of(owner, "sweep") if use.arm not in context.left_out]
    if not uses:
        return
    clean = _clean(context.plan, arms, owner)
    for start in clean:
        mine = [use for use in uses if arms[use.arm].side == start.side and not _is_fitted(arms[use.arm])]
        if not mine:
            continue
        n = outcomes.pairs((*(arm.id for arm in clean), *(use.arm for use in mine)))
        side = None if start.side == "base" else start.id
        use, squares = mine[0], -np.ones(n)
        step = max(1, _HELD // max(n, 1))
        for first in range(0, len(mine), step):
            some = mine[first : first + step]
            found = np.nan_to_num(output_squares(outcomes, [each.arm for each in some], side, n))
            best = int(found.mean(axis=1).argmax())
            if found[best].mean() > squares.mean():
                use, squares = some[best], found[best]
        total = np.sqrt(outcomes.values(clean[1].id, "image_sq", n))
        yield _Wanted((owner,), start, IMAGE, total, None, arms[use.arm], use.component, np.sqrt(squares))


def _is_fitted(arm: Arm) -> bool:
    """Whether a value is searched for on pairs of its own, which takes longer than a picture is worth."""
    return any(patch.source.is_fitted for inner in with_inner([arm]) for patch in inner.patches)


def most_forwards(session: Session, plan: Plan) -> float:
    """What `pair_pictures` runs at most, in whole forward passes: three pairs of each intervention."""
    return min(_allowed(plan) / max(session.model.components.flops, 1.0), 3.0 * padded_rows(3) * _MOST)


def _allowed(plan: Plan) -> float:
    """Operations that pictures may take."""
    return max(_FREE_FLOPS, _SHARE * (plan.passes[-1].flops_after if plan.passes else 0.0))


def _affordable(session: Session, plan: Plan, wanted: Sequence[_Wanted]) -> int:
    """How many of `wanted` may be run."""
    forward = session.model.components.flops
    allowed = _allowed(plan)
    pairs: dict[str, set[int]] = {}
    rows = 0
    for count, item in enumerate(wanted[:_MOST]):
        pairs.setdefault(item.clean.cohort, set()).update(pair for _, pair in item.chosen)
        rows += padded_rows(3) * (item.patched is not None)
        if forward * (rows + sum(2 * padded_rows(len(found)) for found in pairs.values())) > allowed:
            return count
    return min(len(wanted), _MOST)


@dataclass(frozen=True)
class _PairRun:
    """Inputs and outputs of one pair, what is patched there, and how far that moves the outcome."""

    pair: int
    values: dict[FrameRole, FloatArray]
    change: FloatArray
    effect: float | None


_Runs = list[list[_PairRun]]


def _run(session: Session, context: EffectContext, wanted: Sequence[_Wanted]) -> _Runs:
    plan = context.plan
    arms = tuple({item.patched.id: item.patched for item in wanted if item.patched is not None}.values())
    cohorts = dict.fromkeys(item.clean.cohort for item in wanted)
    # Sources may need to know the values over the observed cohort.
    drawn = tuple(cohort for cohort in plan.cohorts if cohort.name in cohorts or cohort.name == OBSERVED)
    part = replace(
        plan, cohorts=drawn, arms=arms, uses=(), screens=(), traversals=(),
        contrasts=(), claims={},
    )  # fmt: skip
    device = choose_device(session.spec.execution.device)
    runner = PlanRunner(part, session.model, session.dataset, session.measure, device)
    found: dict[str, tuple[list[int], PickedOutputs, dict[str, Tensor]]] = {}
    for name in cohorts:
        pairs = sorted({pair for item in wanted if item.clean.cohort == name for _, pair in item.chosen})
        mine = [arm for arm in arms if arm.cohort == name]
        known = learned_statistics(plan, name, context.measurements.subspaces)
        outputs = run_picked(runner, name, mine, pairs, merge(runner.statistics(name, mine), known))
        patched = {arm.id: values for arm, values in zip(mine, outputs.patched, strict=True)}
        found[name] = pairs, outputs, patched
    return [[_pair_run(session, item, pair, *found[item.clean.cohort]) for _, pair in item.chosen] for item in wanted]


def _pair_run(
    session: Session, item: _Wanted, pair: int, pairs: list[int], outputs: PickedOutputs, patched: dict[str, Tensor]
) -> _PairRun:
    row = pairs.index(pair)
    values: dict[FrameRole, FloatArray] = {
        "base": outputs.inputs["base"][row].cpu().numpy(),
        "counterfactual": outputs.inputs["counterfactual"][row].cpu().numpy(),
        "decoded": outputs.clean["base"][row].cpu().numpy(),
        "decoded_counterfactual": outputs.clean["counterfactual"][row].cpu().numpy(),
    }
    if item.patched is None:
        return _PairRun(pair, values, values["decoded_counterfactual"] - values["decoded"], None)
    before, after = outputs.clean[item.patched.side][row], patched[item.patched.id][row]
    values["patched"] = after.cpu().numpy()
    if item.effect is not None:
        effect = float(item.effect[pair])
    else:
        # The patch of an edge is run for its picture alone.
        measured = (
            session.measure(torch.stack([before, after])).cpu().numpy()[:, list(session.readouts).index(item.outcome)]
        )
        effect = float(difference(measured[1:], measured[:1], session.periods.get(item.outcome))[0])
    return _PairRun(pair, values, (after - before).cpu().numpy(), effect)


def _within_budget(
    session: Session, context: EffectContext, wanted: Sequence[_Wanted], runs: _Runs, facts: OutputFacts
) -> tuple[tuple[PairPictures, ...], int]:
    """Pictures of first the largest effects of all, then the smallest, then typical ones, until there is no room."""
    kind, room, left_out = picture_of(facts), PAIR_BYTES, 0
    kept: list[list[ShownPair]] = [[] for _ in wanted]
    for rank in range(len(_CHOICES)):
        for place, (item, found) in enumerate(zip(wanted, runs, strict=True)):
            if rank >= len(found):
                continue
            shown = _shown(session, context, item, item.chosen[rank][0], found[rank], kind, facts)
            size = sum(kind.size(frame.datum) for frame in shown.frames)
            if size > room:
                left_out += 1
                continue
            room -= size
            kept[place].append(shown)
    return tuple(
        PairPictures(
            item.owners, item.edge, item.clean.cohort, item.component,
            item.clean.side if item.patched is None else item.patched.side,
            "" if item.patched is None else item.patched.patches[0].source.kind, context.scale.label(item.outcome),
            context.scale.unit(item.outcome), int(np.isfinite(item.total).sum()), tuple(pairs),
        )
        for item, pairs in zip(wanted, kept, strict=True)
        if pairs
    ), left_out  # fmt: skip


def _shown(
    session: Session,
    context: EffectContext,
    item: _Wanted,
    choice: PairChoice,
    run: _PairRun,
    kind: type[Picture],
    facts: OutputFacts,
) -> ShownPair:
    frames = [Frame(role, kind.keep(array, facts)) for role, array in run.values.items()]
    frames.append(Frame("change", kind.keep_change(run.change, facts)))
    factors = tuple(_factors(session, context, item.clean.cohort, run.pair))
    return ShownPair(choice, run.pair, factors, float(item.total[run.pair]), run.effect, tuple(frames))


def _factors(session: Session, context: EffectContext, cohort: str, pair: int) -> Iterator[FactorChange]:
    """The factors that differ between the inputs of a pair."""
    table = context.measurements.pairs
    row = table[(table["cohort"] == cohort) & (table["pair"] == pair)].iloc[0]
    for name in session.dataset.space.names:
        before, after = float(row[f"base:{name}"]), float(row[f"counterfactual:{name}"])
        if before != after:
            labels = session.labels.get(name, {})
            yield FactorChange(name, labels.get(before, before), labels.get(after, after))
