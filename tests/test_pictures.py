"""Interventions as pictures: what plain forward hooks give, of every kind of data, within bounds."""

from __future__ import annotations

import base64
import io
import wave
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML

import causalvae
import causalvae.pair_pictures
import causalvae.traversals
from causalvae.api import compile_plan, execute
from causalvae.data.pairs import draw_pairs
from causalvae.effects import open_context
from causalvae.engine.outcomes import sum_rows
from causalvae.engine.picked import run_picked
from causalvae.engine.runner import PlanRunner
from causalvae.pair_pictures import pair_pictures
from causalvae.pictures.image import ImagePicture
from causalvae.plan.owner import Owner
from causalvae.report.pair_section import claim_pairs, pair_section
from causalvae.report.traversal_section import traversal_section
from causalvae.traversals import traversal_strips

NETWORK = """
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self, shape):
        super().__init__()
        size = torch.Size(shape).numel()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, 24), nn.ReLU(), nn.Linear(24, 8))
        self.decoder = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, size), nn.Unflatten(1, shape))


def make():
    torch.manual_seed(1)
    network = Small(SHAPE)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2.5)
    return network
"""
HUE = {
    "variables": {"shape": {"levels": ["square", "circle"]}, "hue": "uniform(0.05, 0.5)", "size": "uniform(0.1, 0.3)"}
}
TONE = {"variables": {"pitch": "uniform(300, 900)", "loudness": "uniform(0.2, 0.9)"}}
ROW = {"variables": {"dose": "uniform(1, 9)", "gene": "2 * dose + normal(0, 0.5)", "other": "normal(5, 1)"}}
KINDS = {
    "image": ("scm", {"world": "shapes", "side": 32, **HUE}, (3, 32, 32), "size", {"readout": "area"}),
    "sound": ("scm", {"world": "tones", "length": 512, **TONE}, (1, 512), "loudness", {"readout": "loudness"}),
    "table": ("scm", {"world": "table", **ROW}, (3,), "dose", {"readout": "column", "column": "gene"}),
}


def spec_of(kind: str) -> dict:
    source, data, _, factor, readout = KINDS[kind]
    return {
        "spec": "causalvae/v1",
        "name": f"pictures-{kind}",
        "model": {
            "source": "python", "factory": "network:make", "latent_dim": 4, "untrained": True,
            "output": {"activation": "sigmoid", "likelihood": "gaussian"},
        },
        "data": {"source": source, "samples": 40, "seed": 3, **data},
        "graph": {"factors": list(data["variables"]), "attributes": {"seen": readout}, "edges": [f"{factor} -> seen"]},
        "mapping": {factor: "latent[1]"},
        "interventions": [
            {"name": "change", "input": {"factor": factor}},
            {"name": "units", "activation": {"components": "decoder.0", "by": "unit", "from": "change", "pairs": 24}},
            {"name": "noisy", "activation": {"components": ["latent", "decoder.0"], "by": "unit", "from": "change",
                                             "mode": {"noise": 0.5}, "pairs": 24}},
            {"name": "shuffled", "activation": {"components": "latent", "by": "unit", "from": "change",
                                                "mode": "resample", "pairs": 24}},
            {"name": "via", "mediation": {"treatment": "change", "mediators": ["latent[2]"], "outcomes": ["seen"]}},
        ],
        "hypotheses": [
            {
                "name": "claim", "claim": "Latent 1 <carries> it.", "treatment": "change", "circuit": ["latent[1]"],
                "outcome": "seen", "expect": {"mediated_share": {"at_least": 0.5}}, "null": {"circuits": "none"},
            }
        ],
        "estimation": {"bootstrap": 100, "dowhy": False},
    }  # fmt: skip


@contextmanager
def opened(kind: str, folder: Path):
    (folder / "network.py").write_text(NETWORK.replace("SHAPE", str(KINDS[kind][2])))
    with (folder / "spec.yaml").open("w") as file:
        YAML(typ="safe").dump(spec_of(kind), file)
    with causalvae.allow_code(True):
        session = causalvae.open(folder / "spec.yaml")
        plan = compile_plan(session)
        measurements = execute(session, plan, folder / "runs")
        yield session, open_context(session.spec, measurements, session.whole, session.units)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    found = {}

    def run(kind: str):
        if kind not in found:
            with opened(kind, tmp_path_factory.mktemp(kind)) as (session, context):
                strips = traversal_strips(session, context)
                found[kind] = SimpleNamespace(
                    session=session, context=context, strips=strips, pictures=pair_pictures(session, context)
                )
        return found[kind]

    return run


