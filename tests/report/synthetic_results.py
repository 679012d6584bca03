"""Results made by hand: every status, hundreds of components, numbers that are missing, and hostile strings."""

from __future__ import annotations

import base64
import io
import math
import random

from PIL import Image

from causalvae.alignment.types import (
    Alignment,
    EdgeDiagnosis,
    Effect,
    GraphCount,
    Headline,
    HiddenCause,
    IndependenceCheck,
    IndependenceFamily,
    Interchange,
    JudgedGraph,
    LearnedStructure,
    LevelEffect,
    Link,
    LinkCount,
    PairCheck,
    Reconstruction,
    Repair,
    Share,
    Support,
)
from causalvae.circuits.types import (
    CircuitScore,
    ClaimTest,
    MemberLoss,
    Minimality,
    Multiverse,
    RelativeError,
    Rivals,
    UnitShare,
    Variant,
    Verdict,
)
from causalvae.disentanglement import ScoreReport, ScoreRow
from causalvae.effects.dowhy.relabelling import Relabelling
from causalvae.effects.notes import Note, Notes
from causalvae.effects.types import Estimate, Refutation, ScreenedComponent, ScreenSummary, Selected
from causalvae.models.components import ComponentRef
from causalvae.plan.owner import Owner
from causalvae.plan.targets import ComponentSet
from causalvae.readouts.types import ReadoutCheck
from causalvae.results import ControlCheck, GraphSummary, LatentSummary, Results, TraversalStrip
from tests.targets import target as target_of

PATCHED = Owner.intervention("patch_everything")
HOSTILE = "<script>alert(1)</script>"
HIDDEN = "\u202e\u2066\u200b\u200f\x1b\x07\x85"
BREAKOUT = "\"'><img src=x onerror=alert(2)> | `code` **bold** [link](http://evil.example/x) $x$ \x07\nnew line"
LONG = "a_very_long_name_" * 12

FACTORS = ("shape", "scale", "orientation", "x", "y")
ATTRIBUTES = ("area", "centroid_x", "centroid_y", "major_extent", "is_heart")
SITES = (
    ("encoder.conv1", 32),
    ("encoder.conv2", 32),
    ("encoder.conv3", 32),
    ("encoder.conv4", 32),
    ("encoder.fc1", 64),
    ("latent.mean", 10),
    ("latent", 10),
    ("decoder.fc1", 64),
    ("decoder.convT1", 32),
    ("decoder.convT2", 32),
)


