"""First-order screening: attributions against closed forms, what is run exactly, and what a resumed run reads."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from causalvae.data.pairs import draw_pairs
from causalvae.engine.attribution import differentiate, run_with_gradients
from causalvae.engine.execute import execute_plan
from causalvae.engine.gradients import gradients_through
from causalvae.engine.measurements import Measurements
from causalvae.engine.progress import Progress
from causalvae.engine.screening import choose, read_scores
from causalvae.engine.values import selection
from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentRef
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.plan.owner import OBSERVED_CONTROL, Owner
from causalvae.plan.targets import ComponentSet
from causalvae.plan.types import (
    OBSERVED,
    Arm,
    Cohort,
    Options,
    Patch,
    Plan,
    Screen,
    ScreenMethod,
    Side,
    Treatment,
    Use,
)
from causalvae.readouts import build_readouts
from causalvae.readouts import measure as read
from causalvae.spec.readout_section import READOUT_TAG
from causalvae.spec.value_source import ValueSource, make_source
from tests.engine.conftest import Blobs
from tests.engine.test_engine_linear import (
    DECODER,
    FIRST,
    FIRST_BIAS,
    HIDDEN,
    INPUTS,
    LATENTS,
    MIXING,
    OFFSET,
    PAIRS,
    READOUTS,
    SECOND,
    SECOND_BIAS,
    TO_MEAN,
    Vectors,
    change_of_input,
    linear,
    measure,
    through,
)
from tests.models.fixtures import FIXTURES
from tests.models.test_capture import assembled, inputs_of
from tests.models.test_hooked import hooked

pytestmark = pytest.mark.usefixtures("same_samples")

COHORT = Cohort("do-a", PAIRS, 2, Treatment("do-a", "a", None, "hold", "increase"))
WATCHED = Cohort(OBSERVED, 30, 2)
OWNER = Owner.intervention("sweep")
SIDES: tuple[Side, ...] = ("base", "counterfactual")


@dataclass
class Sweep:
    """Runs screened sweeps over single units of a network."""

    model: Model
    folder: Path
    dataset: Any = field(default_factory=Vectors)
    measure: Callable[[Tensor], Tensor] = measure
    attributes: tuple[str, ...] = ("first", "second")
    cohort: Cohort = COHORT

    def plan(
        self,
        units: list[Patch],
        outcome: str,
        method: ScreenMethod = "attribution",
        *,
        steps: int = 1,
        side: Side = "base",
        kept: int | None = None,
        checked: int = 0,
        seed: int = 0,
        screened: bool = True,
        **options: Any,
    ) -> Plan:
        watched = Arm(OBSERVED, "base", (), WATCHED.samples)
        clean = [Arm(self.cohort.name, each, (), self.cohort.samples) for each in SIDES]
        arms = [Arm(self.cohort.name, side, (patch,), self.cohort.samples) for patch in units]
        uses = [Use(OWNER, arm.side, arm.id) for arm in clean]
        uses.append(Use(OBSERVED_CONTROL, "base", watched.id))
        parts = [ComponentSet((ComponentRef(arm.patches[0].site, arm.patches[0].units),)) for arm in arms]
        uses += [Use(OWNER, "sweep", arm.id, parts[index], "channel", index)
                 for index, arm in enumerate(arms)]  # fmt: skip
        screen = Screen(OWNER, side, outcome, method, steps, len(units) if kept is None else kept, checked, seed)
        return Plan(
            "screened", "s", "m", (WATCHED, self.cohort), (watched, *clean, *arms), tuple(uses), self.attributes,
            shard_pairs=4, options=replace(Options(rerun="suffix", skip_dead_rows=True), **options),
            screens=(screen,) if screened else (),
        )  # fmt: skip

    def run(
        self, plan: Plan, folder: Path | None = None, measure: Callable[[Tensor], Tensor] | None = None
    ) -> Measurements:
        return execute_plan(
            plan, self.model, self.dataset, measure or self.measure, folder or self.folder / plan.digest, "cpu"
        )

    def scores(self, units: list[Patch], outcome: str, method: ScreenMethod = "attribution", **keys: Any) -> np.ndarray:
        return self.run(self.plan(units, outcome, method, **keys)).screens["attribution"].to_numpy()


def exact(found: Measurements, outcome: str, side: Side = "base") -> np.ndarray:
    """Mean over pairs of the size of each exact effect, of the arms that were run, in the sweep's order."""
    arms = {arm.id: arm for arm in found.plan.arms}
    run = set(found.outcomes["arm"].unique())
    (clean,) = (arm.id for arm in arms.values() if not arm.patches and arm.side == side and arm.cohort != OBSERVED)
    ids = [use.arm for use in found.plan.uses_of(OWNER, "sweep") if use.arm in run]
    if outcome == "image":
        return np.array([np.sqrt(found.values(arm, "image_sq")).mean() for arm in ids])
    return np.array([np.abs(found.values(arm, outcome) - found.values(clean, outcome)).mean() for arm in ids])