def pixels(datum) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(datum.png))))


def as_pixels(output: torch.Tensor) -> np.ndarray:
    return (output.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def item_of(found, owner: Owner, edge: tuple[str, str] | None = None):
    (item,) = (item for item in found.pictures.shown if owner in item.owners and item.edge == edge)
    return item


@torch.no_grad()
def hooked(vae, x, module, unit, values):
    """The outputs with one unit of a module's input or output replaced, by a forward hook."""

    def put(value):
        value = value.clone()
        value[:, unit] = values
        return value

    if module is vae.decoder:
        handle = module.register_forward_pre_hook(lambda _, given: (put(given[0]), *given[1:]))
    else:
        handle = module.register_forward_hook(lambda _, given, output: put(output))
    try:
        return vae(x)
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("name", "kind"), [("claim", "hypothesis"), ("via", "intervention"), ("units", "intervention")]
)
def test_pictures_are_what_forward_hooks_give(ran, name, kind):
    found = ran("image")
    session, vae = found.session, found.session.model.vae
    pairs = draw_pairs(session.dataset, factor="size", samples=40, seed=3, contrast="increase")
    x, other = (session.dataset.inputs(rows) for rows in (pairs.base, pairs.counterfactual))
    item = item_of(found, Owner(kind, name))
    ((place, unit),) = ((part.site, part.units[0]) for part in item.component.components)
    with torch.no_grad():
        clean, changed = vae(x), vae(other)
        hidden = vae.decoder[0](vae.encode(other).mean)
        patched = (
            hooked(vae, x, vae.decoder, unit, vae.encode(other).mean[:, unit])
            if place == "latent"
            else hooked(vae, x, vae.decoder[0], unit, hidden[:, unit])
        )
    assert {pair.choice for pair in item.pairs} == {"largest", "smallest", "typical"}
    for pair in item.pairs:
        shown = {frame.role: frame.datum for frame in pair.frames}
        for role, images in (
            ("base", x), ("counterfactual", other), ("decoded", clean), ("decoded_counterfactual", changed),
            ("patched", patched),
        ):  # fmt: skip
            np.testing.assert_array_equal(pixels(shown[role]), as_pixels(images[pair.pair]), err_msg=role)
        change = (patched - clean)[pair.pair].permute(1, 2, 0).numpy()
        assert shown["change"].scale == pytest.approx(float(np.abs(change).max()), rel=1e-4)
        drawn = (pixels(shown["change"]) / 127.5 - 1) * shown["change"].scale
        assert np.abs(drawn - change).max() <= shown["change"].scale / 127


def test_picked_outputs_are_those_that_the_tables_were_measured_on(ran):
    found = ran("image")
    session, plan, outcomes = found.session, found.context.plan, found.context.outcomes
    arms = list({arm.id: arm for arm in plan.arms if arm.cohort == "change" and arm.patches}.values())
    assert {patch.source.kind for arm in arms for patch in arm.patches} >= {"interchange", "noise", "resample"}
    runner = PlanRunner(plan, session.model, session.dataset, session.measure, torch.device("cpu"))
    chosen = [2, 7, 19]
    outputs = run_picked(runner, "change", arms, chosen, runner.statistics("change", arms))
    for arm, patched in zip(arms, outputs.patched, strict=True):
        found_here = session.measure(patched)[:, 0].numpy()
        np.testing.assert_array_equal(found_here, outcomes.values(arm.id, "seen")[chosen], err_msg=str(arm.patches))
        clean = outputs.clean["base"]
        squares = sum_rows((patched - clean).flatten(1).square()).numpy()
        np.testing.assert_array_equal(squares, outcomes.values(arm.id, "image_sq")[chosen])


def test_pairs_are_those_with_the_largest_the_smallest_and_the_median_effect(ran):
    found = ran("image")
    context, owner = found.context, Owner.hypothesis("claim")
    arms = {role: context.plan.uses_of(owner, role)[0].arm for role in ("base", "counterfactual", "sufficiency")}
    seen = {role: context.outcomes.values(arm, "seen") for role, arm in arms.items()}
    effects = seen["sufficiency"] - seen["base"]
    order = np.argsort(np.abs(effects))
    pairs = {pair.choice: pair for pair in item_of(found, owner).pairs}
    assert [pairs[choice].pair for choice in ("smallest", "typical", "largest")] == [order[0], order[19], order[-1]]
    for pair in pairs.values():
        assert pair.effect == pytest.approx(effects[pair.pair])
        assert pair.total == pytest.approx((seen["counterfactual"] - seen["base"])[pair.pair])
        (factor,) = pair.factors
        assert factor.factor == "size"
        assert factor.after > factor.before


