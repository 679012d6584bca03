"""All sets of a site's units: certified circuits, uniqueness, Shapley values; by hand, by hooks, and in simulations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest

import causalvae
from causalvae.circuits import Verdict
from causalvae.circuits.subsets import certify, examine_subsets, order_units, shapley_values, studentise_margins
from causalvae.circuits.table import CircuitTable, MeasuredCircuits
from causalvae.circuits.types import Subsets
from causalvae.effects.bootstrap import PairedBootstrap, paired_bootstrap
from causalvae.models.components import ComponentRef
from causalvae.plan.types import ClaimDesign
from causalvae.report.circuit_findings import circuit_findings
from causalvae.report.verdict_words import reason
from causalvae.session import open_session
from causalvae.spec.schema import Hypothesis
from tests.circuits.case_networks import case_spec, hooked, pairs_of, run_case
from tests.circuits.test_verdict_size import most_allowed
from tests.effects.synthetic import Array, make_hypothesis

UNITS = 4
UNIQUE = {"mediated_share": {"at_least": 0.7}, "unique": True, "special": False}
CLAIM = Hypothesis.model_validate(make_hypothesis(expect=UNIQUE))
Decoder = Callable[[Array], Array]


def every_set(decode: Decoder, own: tuple[int, ...], n: int, seed: int, alike: float = 0.5) -> CircuitTable:
    """All sets of four latents that the treatment moves alike, patched by indexing; row 0 is the claimed circuit."""
    rng = np.random.default_rng(seed)
    z = 0.05 * rng.normal(size=(n, UNITS))
    z_cf = z + alike * rng.uniform(0.5, 1.5, size=(n, 1)) + (1 - alike) * rng.uniform(0.5, 1.5, size=z.shape)
    sets = [own, *(units for size in range(1, UNITS + 1) for units in combinations(range(UNITS), size))]
    start = decode(z)
    total = decode(z_cf) - start
    effects = []
    for units in sets:
        latents = z.copy()
        latents[:, list(units)] = z_cf[:, list(units)]
        effects.append(decode(latents) - start)
    found = np.stack(effects)
    circuits = tuple((ComponentRef("latent", units),) for units in sets)
    measured = {"sufficiency": MeasuredCircuits((total - found) ** 2, found * total)}
    return CircuitTable(circuits, total**2, measured, subsets=tuple(range(1, len(sets))), pairs=n)  # type: ignore[arg-type]


def examine(table: CircuitTable, resamples: int = 600) -> Subsets:
    design = ClaimDesign(table.circuits[0], enumerated="sites")
    found = examine_subsets(table, CLAIM, design, paired_bootstrap(len(table.total), resamples, 0.95, 0), 0.05)
    assert found is not None
    return found


def units_of_certified(found: Subsets) -> list[tuple[int, ...]]:
    return [known.circuit[0].units or () for known in found.certified]


def first(z: Array) -> Array:
    return z[:, 0] + 0.02 * z[:, 3]


def either(z: Array) -> Array:
    return np.maximum(z[:, 0], z[:, 1])


def both(z: Array) -> Array:
    return np.minimum(z[:, 0], z[:, 1])


def test_the_circuits_of_known_networks_are_certified() -> None:
    carrier = examine(every_set(first, (0,), 96, 0))
    assert units_of_certified(carrier) == [(0,)] and carrier.possible == 0
    assert carrier.p_unique < 0.01 and carrier.p_not_unique == 1
    redundant = examine(every_set(either, (0,), 96, 0, alike=1.0))
    assert units_of_certified(redundant) == [(0,), (1,)] and redundant.possible == 0
    assert redundant.p_unique == 1 and redundant.p_not_unique < 0.01
    assert redundant.mean_overlap == 0 and [known.overlap for known in redundant.certified] == [1, 0]
    joint = examine(every_set(both, (0, 1), 96, 0, alike=1.0))
    assert units_of_certified(joint) == [(0, 1)] and joint.p_unique < 0.01


def test_a_share_on_the_bound_leaves_the_list_open() -> None:
    def near(z: Array) -> Array:
        return 0.7 * z[:, 0] + 0.3 * z[:, 1]

    found = examine(every_set(near, (0, 1), 96, 0, alike=0.3))
    assert found.possible >= 1 and found.nearest is not None
    assert found.nearest.circuit[0].units == (0,) and found.nearest.share == pytest.approx(0.7, abs=0.05)


def test_the_largest_deviation_by_a_plain_loop() -> None:
    table = every_set(either, (0,), 40, 1)
    _, rows = order_units(table)
    bootstrap = PairedBootstrap(40, 50, 0.95, 3)
    sets = studentise_margins(table, CLAIM, rows, bootstrap)
    measured = table.measures["sufficiency"]
    largest = np.zeros(50)
    for k, row in enumerate(rows):
        products, squares = measured.products[row], measured.squares[row]
        margins = [
            products - 0.7 * table.total, 1.3 * table.total - products, table.total - squares - 0.49 * table.total
        ]  # fmt: skip
        z = []
        for margin in margins:
            error = np.std(margin, ddof=1) / np.sqrt(40) * np.sqrt(40 / 39)
            z.append(np.mean(margin) / error)
            for b, counts in enumerate(bootstrap.weights):
                again = np.repeat(margin, counts.astype(int))
                largest[b] = max(largest[b], abs(np.mean(again) - np.mean(margin)) / error)
        assert (sets.lowest[k], sets.highest[k]) == pytest.approx((min(z), max(-value for value in z)))
    assert sets.largest == pytest.approx(largest)
    assert sets.p_value(2.0) == (1 + (largest >= 2.0).sum()) / 51 and sets.p_value(-1.0) == 1


def test_certification_by_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    masks = np.arange(1, 16)
    for _ in range(20):
        state = rng.integers(0, 3, 15)
        meets, breaks = state == 1, state == 2
        naive = [
            bool(meets[a - 1]) and all(breaks[b - 1] for b in range(1, 16) if b & a == b and b != a) for a in masks
        ]  # fmt: skip
        assert certify(masks, meets, breaks).tolist() == naive


def test_shapley_values_by_orders_and_in_closed_form() -> None:
    table = every_set(lambda z: z[:, 0] * (1 + z[:, 1]) + 0.5 * z[:, 2], (0,), 60, 2)
    units, rows = order_units(table)
    masks = np.array([sum(1 << unit for unit in table.circuits[row][0].units or ()) for row in rows])
    found = {
        (value.unit.units or ())[0]: value
        for value in shapley_values(table, units, rows, masks, paired_bootstrap(60, 200, 0.95, 0))
    }
    share = {(): 0.0}
    for row in rows:
        share[table.circuits[row][0].units or ()] = table.share("sufficiency", row) or 0.0
    for unit in range(UNITS):
        added = []
        for order in permutations(range(UNITS)):
            before = tuple(sorted(order[: order.index(unit)]))
            added.append(share[tuple(sorted((*before, unit)))] - share[before])
        assert found[unit].value == pytest.approx(np.mean(added))
        assert found[unit].lower <= found[unit].value <= found[unit].upper
    assert sum(value.value for value in found.values()) == pytest.approx(share[0, 1, 2, 3])
    # Of a sum each unit's value is its own share.
    linear = every_set(lambda z: z[:, 0] + 2 * z[:, 1], (0,), 60, 3)
    _, rows = order_units(linear)
    alone = [linear.share("sufficiency", row) for row in rows[:2]]
    values = shapley_values(linear, units, rows, masks, paired_bootstrap(60, 200, 0.95, 0))
    assert [value.value for value in values[:2]] == pytest.approx(alone[::-1])


def test_shares_of_all_sets_by_plain_hooks(tmp_path: Path) -> None:
    claim = {"circuit": ["latent[0]"], "expect": UNIQUE, "subsets": {"pairs": 32}}
    (verdict,), plan = run_case(tmp_path, "either", [claim], latents=5, carriers=2)
    with causalvae.allow_code(True):
        session = open_session(case_spec("either", [claim], latents=5, carriers=2), tmp_path)
    inputs = pairs_of(plan, session.dataset)
    base, other = inputs["base"][:32], inputs["counterfactual"][:32]
    vae = session.model.vae
    y, y_cf = hooked(vae, base, base, ()), hooked(vae, other, other, ())
    subsets = verdict.subsets
    assert subsets is not None and (subsets.units, subsets.count, subsets.pairs) == (5, 31, 32)
    assert units_of_certified(subsets) == [(0,), (1,)]
    for known in subsets.certified:
        alone = hooked(vae, base, other, known.circuit[0].units or ()) - y
        assert known.share == pytest.approx(float((alone * (y_cf - y)).sum() / ((y_cf - y) ** 2).sum()), abs=1e-5)
    assert verdict.status == "refuted" and verdict.broken == "unique"
    assert "claimed to be the only one, and 2 of 31 sets of units are certified" in reason(verdict)
    finding = next(found for found in circuit_findings(verdict) if found.title.startswith("All sets of 5 units"))
    assert finding.table is not None and len(finding.table.rows) == 5


def test_few_units_are_enumerated_unasked_and_more_are_not(tmp_path: Path) -> None:
    claim = {"circuit": ["latent[0]"], "expect": {"mediated_share": {"at_least": 0.7}}}
    found: list[Verdict] = []
    for latents in (6, 8):
        folder = tmp_path / str(latents)
        folder.mkdir()
        found += run_case(folder, "single", [claim], latents=latents)[0]
    few, many = found
    assert few.status == many.status == "supported"
    assert few.subsets is not None and not few.subsets.judged and units_of_certified(few.subsets) == [(0,)]
    assert many.subsets is None


def test_redundant_members_of_nine_are_enumerated(tmp_path: Path) -> None:
    claim = {"circuit": ["latent[0:9]"], "expect": {"mediated_share": {"at_least": 0.7}}, "null": {"circuits": "none"}}
    (verdict,), plan = run_case(tmp_path, "either", [claim], latents=14, carriers=2)
    assert plan.claims["h0"].enumerated == "members" and verdict.minimality is not None
    assert [circuit[0].units for circuit in verdict.minimality.smallest] == [(0,), (1,)]
    (told,) = (found.text for found in circuit_findings(verdict) if found.title.startswith("Members"))
    assert "minimal circuits inside it: {latent[0]}, {latent[1]}" in told
    assert "removable one at a time: latent[0], latent[1]" in told and "not together" in told
    nothing = circuit_findings(replace(verdict, status="refuted", broken="mediated_share"))
    (told,) = (found.text for found in nothing if found.title.startswith("Members"))
    assert "smallest parts that do as well: {latent[0]}" in told and "minimal circuits" not in told


def wrong(decode: Decoder, right: set[tuple[int, ...]], n: int, runs: int, seed: int, alike: float) -> float:
    """In what share of draws a set is certified that is no minimal circuit."""
    count = 0
    for run in range(runs):
        found = examine(every_set(decode, (0,), n, 1000 * seed + run, alike), 400)
        count += not set(units_of_certified(found)) <= right
    return count / runs


def test_sets_on_the_bound_are_seldom_certified_and_clear_ones_mostly() -> None:
    # Latents 0 and 1 carry the bound itself, so neither alone is shown to meet it, nor shown not to.
    def on_the_bound(z: Array) -> Array:
        return 0.7 * z[:, 0] + 0.3 * z[:, 2]

    assert wrong(on_the_bound, set(), 96, 60, 1, 0.3) <= most_allowed(60, 0.05)
    assert wrong(either, {(0,), (1,)}, 96, 30, 2, 1.0) <= most_allowed(30, 0.05)
    power = [examine(every_set(first, (0,), 96, 500 + run), 400).p_unique <= 0.05 for run in range(20)]
    assert np.mean(power) > 0.9


@pytest.mark.simulation
@pytest.mark.parametrize("n", [64, 384])
def test_wrong_sets_are_seldom_certified(n: int) -> None:
    def on_the_bound(z: Array) -> Array:
        return 0.7 * z[:, 0] + 0.3 * z[:, 2]

    assert wrong(on_the_bound, set(), n, 600, 3, 0.3) <= most_allowed(600, 0.05)