def units_of(sites: dict[str, int], source: ValueSource | None = None) -> list[Patch]:
    return [
        Patch(site, (unit,), source or make_source("interchange"))
        for site, size in sites.items()
        for unit in range(size)
    ]


LINEAR = units_of({"encoder.0": HIDDEN, "latent": LATENTS, "decoder": INPUTS})


@pytest.fixture(scope="module")
def linear_sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    encoder = nn.Sequential(linear(FIRST, FIRST_BIAS), linear(SECOND, SECOND_BIAS))
    vae = VAE(encoder, linear(DECODER, np.zeros(INPUTS)), LATENTS, (INPUTS,), activation="none", likelihood="gaussian")
    return Sweep(assemble(vae, False, "linear", {}), tmp_path_factory.mktemp("linear"))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("method", "steps"), [("attribution", 1), ("integrated_gradients", 3)])
def test_on_a_linear_network_attributions_are_the_exact_effects(
    linear_sweep: Sweep, side: Side, method: ScreenMethod, steps: int
) -> None:
    dx = change_of_input()
    closed = np.array([np.abs(dx @ through(patch.site, patch.units or ())[1]).mean() for patch in LINEAR])
    found = linear_sweep.run(linear_sweep.plan(LINEAR, "second", method, steps=steps, side=side))
    scores = found.screens["attribution"].to_numpy()
    np.testing.assert_allclose(scores, closed, rtol=0, atol=1e-6 * closed.max())
    np.testing.assert_allclose(scores, exact(found, "second", side), rtol=0, atol=1e-5 * closed.max())


def test_components_of_several_units_add_up_before_their_size_is_taken(linear_sweep: Sweep) -> None:
    patches = [Patch("encoder.0", units, make_source("interchange")) for units in ((0, 3), (1,), None)]
    dx = change_of_input()
    closed = [np.abs(dx @ through("encoder.0", units)[0]).mean() for units in ((0, 3), (1,), tuple(range(HIDDEN)))]
    np.testing.assert_allclose(linear_sweep.scores(patches, "first"), closed, rtol=1e-5)


@pytest.mark.parametrize("kind", ["zero", "mean", "resample"])
@pytest.mark.parametrize("side", SIDES)
def test_every_source_gives_the_exact_effect_on_a_linear_network(linear_sweep: Sweep, kind: Any, side: Side) -> None:
    units = units_of(
        {"encoder.0": HIDDEN, "latent": LATENTS}, make_source(kind, seed=4 if kind == "resample" else None)
    )
    found = linear_sweep.run(linear_sweep.plan(units, "first", side=side))
    sizes = exact(found, "first", side)
    assert sizes.min() > 0
    np.testing.assert_allclose(found.screens["attribution"], sizes, rtol=0, atol=2e-5 * sizes.max())
    if kind == "resample":
        along = linear_sweep.scores(units, "first", "integrated_gradients", steps=4, side=side)
        np.testing.assert_allclose(along, sizes, rtol=0, atol=2e-5 * sizes.max())


