"""A sceptic's trial: trained networks whose truth is computed here, true nulls, and planted failures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from causalvae.alignment.change_tests import weigh_absence, weigh_presence, weigh_share
from causalvae.alignment.independencies import IndependenceTester
from causalvae.alignment.variables import Variable
from tests.trials.referee import conditional
from tests.trials.referee.discoveries import findings
from tests.trials.referee.screens import PLANTS, RIGHT, misses
from tests.trials.referee.verdicts import Case, cases, judged

Row = dict[str, Any]
# Seeds of the second round; the first ran 0 to 5.
FIRST = 50


def run(scale: float) -> list[Row]:
    """Try everything again: 1.0 takes about half an hour of one core, 0.01 a few seconds."""
    chosen = list(cases(max(1, round(2 * scale)), FIRST))
    return [
        *_verdicts(chosen if scale >= 0.1 else [], 96),
        *_discoveries(chosen if scale >= 0.1 else []),
        *_conditional(round(20 * scale)),
        *_screens(round(scale)),
        *_nulls(max(2, round(60 * scale))),
        *_bounds(max(50, round(2000 * scale))),
    ]


def _row(what: str, tried: int, failed: int, note: str = "") -> Row:
    return {"what": what, "tried": tried, "failed": failed, "note": note}


def _verdicts(chosen: list[Case], pairs: int) -> Iterator[Row]:
    found = [each for case in chosen for each in judged(case, pairs, 1)]
    if not found:
        return
    false = [said for _, truth, said in found if not truth.is_true]
    kept = [said for _, truth, said in found if not truth.refutable]
    unlike = [(truth, said) for _, truth, said in found if said == "unspecific"]
    true = [said for _, truth, said in found if truth.is_true]
    decided = f"{true.count('supported')} of {len(true)} true claims are supported"
    yield _row("claims on trained networks that are false: supported", len(false), false.count("supported"), decided)
    yield _row("claims on trained networks without a false bound: refuted", len(kept), kept.count("refuted"))
    yield _row(
        "claims called unspecific without a rival that meets them", len(unlike),
        sum(not truth.rival_meets for truth, _ in unlike),
    )  # fmt: skip


def _discoveries(chosen: list[Case]) -> Iterator[Row]:
    found = [each for case in chosen for each in findings(case, 96, 1, halves=2)]
    if not found:
        return
    supported = [each for each in found if each.discovery.verdict and each.discovery.verdict.status == "supported"]
    short = sum(not each.is_sufficient for each in supported)
    yield _row("circuits found and supported that do not carry 80 %", len(supported), short)
    larger = sum(bool(each.smaller) for each in found)
    yield _row("circuits found although a smaller one carries 90 %", len(found), larger)


def _conditional(seeds: int) -> Iterator[Row]:
    found = [each for seed in range(FIRST, FIRST + seeds) for each in conditional.judged(seed, 96, 2)]
    if not found:
        return
    false = [said for is_true, said in found if not is_true]
    true = [said for is_true, said in found if is_true]
    near = f"bounds within {max(conditional.NEAR)} of what is true"
    yield _row("claims on conditional networks that are false: supported", len(false), false.count("supported"), near)
    yield _row("claims on conditional networks that are true: refuted", len(true), true.count("refuted"), near)


def _screens(seeds: int) -> Iterator[Row]:
    for seed in range(FIRST, FIRST + seeds):
        for plant in (RIGHT, *PLANTS):
            wrong = misses(seed, plant)
            yield _row(f"first screen, {plant.what}", 1, int(bool(wrong)), wrong)


def _nulls(draws: int) -> Iterator[Row]:
    """Two functions of one variable with noise of their own are independent given it."""
    relations = {"a jump": lambda z: (z > 0.5) * 1.0, "two waves": lambda z: np.sin(12 * z), "a line": lambda z: z}
    rows = 800 if draws > 5 else 250
    for name, relation in relations.items():
        rejected = 0
        for seed in range(draws):
            rng = np.random.default_rng([FIRST, seed])
            z = rng.random(rows)
            columns = {key: relation(z) + 0.3 * rng.standard_normal(rows) for key in "xy"} | {"z": z}
            tester = IndependenceTester({key: Variable(key, values) for key, values in columns.items()})
            rejected += tester.covariance("x", "y", ("z",)).p_value <= 0.05
        yield _row(
            f"independencies given {name}: rejected more often than a level of 0.05 allows", 1,
            int(rejected > _most(draws)), f"{rejected} of {draws} rejected",
        )  # fmt: skip


def _bounds(draws: int) -> Iterator[Row]:
    """Every decision of the alignment exactly on its bound."""
    counts = dict.fromkeys(("kept", "lost", "present", "absent"), 0)
    for seed in range(draws):
        rng = np.random.default_rng([FIRST, seed])
        reference = rng.standard_normal(512)
        changes = reference * (rng.random(512) < 0.8)
        counts["kept"] += weigh_share(changes, reference, 0.8, True) <= 0.05
        counts["lost"] += weigh_share(changes, reference, 0.8, False) <= 0.05
        counts["present"] += weigh_presence(reference**2, 1.0) <= 0.05
        counts["absent"] += weigh_absence(reference**2, 1.0) <= 0.05
    for name, count in counts.items():
        note = f"{count} of {draws}"
        yield _row(f"effects exactly on the bound: {name} more often than 0.05", 1, int(count > _most(draws)), note)


def _most(draws: int) -> float:
    """What a rate of 0.05 gives at most, with four standard errors."""
    return float(0.05 * draws + 4 * np.sqrt(0.05 * 0.95 * draws))


if __name__ == "__main__":
    import json
    import sys

    for row in run(float(sys.argv[1])):
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