def test_an_edge_has_the_pairs_with_the_largest_and_the_smallest_effect_and_its_mapping_patched(ran):
    found = ran("image")
    context = found.context
    item = item_of(found, Owner("network", "size"), ("size", "seen"))
    arms = [context.plan.uses_of(Owner("network", "size"), role)[0].arm for role in ("base", "counterfactual")]
    base, other = (context.outcomes.values(arm, "seen") for arm in arms)
    order = np.argsort(np.abs(other - base))
    assert {pair.choice: pair.pair for pair in item.pairs} == {"largest": order[-1], "smallest": order[0]}
    assert item.component.label == "latent[1]"
    for pair in item.pairs:
        shown = {frame.role: frame.datum for frame in pair.frames}
        measured = found.session.measure(
            torch.stack([torch.from_numpy(pixels(shown[role]) / 255).permute(2, 0, 1).float()
                         for role in ("decoded", "patched")])
        )  # fmt: skip
        assert pair.effect == pytest.approx(float(measured[1, 0] - measured[0, 0]), abs=2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_is_kept_and_drawn(ran, kind):
    found = ran(kind)
    facts = found.pictures.facts
    assert (facts.kind, facts.shape) == (kind, KINDS[kind][2])
    results = results_with(found)
    blocks = (*claim_pairs(results, "claim"), *pair_section(results).blocks)
    page = "".join(str(view.drawing) for block in blocks for view in getattr(block, "views", ()))
    assert page.count("alt=") == page.count("<img ")
    assert "nan" not in page
    data = [frame.datum for item in found.pictures.shown for pair in item.pairs for frame in pair.frames]
    steps = traversal_section(results).blocks[0].strips
    assert len(steps) == 4
    assert all(len(strip.curves) == 1 for strip in steps)
    if kind == "table":
        assert page.count("<svg") == sum(len(item.pairs) for item in found.pictures.shown)
        assert "dose: x " in page
        assert all(len(datum.numbers) == 3 and not datum.png for datum in data)
    else:
        assert all(datum.png for datum in data)
        assert all(len(strip.frames) == 9 and all(image for _, image in strip.frames) for strip in steps)


def results_with(found):
    """The parts of results that the sections of pictures read."""
    return SimpleNamespace(
        pictures=found.pictures,
        traversals=found.strips,
        verdicts=(SimpleNamespace(hypothesis="claim"),),
        whole=found.session.whole,
    )


def test_numbers_of_tables_are_in_the_tables_units(ran):
    found = ran("table")
    context = found.context
    table = context.measurements.pairs.query("cohort == 'change'").set_index("pair")
    for pair in item_of(found, Owner.hypothesis("claim")).pairs:
        shown = {frame.role: frame.datum.numbers for frame in pair.frames}
        for role, side in (("base", "base"), ("counterfactual", "counterfactual")):
            known = [table.loc[pair.pair, f"{side}:{name}"] for name in ("dose", "gene", "other")]
            assert shown[role] == pytest.approx(known, rel=1e-5)
        change = np.subtract(shown["patched"], shown["decoded"])
        assert shown["change"] == pytest.approx(change, abs=1e-4)
        assert pair.effect == pytest.approx(change[1], abs=1e-4)


def test_a_sound_can_be_played_and_its_spectrogram_shows_its_pitch(ran):
    found = ran("sound")
    item = item_of(found, Owner.hypothesis("claim"))
    table = found.context.measurements.pairs.query("cohort == 'change'").set_index("pair")
    for pair in item.pairs:
        shown = {frame.role: frame.datum for frame in pair.frames}
        with wave.open(io.BytesIO(base64.b64decode(shown["base"].wav))) as file:
            assert (file.getframerate(), file.getnframes(), file.getnchannels()) == (8000, 512, 1)
            samples = np.frombuffer(file.readframes(512), "<i2") / 32767
        sound = found.session.dataset.inputs(found_rows(found, pair.pair))[0, 0].numpy()
        assert np.abs(samples - (2 * sound - 1)).max() < 1e-4
        # Rows are 8000 / 128 Hz apart, the lowest at the bottom.
        loudest = 64 - int(pixels(shown["base"]).mean(axis=1).argmax())
        assert abs(loudest * 62.5 - table.loc[pair.pair, "base:pitch"]) < 62.5
        assert not shown["change"].wav


def found_rows(found, pair: int):
    data = found.session.spec.data
    pairs = draw_pairs(found.session.dataset, factor="loudness", samples=40, seed=data.seed, contrast="increase")
    return pairs.base[pair : pair + 1]


def test_curves_are_the_changes_of_decoded_attributes_from_the_median(ran):
    found = ran("image")
    session, context = found.session, found.context
    observed = context.measurements.observations
    z = torch.from_numpy(observed[[f"latent:{latent}" for latent in range(4)]].to_numpy(np.float32, copy=True))
    strengths = []
    for strip in found.strips:
        values = torch.quantile(z[:, strip.latent], torch.tensor(strip.quantiles))
        changes, squares = [], []
        for sample in range(strip.samples):
            moved = z[sample].repeat(9, 1)
            moved[:, strip.latent] = values
            with torch.no_grad():
                decoded = session.model.vae.decode(moved)
            seen = session.measure(decoded).numpy()[:, 0]
            changes.append(seen - seen[4])
            squares.append(((decoded - decoded[4]) ** 2).flatten(1).sum(1).mean().item())
            if sample == 0:
                for datum, image in zip(strip.images, decoded, strict=True):
                    np.testing.assert_array_equal(pixels(SimpleNamespace(png=datum)), as_pixels(image))
        (response,) = strip.responses
        assert response.mean == pytest.approx(np.mean(changes, axis=0), abs=1e-3)
        assert response.lowest == pytest.approx(np.min(changes, axis=0), abs=1e-3)
        assert response.highest == pytest.approx(np.max(changes, axis=0), abs=1e-3)
        assert strip.strength == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-4)
        strengths.append(strip.strength)
    assert strengths == sorted(strengths, reverse=True)
    assert found.strips[0].samples == 16


