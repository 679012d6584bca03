"""Learned subspaces: on linear networks whose best directions are known, and against hooks on the modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from causalvae.data.factors import Factor, FactorSpace, IntArray
from causalvae.data.grid import Grid
from causalvae.data.pairs import draw_pairs
from causalvae.engine.attribution import IMAGE
from causalvae.engine.execute import execute_plan
from causalvae.engine.measurements import Measurements
from causalvae.engine.runner import PlanRunner
from causalvae.engine.subspaces.interchanges import Interchanges, donor_keys
from causalvae.engine.subspaces.null_space import find_unread
from causalvae.engine.subspaces.search import learn_directions, principal_directions
from causalvae.engine.values import Statistics, apply_patch, basis_key
from causalvae.engine.workers import single_threaded_kernels
from causalvae.errors import CausalVAEError
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked_sites import find_hooked_sites
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.plan.learned import learned_parts
from causalvae.plan.types import (
    OBSERVED,
    Arm,
    Cohort,
    Learning,
    Options,
    Patch,
    Plan,
    Side,
    Subspace,
    Treatment,
)
from causalvae.spec.value_source import make_source
from tests.engine.conftest import LATENTS, SIDE, Blobs, small_vae
from tests.engine.hook_oracle import SMALL_TAPS
from tests.engine.test_ablations import AblationOracle
from tests.engine.test_engine_linear import linear

PAIRS, UNITS = 24, 4
SIDES: tuple[Side, Side] = ("base", "counterfactual")
TREATED = Cohort("do-a", PAIRS, 2, Treatment("do-a", "a", None, "hold", "increase"))
WATCHED = Cohort(OBSERVED, 30, 2)
# A rotation of the four latents, so that no latent alone is a direction of the data.
ROTATION = np.linalg.qr(np.random.default_rng(4).normal(size=(UNITS, UNITS)))[0]
# The decoder reads three of its directions, the fourth not at all.
READS = np.random.default_rng(5).normal(size=(3, 3)) @ ROTATION[:, :3].T
INTERCHANGE = make_source("interchange")


@dataclass
class Numbers(Grid):
    """Inputs that are three factors themselves: a `Dataset`."""

    name = "numbers"
    # A world that can be asked without end: pairs may repeat.
    size = None
    space = FactorSpace(
        (
            Factor("a", "ordinal", (0.0, 1.0, 2.0, 4.0)),
            Factor("b", "ordinal", (-2.0, 0.5, 2.0, 3.0)),
            Factor("c", "ordinal", (-1.0, 0.0, 2.0)),
        )
    )
    input_shape = (3,)

    def inputs(self, levels: IntArray) -> Tensor:
        return torch.from_numpy(self.space.values_of(levels)).float()

    def describe(self) -> dict[str, Any]:
        return {}


def network(into: np.ndarray, decoder: nn.Module) -> Model:
    """Latents that are `into`, (latents, factors), times the factors."""
    weight = np.concatenate([into, np.zeros_like(into)])
    vae = VAE(linear(weight, np.zeros(len(weight))), decoder, len(into), (3,), activation="none", likelihood="gaussian")
    return assemble(vae, False, "numbers", {})


def measure(outputs: Tensor) -> Tensor:
    return outputs.double()[:, :2]


def learning(**changes: Any) -> Learning:
    settings = {"objective": IMAGE, "pairs": 64, "steps": 60, "restarts": 1, "seed": 3, "given": "a"}
    return Learning(**{**settings, **changes})


def patches(dim: int = 1, learned: Learning | None = None, site: str = "latent") -> dict[str, Patch]:
    """The part through a learned subspace, through its complement, whole, and through a random one."""
    subspace = Subspace(dim, 8, learning() if learned is None else learned)
    return {
        "learned": Patch(site, None, INTERCHANGE, subspace=subspace),
        "others": Patch(site, None, INTERCHANGE, subspace=replace(subspace, complement=True)),
        "whole": Patch(site, None, INTERCHANGE),
        "random": Patch(site, None, INTERCHANGE, subspace=Subspace(dim, 8)),
    }


def plan_of(circuits: Sequence[tuple[Patch, ...]], **changes: Any) -> Plan:
    arms = tuple(Arm("do-a", side, circuit, PAIRS) for circuit in ((), *circuits) for side in SIDES)
    options = Options(rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True)
    settings = {"shard_pairs": 10, "batch_rows": 32, "options": options}
    return Plan("n", "s", "n", (WATCHED, TREATED), arms, (), ("first", "second"), **{**settings, **changes})


def problem(model: Model, patch: Patch, dataset: Grid | None = None, **changes: Any) -> Interchanges:
    plan = plan_of([(patch,)], **changes)
    runner = PlanRunner(plan, model, dataset or Numbers(), measure, torch.device("cpu"))
    assert patch.subspace is not None
    learned = patch.subspace.learned
    assert learned is not None
    inputs = runner.split("do-a", learned.seed, learned.pairs, "subspace", donor_keys(learned))
    return Interchanges(model.graph, model.components, patch, inputs, plan, measure)


@pytest.fixture(scope="module")
def planted() -> Model:
    """Each factor is one orthogonal direction of the latent, and the decoder reads them all."""
    return network(ROTATION[:, :3], linear(READS, np.zeros(3)))


def values(found: Measurements, side: Side, circuit: tuple[Patch, ...]) -> np.ndarray:
    arm = Arm("do-a", side, circuit, PAIRS)
    return np.stack([found.values(arm.id, name) for name in found.plan.attributes], axis=1)


def directions(found: Measurements) -> np.ndarray:
    (row,) = found.subspaces.itertuples()
    return np.array(row.basis, np.float64).reshape(-1, row.dim)


@pytest.mark.parametrize("objective", [IMAGE, "second"])
def test_the_planted_direction_is_found_and_carries_all(objective: str, planted: Model, tmp_path: Path) -> None:
    """Y = D z and z = Q f: through the first column q of Q alone, NIE = D q (a' - a), the whole effect."""
    parts = patches(learned=learning(objective=objective))
    found = execute_plan(plan_of([(part,) for part in parts.values()]), planted, Numbers(), measure, tmp_path, "cpu")
    (learned,) = directions(found).T
    drawn = draw_pairs(Numbers(), factor="a", samples=PAIRS, seed=2, contrast="increase")
    change = (Numbers.space.values_of(drawn.counterfactual) - Numbers.space.values_of(drawn.base))[:, 0]
    te = np.outer(change, READS[:2] @ ROTATION[:, 0])
    base = values(found, "base", ())
    nie = {name: values(found, "base", (part,)) - base for name, part in parts.items()}
    near = {"rtol": 1e-3, "atol": 1e-3 * np.abs(te).max()}
    if objective == IMAGE:
        assert np.arccos(min(1.0, learned @ ROTATION[:, 0])) < 1e-3
        np.testing.assert_allclose(nie["learned"], te, **near)
        np.testing.assert_allclose(nie["others"], 0 * te, **near)
    # The formulas hold whatever was learned; the whole part carries everything.
    through = np.outer(learned, learned)
    q = ROTATION[:, 0]
    np.testing.assert_allclose(nie["learned"], np.outer(change, READS[:2] @ through @ q), **near)
    np.testing.assert_allclose(nie["others"], np.outer(change, READS[:2] @ (q - through @ q)), **near)
    np.testing.assert_allclose(nie["whole"], te, **near)
    other = np.random.default_rng(8).standard_normal(UNITS)
    random = np.outer(other, other) / (other @ other)
    np.testing.assert_allclose(nie["random"], np.outer(change, READS[:2] @ random @ q), **near)
    # A linear network has no interaction: what necessity takes away is what sufficiency brings.
    full = values(found, "counterfactual", ())
    for name, part in parts.items():
        np.testing.assert_allclose(full - values(found, "counterfactual", (part,)), nie[name], **near)


def test_training_finds_what_the_change_alone_does_not_show() -> None:
    """With z = p a + q b and Y = r.z, the direction along p picks up b's difference as well, for p and q are not
    orthogonal. A direction R with R.q = 0 and (r.R)(R.p) = r.p brings Y(x') for every donor, and there is one.
    """
    p, q, r = np.array([1.0, 0.0, 0.0]), np.array([0.6, 0.8, 0.0]), np.array([1.0, 0.0, 2.0])
    model = network(np.stack([p, q, 0 * q], 1), linear(np.stack([r, 0 * r, 0 * r]), np.zeros(3)))
    part = patches(learned=learning(steps=150, pairs=64))["learned"]
    posed = problem(model, part)
    np.testing.assert_allclose(np.abs(principal_directions(posed, 1).numpy()[:, 0]), p, atol=1e-6)
    found = learn_directions(posed, 1)
    (direction,) = found.basis.double().numpy().T
    with single_threaded_kernels():
        short = problem(model, patches(learned=learning(steps=5, restarts=3))["learned"])
        assert torch.equal(learn_directions(short, 1, 1).basis, learn_directions(short, 1, 4).basis)
    assert posed.unexplained_by_all(torch.from_numpy(p)[:, None]) > 0.1
    assert found.loss < 1e-4
    assert abs(direction @ q) < 0.02
    assert (r @ direction) * (direction @ p) == pytest.approx(r @ p, abs=0.02)


def test_the_loss_is_that_of_a_loop_over_pairs_and_their_donors(planted: Model) -> None:
    part = patches()["learned"]
    posed = problem(planted, part)
    basis = torch.from_numpy(np.linalg.qr(np.random.default_rng(0).normal(size=(UNITS, 2)))[0])
    x, other = posed.own, posed.other
    assert torch.equal(x, planted.vae.encode(posed.clean[planted.graph.inputs[0]]).mean)
    lost = moved = 0.0
    for own, source, target in zip(*(part.double().numpy() for part in (x, posed.source, other)), strict=True):
        patched = own + basis.numpy() @ basis.numpy().T @ (source - own)
        lost += ((READS @ (patched - target)) ** 2).sum()
        moved += ((READS @ (own - target)) ** 2).sum()
        # A donor has the treated factor's new value, and others of its own.
        assert source @ ROTATION[:, 0] == pytest.approx(target @ ROTATION[:, 0], abs=1e-5)
    assert posed.unexplained_by_all(basis) == pytest.approx(lost / moved, rel=1e-5)
    assert (np.abs((posed.source - other).numpy() @ ROTATION[:, 1]) > 0.1).mean() > 0.4


def test_pairs_that_are_their_own_donors_are_explained_by_every_subspace_that_holds_the_change(planted: Model) -> None:
    own = problem(planted, patches(learned=learning(given=None))["learned"])
    crossed = problem(planted, patches()["learned"])
    held = np.linalg.qr(ROTATION[:, [0, 1]] + 0.0)[0]
    assert own.unexplained_by_all(torch.from_numpy(held)) < 1e-10
    assert crossed.unexplained_by_all(torch.from_numpy(held)) > 0.1


def read_share(model: Model, patch: Patch, directions: np.ndarray) -> tuple[float, str]:
    posed = problem(model, patch)
    unread = find_unread(posed, model.components.site(patch.site).node, patch)
    return unread.share(torch.from_numpy(directions)), unread.how


def test_the_share_in_the_null_space_is_exact_where_one_layer_reads_the_site(planted: Model) -> None:
    part = patches()["learned"]
    read, unread = ROTATION[:, :1], ROTATION[:, 3:]
    for directions, share in (
        (read, 0.0),
        (unread, 1.0),
        ((read + unread) / 2**0.5, 0.5),
        (np.concatenate([read, unread], 1), 0.5),
        ((3 * read + 4 * unread) / 5, 0.64),
    ):
        found, how = read_share(planted, part, directions)
        assert found == pytest.approx(share, abs=1e-6)
        assert "exact, from the weights of decoder" in how


class Both(nn.Module):
    """Two layers that read the same value, of which only the sum is handed on."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        more = rng.normal(size=READS.shape)
        self.first, self.second = linear(READS + more, np.zeros(3)), linear(-more, np.zeros(3))

    def forward(self, z: Tensor) -> Tensor:
        return self.first(z) + self.second(z)


def test_the_share_in_the_null_space_is_the_jacobians_where_several_read_the_site() -> None:
    """Each of the two layers reads every direction; together they do not read the fourth of the rotation."""
    model = network(ROTATION[:, :3], Both(np.random.default_rng(6)))
    part = patches()["learned"]
    half = (ROTATION[:, :1] + ROTATION[:, 3:]) / 2**0.5
    for directions, share in ((ROTATION[:, :1], 0.0), (ROTATION[:, 3:], 1.0), (half, 0.5)):
        found, how = read_share(model, part, directions)
        assert found == pytest.approx(share, abs=1e-5)
        assert "Jacobian of the output at 32 inputs" in how


@pytest.mark.parametrize(("site", "weight"), [("encoder.conv1", "encoder.conv2"), ("decoder.convT1", "decoder.convT2")])
def test_channels_that_a_convolution_reads_alike_have_an_unread_difference(
    site: str, weight: str, blobs: Blobs, measure: Callable[..., Tensor]
) -> None:
    vae = small_vae(3)
    with torch.no_grad():
        taps = vae.get_submodule(weight).weight
        taps = taps if weight == "encoder.conv2" else taps.transpose(0, 1)
        taps[:, 1] = taps[:, 0]
    model = assemble(vae, False, "alike", {})
    part = Patch(site, None, INTERCHANGE, subspace=Subspace(1, 1, LEARNED))
    runner = PlanRunner(BLOBS_PLAN, model, blobs, measure, torch.device("cpu"))
    inputs = runner.split("rescale", 3, 20, "subspace", donor_keys(LEARNED))
    posed = Interchanges(model.graph, model.components, part, inputs, BLOBS_PLAN, measure)
    unread = find_unread(posed, model.components.site(site).node, part)
    assert unread.basis.shape == (6, 1) and f"weights of {weight}" in unread.how
    assert unread.share(torch.eye(6)[:, :1]) == pytest.approx(0.5, abs=1e-6)
    assert unread.share(torch.eye(6)[:, 2:4]) == pytest.approx(0.0, abs=1e-6)
    # Of two of the channels, the other's likeness does not matter.
    few = replace(part, units=(1, 2))
    assert find_unread(posed_on(posed, few), model.components.site(site).node, few).basis.shape == (2, 0)


def posed_on(posed: Interchanges, patch: Patch) -> Interchanges:
    """The same problem for other units: nothing but their number is read of it where weights decide."""
    assert patch.units is not None
    posed.own = posed.own[:, list(patch.units)]
    return posed


def test_a_direction_that_is_half_dormant_looks_as_good_as_the_right_one() -> None:
    """The encoder writes the factor on q and twice on n, which nothing reads: the direction of the change, at
    tan(angle) = 2 from q, brings exactly Y(x') as well, and four fifths of it are dormant (Makelov et al. 2023).
    """
    q, dormant = ROTATION[:, 0], ROTATION[:, 3]
    into = ROTATION[:, :3].copy()
    into[:, 0] += 2 * dormant
    model = network(into, linear(READS, np.zeros(3)))
    part = patches(learned=learning(restarts=0, steps=1))["learned"]
    posed = problem(model, part)
    change = principal_directions(posed, 1)
    np.testing.assert_allclose(np.abs(change.numpy()[:, 0] @ (q + 2 * dormant)) / 5**0.5, 1.0, rtol=1e-6)
    assert posed.unexplained_by_all(change) < 1e-9
    found, _ = read_share(model, part, change.numpy())
    assert found == pytest.approx(0.8, abs=1e-6)


LEARNED = learning(pairs=20, steps=3, given="scale")
CIRCUITS = [
    (Patch("latent", None, INTERCHANGE, subspace=Subspace(2, 1, LEARNED)),),
    (Patch("latent", None, INTERCHANGE, subspace=Subspace(2, 1, LEARNED, complement=True)),),
    (Patch("latent", (0, 2, 3), make_source("interchange", seed=5, given="scale"), subspace=Subspace(1, 1, LEARNED)),),
    (Patch("encoder.conv2", None, INTERCHANGE, subspace=Subspace(3, 1, LEARNED)),),
    (Patch("encoder.conv1", (1, 2, 4), INTERCHANGE, ((1, 5), (0, 6)), Subspace(2, 1, LEARNED, complement=True)),),
    (Patch("decoder.lin1", None, INTERCHANGE, subspace=Subspace(1, 1, replace(LEARNED, objective="ratio"))),),
]
SCALED = Cohort("rescale", 20, 5, Treatment("rescale", "scale", None, "hold", "increase"))
BLOBS_PLAN = Plan(
    "b",
    "s",
    "small",
    (Cohort(OBSERVED, 24, 5), SCALED),
    tuple(Arm("rescale", side, circuit, 20) for circuit in ((), *CIRCUITS) for side in SIDES),
    (),
    ("area", "linear", "ratio"),
    shard_pairs=7,
    batch_rows=16,
    options=Options(rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True),
)


class LearnedOracle(AblationOracle):
    """Patches through the directions that a run learned, pair by pair and position by position."""

    bases: dict[tuple[str, tuple[int, ...] | None], np.ndarray]

    def change(self, patch: Patch, donor: Tensor) -> Callable[[Tensor], Tensor]:
        assert patch.subspace is not None
        basis = self.bases[patch.site, patch.units]

        def apply(value: Tensor) -> Tensor:
            result, units = value.clone(), list(range(value.shape[1]) if patch.units is None else patch.units)
            spans = [range(*span) for span in patch.window] or [range(size) for size in value.shape[2:]]
            for place in product(*spans):
                for row in range(len(value)):
                    own = value[(row, units, *place)].double().numpy()
                    away = donor[(row, units, *place)].double().numpy() - own
                    inside = sum((direction @ away) * direction for direction in basis.T)
                    moved = own + (away - inside if patch.subspace.complement else inside)
                    result[(row, units, *place)] = torch.from_numpy(moved).float()
            return result

        return apply


def bases_of(found: Measurements) -> dict[tuple[str, tuple[int, ...] | None], np.ndarray]:
    rows = {row.id: row for row in found.subspaces.itertuples()}
    return {
        (part.patch.site, part.patch.units): np.array(rows[part.id].basis, np.float64).reshape(-1, rows[part.id].dim)
        for part in learned_parts(found.plan)
    }


def by_hooks(model: Model) -> Model:
    example = (torch.rand(3, 1, SIDE, SIDE), torch.randn(3, LATENTS))
    program = capture_by_hooks(model.network, example, model.network.outputs)
    return replace(model, graph=program, components=find_hooked_sites(program, LATENTS, "small"))


def test_arms_agree_with_hooks_and_nothing_depends_on_shards_or_resuming(
    mean_model: Model, blobs: Blobs, measure: Callable[..., Tensor], tmp_path: Path
) -> None:
    found = execute_plan(BLOBS_PLAN, mean_model, blobs, measure, tmp_path / "1", "cpu")
    oracle = LearnedOracle(BLOBS_PLAN, mean_model.vae, False, blobs, measure, SMALL_TAPS)
    oracle.bases = bases_of(found)
    for basis in oracle.bases.values():
        np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-6)
    for arm in BLOBS_PLAN.arms:
        if arm.patches:
            for column, expected in oracle.run(arm).items():
                scale = np.abs(expected).max() + 1e-3
                np.testing.assert_allclose(found.values(arm.id, column), expected, rtol=2e-4, atol=2e-5 * scale)
    # In other shards and batches: the same directions, bit for bit, and so the same numbers.
    other = replace(BLOBS_PLAN, shard_pairs=20, batch_rows=64)
    again = execute_plan(other, mean_model, blobs, measure, tmp_path / "2", "cpu")
    pd.testing.assert_frame_equal(again.subspaces, found.subspaces, check_exact=True)
    for arm in other.arms:
        np.testing.assert_array_equal(again.values(arm.id, "image_sq"), found.values(arm.id, "image_sq"))
    # Killed after the directions were learned and a shard was written: what is there is read, not learned again.
    table = (tmp_path / "1" / "subspaces.parquet").read_bytes()
    kept = found.outcomes
    for lost in (tmp_path / "1" / "outcomes").glob("rescale.0000[12].parquet"):
        lost.unlink()
    resumed = execute_plan(BLOBS_PLAN, mean_model, blobs, measure, tmp_path / "1", "cpu")
    assert (tmp_path / "1" / "subspaces.parquet").read_bytes() == table
    pd.testing.assert_frame_equal(resumed.outcomes, kept, check_exact=True)


def test_a_network_that_is_run_by_hooks_learns_the_same(
    mean_model: Model, blobs: Blobs, measure: Callable[..., Tensor], tmp_path: Path
) -> None:
    plan = replace(BLOBS_PLAN, arms=tuple(arm for arm in BLOBS_PLAN.arms if arm.patches in ((), CIRCUITS[0])))
    found = execute_plan(plan, mean_model, blobs, measure, tmp_path / "graph", "cpu")
    hooked = execute_plan(plan, by_hooks(mean_model), blobs, measure, tmp_path / "hooks", "cpu")
    (first,), (second,) = bases_of(found).values(), bases_of(hooked).values()
    # Threads that search beside each other: PyTorch lets only one of them copy what modules overwrite.
    (part,) = learned_parts(plan)
    runner = PlanRunner(plan, by_hooks(mean_model), blobs, measure, torch.device("cpu"))
    inputs = runner.split("rescale", 3, 20, "subspace", donor_keys(LEARNED))
    posed = Interchanges(runner.graph, runner.components, part.patch, inputs, plan, measure)
    with single_threaded_kernels():
        alone, beside = (learn_directions(posed, 2, workers).basis for workers in (1, 2))
    assert torch.equal(alone, beside)
    np.testing.assert_allclose(first @ first.T, second @ second.T, atol=1e-4)
    for arm in plan.arms:
        np.testing.assert_allclose(
            found.values(arm.id, "image_sq"), hooked.values(arm.id, "image_sq"), rtol=1e-3, atol=1e-5
        )


def test_patching_with_itself_through_a_learned_subspace_changes_no_bit() -> None:
    own = torch.randn(20, 5, 3, 3)
    patch = Patch("s", None, INTERCHANGE, subspace=Subspace(2, 0, LEARNED))
    basis = torch.linalg.qr(torch.randn(5, 2)).Q
    key = basis_key(patch)
    assert key is not None
    value = own.clone()
    apply_patch(value, patch, own, Statistics(bases={key: basis}))
    assert torch.equal(value, own)


@pytest.mark.parametrize(
    ("code", "objective", "read"),
    [
        ("CV434", "first", lambda outputs: (outputs.double()[:, :2] > 0).double()),
        ("CV435", "first", lambda outputs: 0 * outputs.double()[:, :2]),
        (
            "CV436",
            "first",
            lambda outputs: outputs.double()[:, :2] + (outputs.double()[:, :2] - outputs.detach()[:, :2]).abs().sqrt(),
        ),
    ],
)
def test_what_cannot_be_learned_by_is_refused(code: str, objective: str, read: Any, planted: Model) -> None:
    part = patches(learned=learning(objective=objective, steps=2))["learned"]
    plan = plan_of([(part,)])
    runner = PlanRunner(plan, planted, Numbers(), read, torch.device("cpu"))
    inputs = runner.split("do-a", 3, 64, "subspace", donor_keys(learning()))
    with pytest.raises(CausalVAEError, match=code):
        learn_directions(Interchanges(planted.graph, planted.components, part, inputs, plan, read), 1)