@pytest.mark.slow
def test_the_image_is_ranked_by_the_length_of_its_first_order_change(linear_sweep: Sweep) -> None:
    found = linear_sweep.run(linear_sweep.plan(LINEAR, "image"))
    lengths = exact(found, "image")
    drawn = np.stack([linear_sweep.scores(LINEAR, "image", seed=seed) for seed in range(12)])
    # An output unit moves one number only, so that its size is sqrt(pi / 2) E|v| of it: the noisiest there is.
    relative = drawn / lengths
    np.testing.assert_allclose(relative.mean(axis=0), 1.0, atol=0.06)
    assert 0.01 < relative.std(axis=0, ddof=1).max() < 0.1
    assert np.array_equal(drawn[0], found.screens["attribution"])


def test_a_latent_can_be_the_outcome(linear_sweep: Sweep) -> None:
    units = units_of({"encoder.0": HIDDEN, "decoder": 2})
    plan = linear_sweep.plan(units, "second", stop=True)
    latents = {"first": 0, "second": 2}
    found = linear_sweep.run(replace(plan, latent_attributes=latents))
    dx = change_of_input()
    closed = [np.abs(TO_MEAN[2, unit] * (dx @ FIRST[unit])).mean() for unit in range(HIDDEN)]
    scores = found.screens["attribution"].to_numpy()
    np.testing.assert_allclose(scores[:HIDDEN], closed, rtol=1e-5)
    # What lies behind the latent does not move it.
    assert np.array_equal(scores[HIDDEN:], [0.0, 0.0])