def test_pictures_stay_within_their_budget_and_the_page_says_what_is_left_out(ran, monkeypatch):
    found = ran("image")
    sizes = [
        sum(ImagePicture.size(frame.datum) for frame in pair.frames)
        for item in found.pictures.shown
        for pair in item.pairs
    ]
    assert found.pictures.left_out == 0
    room = sum(sizes) // 2
    monkeypatch.setattr(causalvae.pair_pictures, "PAIR_BYTES", room)
    few = pair_pictures(found.session, found.context)
    kept = [sum(ImagePicture.size(frame.datum) for frame in pair.frames) for item in few.shown for pair in item.pairs]
    assert 0 < sum(kept) <= room
    assert few.left_out == len(sizes) - len(kept)
    # The largest effect of every intervention comes before any other pair.
    assert [item.pairs[0].choice for item in few.shown] == ["largest"] * len(found.pictures.shown)
    section = pair_section(replace_pictures(found, few))
    assert f"not shown because the page would become too large: {few.left_out}." in section.blocks[-1].text
    images = [strip.images for strip in found.strips]

    def kept(room: int) -> list[tuple[str, ...]]:
        monkeypatch.setattr(causalvae.traversals, "TRAVERSAL_BYTES", room)
        return [strip.images for strip in traversal_strips(found.session, found.context)]

    # Every second step of all before any latent goes without, then every fourth, then the weakest latents.
    for stride in (1, 2, 4):
        thinned = [tuple(image if step % stride == 0 else "" for step, image in enumerate(strip)) for strip in images]
        assert kept(len("".join("".join(strip) for strip in thinned))) == thinned
    assert kept(len("".join(thinned[0]))) == [thinned[0], (), (), ()]


def replace_pictures(found, pictures):
    return results_with(SimpleNamespace(**{**vars(found), "pictures": pictures}))


def test_what_is_too_costly_for_a_picture_is_counted(ran, monkeypatch):
    found = ran("image")
    monkeypatch.setattr(causalvae.pair_pictures, "_FREE_FLOPS", 1.0)
    monkeypatch.setattr(causalvae.pair_pictures, "_SHARE", 0.0)
    none = pair_pictures(found.session, found.context)
    assert none.shown == ()
    assert none.left_out == sum(len(item.pairs) for item in found.pictures.shown)
    (told,) = pair_section(replace_pictures(found, none)).blocks
    assert str(none.left_out) in told.text


def test_runs_that_stop_at_the_latent_have_no_pictures(ran):
    found = ran("image")
    plan = replace(
        found.context.plan, latent_attributes={"seen": 0}, options=replace(found.context.plan.options, stop=True)
    )
    context = SimpleNamespace(plan=plan)
    assert pair_pictures(found.session, context).shown == ()