def png(seed: int, size: int = 64) -> str:
    """A picture of a square, as base64 PNG."""
    image = Image.new("L", (size, size))
    edge = 12 + seed % 20
    image.paste(255, (size // 2 - edge // 2, size // 2 - edge // 2, size // 2 + edge // 2, size // 2 + edge // 2))
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def build_results(hostile: bool = False, seed: int = 0) -> Results:
    """A full set of results; with `hostile`, every string that a user may choose tries to break out."""
    rng = random.Random(seed)
    bad = f" {HOSTILE} {BREAKOUT} {HIDDEN} {LONG}" if hostile else ""
    return Results(
        name="dsprites-scale" + bad,
        description="Does the total-correlation VAE carry sprite size through one latent?" + bad,
        question="Does size reach the area of the decoded sprite through latent[3] alone?" + bad,
        answer="Yes: latent[3] carries 92 % of the effect of size on area and touches little else." + bad,
        verdicts=_verdicts(rng, bad),
        estimates=(*_mediation(bad), *_inputs(bad), *_sweep(rng, bad), *_perturbation(rng, bad), *_claims(bad)),
        refutations=_refutations(bad),
        alignment=_alignment(rng, bad),
        graph=GraphSummary(
            FACTORS + ((f"factor{bad}",) if hostile else ()),
            ATTRIBUTES + ((f"attribute{bad}",) if hostile else ()),
            (
                ("scale", "area"),
                ("shape", "area"),
                ("scale", "major_extent"),
                ("x", "centroid_x"),
                ("y", "centroid_y"),
                ("shape", "is_heart"),
                ("orientation", "is_heart"),
                *(((f"factor{bad}", f"attribute{bad}"),) if hostile else ()),
            ),
            {
                "scale": ("latent[3]",),
                "x": ("latent[5]",),
                "y": ("latent[0]",),
                "shape": ("latent[2]", "latent[7]" + bad),
            },
        ),
        readouts=(
            ReadoutCheck("area", "area", "sprite pixels", "R^2", 0.99981, 0.97213, 512, True),
            ReadoutCheck("centroid_x", "centroid", "x position in pixels", "R^2", 0.99998, 0.9913, 512, True),
            ReadoutCheck(
                "is_heart", "probe" + bad, "shape is heart", "accuracy", 0.871, 0.822, 512, False, "weak" + bad
            ),
        ),
        controls=(
            ControlCheck("self-patch", "Patching a component with its own value changes nothing.", 0.0, "= 0", True),
            ControlCheck("full patch", "Patching every latent gives the total effect.", 1.2e-7, "<= 1e-5", True),
            ControlCheck("random network" + bad, "The claim on an untrained copy." + bad, 0.31, "< 0.7", True),
            ControlCheck("shuffled labels", "The claim with shuffled factor labels.", math.nan, "< 0.7", False),
        ),
        traversals=tuple(
            TraversalStrip(
                f"latent[{latent}]" + (f" ({name})" if name else "") + bad,
                latent,
                (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975),
                tuple(png(latent * 7 + step * 2) for step in range(7)),
            )
            for latent, name in ((0, "y"), (2, "shape"), (3, "scale"), (5, "x"), (7, ""), (9, ""))
        ),
        latents=tuple(
            LatentSummary(
                i, (2.9, 0.004, 1.7, 3.1, 0.01, 2.8, 0.003, 0.9, 0.002, 0.0)[i], 0.98 if i % 2 else 0.07, factor
            )
            for i, factor in enumerate(("y", "", "shape", "scale", "", "x" + bad, "", "shape", "", ""))
        ),
        model={
            "source": "zoo",
            "name": "burgess" + bad,
            "weights": "builtin://dsprites-disentangled",
            "parameters": 435_712,
        },
        data={"source": "dsprites", "samples": 512, "seed": 7, "note": "regenerated" + bad},
        execution={"device": "cpu", "backend": "local", "seed": 0, "batch rows": 512, "controls": True},
        manifest={
            "versions": {"causalvae": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
            "digests": {"spec": "a9c0d14e88f01b23", "plan": "77b1ac02de5f9a10", "weights": "0c4ddf1a2b3c4d5e"},
            "seeds": {"execution": 0, "data": 7},
            "seconds": {"engine": 31.27, "effects": 4.0441, "report": None},
            "rows": [1024, 2048],
            "host" + bad: "x" + bad,
        },
        warnings=("The reconstruction of hearts is poor: read is_heart with care." + bad,),
        screens=_screens(rng, bad),
        scores=_scores(bad),
    )


def _scores(bad: str) -> ScoreReport:
    return ScoreReport(
        rows=(
            ScoreRow("MIG", 0.102, 0.11, 0.14, 0.885, 0.011, "biased at few samples, hence outside its interval" + bad),
            ScoreRow("DCI disentanglement", 0.1522, oracle=1.0, random=0.0065, note="gradient boosting" + bad),
            ScoreRow("IRS", None, note="no latent is active" + bad),
            ScoreRow("a score of tomorrow" + bad, 1.0, 0.9, 1.0),
        ),
        data="dsprites" + bad,
        factors=(*FACTORS, *((f"factor{bad}",) if bad else ())),
        latents=10,
        dead=(1, 6),
        kl_threshold=0.01,
        samples=4000,
        test_samples=2000,
        predictor="gradient boosting",
        importance=tuple(
            (None,) * (6 if bad else 5) if latent in (1, 6) else (0.125,) * (6 if bad else 5) for latent in range(10)
        ),
        notes=("The network receives shape in addition to the input." + bad,),
    )


def _verdicts(rng: random.Random, bad: str) -> tuple[Verdict, ...]:
    def latents(*units: int) -> tuple[ComponentRef, ...]:
        return tuple(ComponentRef("latent" + bad, (unit,)) for unit in units)

    def score(error: float, *units: int, p_value: float | None = 0.001, is_part: bool = False) -> CircuitScore:
        circuit = (ComponentRef("latent" + bad, units),)
        return CircuitScore(circuit, error, None, 1 - error, None, p_value, is_part)

    def rivals(own: float, nearest: float, p_value: float, as_well: int) -> Rivals:
        errors = tuple(max(0.0, rng.gauss(0.9, 0.06)) for _ in range(200))
        best = (score(nearest, 5), score(nearest + 0.1, 6))
        return Rivals("every", "", True, 0.05, 200, 1, as_well, p_value, False, score(own, 3), best, errors, 96, 11)

    members = Minimality(
        False, 0.05,
        (
            MemberLoss(latents(2)[0], 0.4, 0.3, 0.5, 0.001, 1.0, "needed"),
            MemberLoss(latents(7)[0], 0.0, -0.01, 0.01, 1.0, 0.001, "useless"),
        ),
        1.0, 0.002, None, (latents(2),), 0.95, 96,
    )  # fmt: skip
    return (
        Verdict(
            "scale-through-one-latent" + bad,
            "Size reaches the output's area through the latent mapped to scale, and touches little else." + bad,
            "resize", latents(3), "area", "supported",
            (
                ClaimTest("mediated_share", 0.7, 1.3, 0.9183, 0.9012, 0.9401, 1e-12, 1.0, 512),
                ClaimTest(
                    "off_target", None, 0.2, 0.061, 0.048, 0.077, 0.0004, 0.9996, 512, None, remark("3 attr" + bad)
                ),
            ),
            0.002, 1.0, 0.05,
            errors=(RelativeError("sufficiency", 0.08, 0.06, 0.1, 0.95, 512),),
            rivals=rivals(0.08, 0.81, 0.005, 0),
            multiverse=Multiverse(64, 0.95, (Variant("resample" + bad, "both", 0.9, 0.8, 1.0, True),)),
        ),
        Verdict(
            "scale-through-x", "Size reaches the area through the latent that carries x.",
            "resize", latents(5), "area", "refuted",
            (
                ClaimTest("mediated_share", 0.7, None, 0.0041, -0.012, 0.0205, 1.0, 1e-9, 512),
                ClaimTest("total_effect", 0.5, 1.5, 1.02, 0.95, 1.09, 0.001, 1.0, 512),
            ),
            1.0, 0.00001, 0.05,
            rivals=rivals(0.99, 0.08, 0.82, 12),
            cancelling=(UnitShare(latents(8)[0], -0.4, -0.5, -0.3, False),),
        ),
        Verdict(
            "shape-needs-two", "", "reshape", latents(2, 7), "is_heart", "inconclusive",
            (
                ClaimTest("necessity", 0.5, None, 0.53, 0.43, 0.63, 0.21, 0.79, 128, 1420, remark("few pairs")),
                ClaimTest("mediated_share", 0.5, None, math.nan, None, None, 1.0, 1.0, 0),
            ),
            0.42, 0.79, 0.05, needed=1420, minimality=members,
        ),
        Verdict(
            "nothing-tested" + bad, "A claim without tests.", "resize", (), "area", "unspecific",
            (), 1.0, 1.0, 0.05, rivals=Rivals("none", "whole_site"),
        ),
    )  # fmt: skip


def remark(text: str) -> Notes:
    return (Note("null_space", (text,)),)


def _mediation(bad: str) -> tuple[Estimate, ...]:
    owner = Owner.intervention("via_scale")

    def make(name: str, outcome: str, unit: str, value: float, half: float, p: float | None, through: str) -> Estimate:
        return Estimate(
            name, value, unit, 512, outcome, value - half, value + half, 0.95, p, "resize", target_of(through),
            "set" if through else "", "interchange" if through else "", "", seed=5, owner=owner,
        )  # fmt: skip

    rows = []
    for outcome, unit, scale in (("area", "pixels", 131.7), ("centroid_x", "pixels", 0.0213)):
        set_name = "latent[3] + latent[5]" + bad
        rows += [
            make("total_effect", outcome, unit, scale, scale * 0.03, 1e-9, ""),
            make("natural_direct_effect", outcome, unit, scale * 0.07, scale * 0.02, 0.0042, set_name),
            make("natural_indirect_effect", outcome, unit, scale * 0.92, scale * 0.03, 1e-9, set_name),
            make("total_indirect_effect", outcome, unit, scale * 0.93, scale * 0.03, 1e-9, set_name),
            make("interaction", outcome, unit, scale * 0.01, scale * 0.02, 0.31, set_name),
            make("mediated_share", outcome, "share", 0.918, 0.02, None, set_name),
            make("necessity", outcome, "share", 0.931, 0.02, None, set_name),
            make("natural_indirect_effect", outcome, unit, scale * 0.9, scale * 0.03, 1e-9, "latent[3]"),
            make("mediated_share", outcome, "share", 0.9, 0.02, None, "latent[3]"),
        ]
        for name, value, through in (
            ("total_effect", scale, ""),
            ("natural_indirect_effect", scale * 0.92, set_name),
            ("natural_direct_effect", scale * 0.07 + 0.013, set_name),
        ):
            rows.append(
                Estimate(
                    name, value, unit, 512, outcome, treatment="resize", component=target_of(through),
                    estimator="dowhy", owner=owner,
                )
            )  # fmt: skip
    return tuple(rows)


def _inputs(bad: str) -> tuple[Estimate, ...]:
    rows = []
    for name, target in (("resize", "area"), ("move", "centroid_x" + bad)):
        for outcome in (target, "centroid_y"):
            owner = Owner.intervention(name)
            size = 1.02 if outcome == target else 0.013
            for estimand, unit, scale in (("total_effect", "pixels", 90), ("effect_size", "sd", 1)):
                value = size * scale
                rows.append(
                    Estimate(
                        estimand, value, unit, 512, outcome, value * 0.9, value * 1.1, 0.95, 1e-6, name, owner=owner
                    )
                )  # fmt: skip
    return tuple(rows)


def _sweep(rng: random.Random, bad: str) -> tuple[Estimate, ...]:
    rows = []
    for direction in ("denoising", "noising"):
        for site, units in SITES:
            for unit in range(units):
                component = f"{site}[{unit}]"
                for attribute in ATTRIBUTES:
                    value = abs(rng.gauss(0, 0.05))
                    if site.startswith("latent") and unit == 3 and attribute in ("area", "major_extent"):
                        value = 0.97
                    rows.append(
                        Estimate(
                            "effect_size", value, "sd", 96, attribute, value * 0.8, value * 1.2, 0.95, 0.01, "resize",
                            target_of(component), "channel", "interchange", direction, seed=3, owner=PATCHED,
                        )
                    )  # fmt: skip
                rows.append(
                    Estimate(
                        "causal_effect_strength", 3.2 * rng.random(), "pixel L2", 96, "image", 0.1, 3.3, 0.95, None,
                        "resize", target_of(component), "channel", "interchange", direction, owner=PATCHED,
                    )
                )  # fmt: skip
    rows.append(
        Estimate(
            "effect_size", math.nan, "sd", 0, "area", treatment="resize", component=target_of("encoder.fc2" + bad),
            granularity="layer", source="interchange", direction="denoising", owner=PATCHED,
        )
    )  # fmt: skip
    return tuple(rows)


def _perturbation(rng: random.Random, bad: str) -> tuple[Estimate, ...]:
    rows = []
    owner = Owner.intervention("sweep_latents" + bad)
    for latent in range(10):
        component = f"latent[{latent}]"
        for position, attribute in enumerate(ATTRIBUTES):
            value = 1.1 if (latent, position) in {(3, 0), (3, 3), (5, 1), (0, 2)} else abs(rng.gauss(0, 0.08))
            rows.append(
                Estimate(
                    "effect_size", value, "sd", 512, attribute, value * 0.9, value * 1.1, 0.95, 0.2, "",
                    target_of(component), "unit", "quantile", owner=owner,
                )
            )  # fmt: skip
        for name, unit, value in (
            ("causal_effect_strength", "pixel L2", 4.59),
            ("causal_effect_strength", "pixel RMS", 0.072),
            ("specificity", "1/nat", 2.31),
            ("specificity_bounded", "share", 0.71),
        ):
            rows.append(
                Estimate(
                    name, value + latent / 100, unit, 512, "image", value * 0.9, value * 1.1, 0.95, None, "",
                    target_of(component), "unit", "quantile", owner=owner,
                )
            )  # fmt: skip
    return tuple(rows)


def _claims(bad: str) -> tuple[Estimate, ...]:
    return (
        Estimate(
            "mediated_share", 0.9183, "share", 512, "area", 0.9012, 0.9401, 0.95, None, "resize",
            target_of("latent[3]"), "set", "interchange", "denoising",
            owner=Owner.hypothesis("scale-through-one-latent"), notes=remark("x" + bad),
        ),
        Estimate("a_new_estimand" + bad, -4.2e-7, "", 12, "area" + bad, owner=Owner.hypothesis("z")),
    )  # fmt: skip


def _refutations(bad: str) -> tuple[Refutation, ...]:
    return (
        Refutation(
            "placebo", "natural_indirect_effect", "area", Owner.intervention("via_scale"), 121.2, -0.41, 0.46, True,
            "The arm labels are permuted; the effect should vanish. Passes when p > 0.05." + bad,
        ),
        Refutation(
            "random_common_cause", "natural_indirect_effect", "area", Owner.intervention("via_scale"), 121.2, 121.2,
            0.94, True, "A random common cause is added; the effect should stay. Passes when p > 0.05.",
        ),
        Refutation(
            "subset", "natural_direct_effect", "area", Owner.intervention("via_scale"), 9.2, 15.0, 0.012, False,
            "The effect on a random 80 % of the rows should stay. Passes when p > 0.05.",
        ),
    )  # fmt: skip


def _alignment(rng: random.Random, bad: str) -> Alignment:
    statuses = {
        ("scale", "area"): (True, "supported", 1.02),
        ("shape", "area"): (True, "undecided", 0.11),
        ("scale", "major_extent"): (True, "supported", 0.94),
        ("x", "centroid_x"): (True, "supported", 1.41),
        ("y", "centroid_y"): (True, "supported", 1.38),
        ("shape", "is_heart"): (True, "missing", 0.02),
        ("orientation", "is_heart"): (True, "missing", 0.01),
        ("orientation", "area"): (False, "spurious", 0.31),
        ("x", "major_extent"): (False, "undecided", 0.1),
    }
    pairs = []
    for source in FACTORS:
        for target in ATTRIBUTES:
            declared, status, effect = statuses.get((source, target), (False, "absent", abs(rng.gauss(0, 0.01))))
            graph = {"supported": "present", "spurious": "undeclared"}.get(status, status)
            measured = Effect(
                effect, effect * 0.9, effect * 1.1,
                0.0001 if status in ("supported", "spurious") else 0.8,
                0.0001 if status in ("missing", "absent") else 0.7, 512,
            )  # fmt: skip
            kept = Link("kept", 0.97, effect, effect * 0.9, effect * 1.1, 1.0, 0.001, 500)
            none = Link("none", None, effect, effect * 0.9, effect * 1.1, 1.0, 0.001, 500)
            link = kept if status == "supported" else none
            pairs.append(
                PairCheck(
                    source, target, False, declared, "intervention", measured, (), graph, link,
                    None if source == "orientation" else link, status,
                )
            )  # fmt: skip
    level = LevelEffect("shape" + bad, "heart" + bad, Effect(0.17, 0.15, 0.19, 0.001, 1.0, 170))
    pairs.append(
        PairCheck(
            "scale", "attribute" + bad, False, False, "intervention", Effect(0.1, 0.09, 0.11, 0.6, 0.4, 512), (level,),
            "undeclared", Link("added", None, 0.4, 0.3, 0.5, 0.001, 1.0, 500), None, "spurious",
        )
    )  # fmt: skip
    independencies = tuple(
        IndependenceCheck(
            left,
            right,
            given,
            0.021 + 0.1 * rejected,
            0.5,
            1.0,
            rejected,
            of="data" if given else "network",
            result="dependent" if rejected else "undecided" if given else "independent",
            size=None if given else 0.02,
            upper=0.05,
            p_small=0.01,
            n=1000,
            needed=5000,
        )
        for left, right, given, rejected in (
            ("scale", "x", (), False),
            ("area", "centroid_x", ("scale", "shape"), False),
            ("centroid_y", "is_heart" + bad, ("y",), True),
        )
    )
    accuracy = Interchange(
        "scale" + bad, Share(0.98, 0.95, 0.99, 500), Share(0.4, 0.36, 0.44, 500), Share(0.45, 0.41, 0.49, 500)
    )
    headline = Headline(
        GraphCount(38, 4, 2, 0), LinkCount(0, 4, 0), LinkCount(1, 20, 2), LinkCount(0, 4, 0), LinkCount(0, 12, 1),
        ("scale" + bad, "x", "y"), ("shape", "orientation"), accuracy, Reconstruction("area" + bad, 0.04),
    )  # fmt: skip
    return Alignment(
        tuple(pairs), headline, (accuracy,), (headline.worst_reconstruction,), Support(0.21, 0.8), independencies,
        17.31, 0.0312, "partial correlation" + bad, "holm", 0.05, 0.1, 1000, 2.31,
        ("orientation is not mapped: its components are not tested." + bad,),
        families=(IndependenceFamily("data", 4000, 12.4, 0.41), IndependenceFamily("network", 1000, 17.31, 0.0312)),
        learned=LearnedStructure(
            (("shape", "scale" + bad),), (("x", "y"),), 2, 0.01, 4000, (("x", "y"),), (("shape", "scale" + bad),), (),
            (("parent", 0.25),),
        ),
        hidden=(HiddenCause("x", "y" + bad, ("scale",), 0.001, 0.4, 0.3, 0.5),),
        repairs=(Repair("scale" + bad, ("latent[3]" + bad, "latent[7]"), Share(0.98, 0.94, 0.99, 192), False),),
        relabelling=Relabelling(0, 12, 200, 3, 2, 0.0199),
        graphs=(
            JudgedGraph("", GraphCount(38, 4, 2, 0), (("scale", "area" + bad),), 1, 12, ("other",), ("other",)),
            JudgedGraph("other", GraphCount(37, 5, 2, 0), (), 2, 11, ("",), ("",)),
        ),
        edges=(EdgeDiagnosis("x", "y" + bad, 0.41, "area" + bad, 0.8, "centroid_y" + bad, 120),),
    )  # fmt: skip


def _screens(rng: random.Random, bad: str) -> tuple[ScreenSummary, ...]:
    """One that measured its recall, and one whose recall is not known; some effects are not defined."""
    chosen: tuple[Selected, ...] = ("kept", "left out", "left out", "checked")
    components = tuple(
        ScreenedComponent(
            ComponentSet((ComponentRef(f"encoder.conv1{bad}", (unit,)),)),
            "channel",
            math.nan if unit == 7 else rng.expovariate(2.0),
            chosen[unit % 4],
            None if chosen[unit % 4] == "left out" else rng.expovariate(2.0),
        )
        for unit in range(48)
    )
    first = ScreenSummary(
        Owner.intervention(f"sweep{bad}"), f"resize{bad}", "denoising", "interchange", f"area{bad}", "pixels",
        "attribution", 1, 64, 12, 12, 24, 0.9167, 0.5833, 1.0, 0.81, 0.45, 0.94, 0.95, 0, components,
    )  # fmt: skip
    second = ScreenSummary(
        Owner.intervention(f"other{bad}"), f"resize{bad}", "noising", "interchange", "image", "pixel L2",
        "integrated_gradients", 8, 64, 1, 0, 3, math.nan, 0.0, 1.0, math.nan, None, None, 0.95, 0, components[:4],
    )  # fmt: skip
    return first, second