class Squares(nn.Module):
    """Latents squared, then mixed: a quadratic in each latent, without products of two."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = linear(DECODER, np.zeros(INPUTS))

    def forward(self, z: Tensor) -> Tensor:
        return self.mix(z * z)


def test_integrated_gradients_are_exact_for_a_quadratic(tmp_path: Path) -> None:
    encoder = nn.Sequential(linear(FIRST, FIRST_BIAS), linear(SECOND, SECOND_BIAS))
    vae = VAE(encoder, Squares(), LATENTS, (INPUTS,), activation="none", likelihood="gaussian")
    sweep = Sweep(assemble(vae, False, "squares", {}), tmp_path)
    units = units_of({"latent": LATENTS})
    data = Vectors()
    pairs = draw_pairs(data, factor="a", samples=PAIRS, seed=2, contrast="increase")
    z, other = (
        data.inputs(levels).double().numpy() @ (TO_MEAN @ FIRST).T + TO_MEAN @ FIRST_BIAS + SECOND_BIAS[:LATENTS]
        for levels in (pairs.base, pairs.counterfactual)
    )
    weights = (READOUTS @ DECODER)[0]
    closed = np.abs(weights * (other**2 - z**2)).mean(axis=0)
    for steps in (1, 5):
        scores = sweep.scores(units, "first", "integrated_gradients", steps=steps)
        np.testing.assert_allclose(scores, closed, rtol=1e-4)
    tangent = sweep.scores(units, "first")
    np.testing.assert_allclose(tangent, np.abs(weights * 2 * z * (other - z)).mean(axis=0), rtol=1e-4)
    assert (np.abs(tangent / closed - 1) > 0.01).all()


def saturated(closed_units: int, open_units: int) -> VAE:
    """Hidden units that follow factor a: the first are shut below a = 3.5 and strong above it, the others are open."""
    follow = np.linalg.pinv(MIXING)[0]
    count = closed_units + open_units
    gains = np.array([40.0] * closed_units + [1.0 + unit / open_units for unit in range(open_units)])
    offsets = np.array([-3.5] * closed_units + [1.0] * open_units)
    first = linear(gains[:, None] * follow, gains * (offsets - follow @ OFFSET))
    second = np.zeros((2 * LATENTS, count))
    second[0] = 1.0
    encoder = nn.Sequential(first, nn.ReLU(), linear(second, np.zeros(2 * LATENTS)))
    decoder = linear(DECODER, np.zeros(INPUTS))
    return VAE(encoder, decoder, LATENTS, (INPUTS,), activation="none", likelihood="gaussian")


def test_a_saturated_unit_is_missed_by_the_tangent_and_found_along_the_line(tmp_path: Path) -> None:
    sweep = Sweep(assemble(saturated(3, 17), False, "saturated", {}), tmp_path)
    found = sweep.run(sweep.plan(units_of({"encoder.0": 20}), "first", kept=3, checked=17))
    scores, sizes = found.screens["attribution"].to_numpy(), exact(found, "first")
    assert set(np.argsort(-sizes)[:3]) == {0, 1, 2}
    assert np.array_equal(scores[:3], [0.0, 0.0, 0.0])
    np.testing.assert_allclose(scores[3:], sizes[3:], rtol=1e-4)
    assert list(np.flatnonzero(found.screens["selected"] == "kept")) == [17, 18, 19]
    along = sweep.scores(units_of({"encoder.0": 20}), "first", "integrated_gradients", steps=8)
    assert set(np.argsort(-along)[:3]) == {0, 1, 2}


SITES = {"encoder.conv1": 6, "encoder.conv2": 8, "latent": 4, "decoder.lin1": 20, "decoder.convT1": 6}
CHANNELS = units_of(SITES)
# Readouts whose last bit does not depend on what else is in a batch.
GEOMETRY: dict[str, dict[str, str]] = {"area": {"readout": "area"}, "place": {"readout": "centroid", "axis": "x"}}
RESIZE = Cohort("resize", 21, 1, Treatment("resize", "scale", None, "hold", "increase"))


@pytest.fixture(scope="module")
def blob_sweep(
    mean_model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Sweep:
    folder = tmp_path_factory.mktemp("blobs")
    return Sweep(mean_model, folder, blobs, measure, ("area", "weighted", "contrast"), RESIZE)


@pytest.mark.parametrize("outcome", ["weighted", "contrast"])
def test_attributions_are_slopes_of_the_outcome_along_the_patch(blob_sweep: Sweep, outcome: str) -> None:
    patches = [
        Patch("encoder.conv1", (2,), make_source("interchange")),
        Patch("encoder.conv2", (1, 5), make_source("interchange"), ((0, 2), (1, 2))),
        Patch("latent", (3,), make_source("interchange")),
        Patch("decoder.convT1", (4,), make_source("interchange"), ((1, 2), (0, 5))),
    ]
    scores = blob_sweep.scores(patches, outcome)
    data, vae = blob_sweep.dataset, copy.deepcopy(blob_sweep.model.vae).double()
    pairs = draw_pairs(data, factor="scale", samples=RESIZE.samples, seed=1, contrast="increase")
    x, other = (data.inputs(levels).double() for levels in (pairs.base, pairs.counterfactual))
    # What follows a module is its value after the activation: a ReLU where there is one.
    modules = {
        "encoder.conv1": vae.encoder.conv1,  # type: ignore[union-attr]
        "encoder.conv2": vae.encoder.conv2,  # type: ignore[union-attr]
        "decoder.convT1": vae.decoder.convT1,  # type: ignore[union-attr]
    }
    column = blob_sweep.attributes.index(outcome)

    def outcome_at(patch: Patch, share: float) -> Tensor:
        """The outcome with the patched entries moved by `share` of their change; values after the ReLU."""
        index = selection(patch, 2 if patch.site == "latent" else 4)
        with torch.no_grad():
            if patch.site == "latent":
                z, target = vae.encode(x).mean, vae.encode(other).mean
                z[index] = z[index] + share * (target[index] - z[index])
                return blob_sweep.measure(vae.decode(z))[:, column]
            seen: list[Tensor] = []

            def move(module: nn.Module, given: Any, output: Tensor) -> Tensor:
                seen.append(output.relu())
                if len(seen) < 2:
                    return output
                moved = output.relu()
                moved[index] = moved[index] + share * (seen[0][index] - moved[index])
                return moved

            handle = modules[patch.site].register_forward_hook(move)
            vae.decode(vae.encode(other).mean)
            result = blob_sweep.measure(vae.decode(vae.encode(x).mean))[:, column]
            handle.remove()
            return result

    # Forward only: backwards a value of zero would leave what a ReLU can give.
    step = 1e-7
    slopes = [((outcome_at(p, step) - outcome_at(p, 0.0)) / step).abs().mean().item() for p in patches]
    assert min(slopes) > 0
    np.testing.assert_allclose(scores, slopes, rtol=1e-3)


@pytest.mark.parametrize("name", list(FIXTURES))
def test_networks_run_by_hooks_have_the_gradients_of_their_graph(name: str) -> None:
    captured, by_hooks = assembled(name, True), hooked(name)
    arguments = inputs_of(name, 3)
    found: list[dict[str, Tensor]] = []
    for model in (captured, by_hooks):
        sites = [site.name for site in captured.components.sites]
        nodes = [model.components.site(site).node for site in sites]
        points = [value.clone().requires_grad_() for value in arguments]
        with gradients_through(model.graph):
            values, outputs = run_with_gradients(model.graph, points, nodes)
            outcome = (outputs["output"].square() + outputs["output"]).flatten(1).sum(1)
            found.append(dict(zip(sites, differentiate(outcome, values), strict=True)))
    for site, gradient in found[0].items():
        torch.testing.assert_close(found[1][site], gradient, rtol=1e-4, atol=1e-6)
    assert sum(bool(gradient.any()) for gradient in found[0].values()) > 2


def rows_of(found: Measurements, arms: list[str]) -> pd.DataFrame:
    frame = found.outcomes
    chosen = frame[frame["arm"].isin(arms)].astype({"arm": str})
    return chosen.sort_values(["arm", "pair"]).reset_index(drop=True)


def test_what_is_run_exactly_is_what_would_be_run_without_a_screen_bit_for_bit(blob_sweep: Sweep) -> None:
    readouts = build_readouts({name: READOUT_TAG.read(keys) for name, keys in GEOMETRY.items()})
    geometry = replace(blob_sweep, measure=partial(read, readouts), attributes=tuple(GEOMETRY))
    screened = geometry.run(geometry.plan(CHANNELS, "image", kept=7, checked=9, low_rank=True, windows=True))
    whole = geometry.run(geometry.plan(CHANNELS, "image", screened=False, low_rank=True, windows=True))
    assert whole.screens.empty
    table = screened.screens
    assert table["selected"].value_counts().to_dict() == {"kept": 7, "checked": 9, "left out": len(CHANNELS) - 16}
    assert table["component"].tolist() == [use.component.label for use in screened.plan.uses_of(OWNER, "sweep")]
    chosen = table.loc[table["selected"] != "left out", "arm"].tolist()
    clean = [arm.id for arm in screened.plan.arms if not arm.patches]
    assert set(screened.outcomes["arm"].unique()) == {*chosen, *clean}
    pd.testing.assert_frame_equal(rows_of(screened, chosen), rows_of(whole, chosen), check_exact=True)
    assert screened.manifest["rows"] == WATCHED.samples + RESIZE.samples * (2 + 16)


def test_scores_depend_neither_on_shards_nor_on_threads(blob_sweep: Sweep) -> None:
    plan = blob_sweep.plan(CHANNELS, "image", "integrated_gradients", steps=2, kept=5, checked=3)
    expected = blob_sweep.run(plan).screens
    pd.testing.assert_frame_equal(blob_sweep.run(replace(plan, shard_pairs=11)).screens, expected, check_exact=True)
    allowed = torch.get_num_threads()
    torch.set_num_threads(1 if allowed > 1 else 2)
    try:
        again = blob_sweep.run(plan, blob_sweep.folder / "threads").screens
    finally:
        torch.set_num_threads(allowed)
    pd.testing.assert_frame_equal(again, expected, check_exact=True)


def test_progress_counts_the_pairs_of_all_screens(blob_sweep: Sweep, tmp_path: Path) -> None:
    plan = blob_sweep.plan(CHANNELS[:6], "area", kept=2, checked=1)
    other = blob_sweep.plan(CHANNELS[:6], "weighted", "integrated_gradients", steps=3, side="counterfactual", kept=2)
    both = replace(
        plan,
        arms=tuple(dict.fromkeys((*plan.arms, *other.arms))),
        uses=(*plan.uses, *other.uses_of(OWNER, "sweep")),
        screens=(*plan.screens, *other.screens),
    )
    told: list[Progress] = []
    execute_plan(
        both, blob_sweep.model, blob_sweep.dataset, blob_sweep.measure, tmp_path, "cpu", on_progress=told.append
    )
    steps = [(step.done, step.total) for step in told if step.stage == "screening"]
    assert steps == [(0, 2 * 21), (21, 2 * 21), (2 * 21, 2 * 21)]


class KilledError(Exception):
    pass


def test_a_killed_run_goes_on_with_the_scores_that_it_has(blob_sweep: Sweep, tmp_path: Path) -> None:
    plan = blob_sweep.plan(CHANNELS, "area", kept=4, checked=6)
    calls: list[bool] = []

    def dying(images: Tensor) -> Tensor:
        calls.append(torch.is_grad_enabled())
        if calls.count(False) > 6:
            raise KilledError
        return blob_sweep.measure(images)

    with pytest.raises(KilledError):
        blob_sweep.run(plan, tmp_path, dying)
    assert calls[0] and (tmp_path / "screens.parquet").exists()
    before = (tmp_path / "screens.parquet").read_bytes()
    calls.clear()

    def watching(images: Tensor) -> Tensor:
        calls.append(torch.is_grad_enabled())
        return blob_sweep.measure(images)

    resumed = blob_sweep.run(plan, tmp_path, watching)
    assert not any(calls)
    assert (tmp_path / "screens.parquet").read_bytes() == before
    straight = blob_sweep.run(plan, tmp_path / "straight")
    assert (tmp_path / "straight" / "screens.parquet").read_bytes() == before
    pd.testing.assert_frame_equal(resumed.outcomes, straight.outcomes, check_exact=True)


def test_scores_that_are_damaged_are_measured_again(blob_sweep: Sweep, tmp_path: Path) -> None:
    plan = blob_sweep.plan(CHANNELS[:6], "area", kept=2, checked=1)
    first = blob_sweep.run(plan, tmp_path)
    path = tmp_path / "screens.parquet"
    before = path.read_bytes()
    path.write_bytes(b"PAR1")
    with pytest.raises(CausalVAEError, match="CV406"):
        read_scores(path)
    assert blob_sweep.run(plan, tmp_path).screens.equals(first.screens)
    assert path.read_bytes() == before


def test_what_others_ask_for_is_run_though_the_screen_leaves_it_out(blob_sweep: Sweep) -> None:
    plan = blob_sweep.plan(CHANNELS, "area", kept=1)
    weakest = CHANNELS[int(np.argmin(blob_sweep.run(plan).screens["attribution"]))]
    arm = Arm(RESIZE.name, "base", (weakest,), RESIZE.samples)
    found = blob_sweep.run(replace(plan, uses=(*plan.uses, Use(Owner.intervention("via"), "sufficiency", arm.id))))
    assert (found.screens.set_index("arm").loc[arm.id, "selected"], len(found.arm(arm.id))) == ("left out", 21)


def test_the_best_are_kept_and_the_others_drawn_evenly() -> None:
    scores = np.array([0.0, 5.0, np.nan, 2.0, 2.0, 0.0, 7.0, 2.0])
    counts = np.zeros(8)
    for seed in range(600):
        chosen = choose(scores, Screen(OWNER, "base", "area", "attribution", 1, 3, 2, seed))
        assert list(np.flatnonzero(chosen == "kept")) == [1, 3, 6]
        counts += chosen == "checked"
    assert counts[[1, 3, 6]].sum() == 0
    # Each of the other five is in the sample with probability 2 / 5.
    assert (np.abs(counts[[0, 2, 4, 5, 7]] - 240) < 4 * np.sqrt(600 * 0.24)).all()
    draws = [
        [choose(scores, Screen(OWNER, side, "area", "attribution", 1, 3, 2, seed)).tolist() for seed in range(20)]
        for side in SIDES
    ]
    assert draws[0] != draws[1]
