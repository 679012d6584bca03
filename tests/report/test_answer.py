"""The answer of a run that was asked no hypothesis: what was found."""

from __future__ import annotations

from functools import partial

from causalvae.effects.types import Estimate, Role, UnitRole
from causalvae.plan.owner import Owner
from causalvae.report.answer import answer_words
from tests.targets import target

estimate_of = partial(Estimate, owner=Owner.intervention("move"))


def unit(component: str, role: Role, on: str = "x") -> UnitRole:
    return UnitRole(
        Owner.intervention("sweep"), "", "quantile", "", target(component), "unit", role, 1.0, 0.9, 1.1, 0.95, 1.0, on,
        0.0, "factors", 3, 100, 3.2, 0.3,
    )  # fmt: skip


def share(component: str, value: float, outcome: str = "y") -> Estimate:
    return estimate_of("mediated_share", value, "share", 100, outcome, treatment="move", component=target(component))


def test_units_and_mediators_are_named() -> None:
    units = [unit("latent[2]", "monosemantic"), unit("latent[6]", "undeclared"), unit("latent[0]", "inert")]
    units += [unit("latent[5]", "polysemantic"), unit("latent[7]", "inert")]
    told = answer_words((), None, [share("latent[5]", 0.999), share("latent[2]", 0.1)], units, declared=False)
    assert told == (
        "latent[5] carries 99.9 % of the effect of move on y. latent[2] moves x alone; latent[5] moves several "
        "factors; latent[6] moves what is not declared (by 0.30 sd of the output); 2 of 5 units have no effect."
    )


def test_total_effects_answer_where_nothing_carries_them() -> None:
    effect = estimate_of("total_effect", 12.5, "pixels", 100, "cx", treatment="move")
    assert answer_words((), None, [effect], (), declared=False) == "move moves cx by 12.5 pixels."


def test_changes_in_both_directions_are_told_by_their_size_and_none_as_none() -> None:
    def effect(estimand: str, outcome: str, value: float, lower: float, upper: float, unit: str = "pixels") -> Estimate:
        return estimate_of(estimand, value, unit, 100, outcome, lower, upper, 0.95, treatment="swap")

    effects = [effect("total_effect", "cx", -0.002, -0.1, 0.1), effect("effect_size", "cx", 1.46, 1.3, 1.6, "sd")]
    effects += [effect("total_effect", "cy", 2.5, 2.0, 3.0), effect("effect_size", "cy", 0.5, 0.4, 0.6, "sd")]
    effects += [effect("total_effect", "ink", 1e-8, -1e-7, 1e-7)]
    effects += [effect("total_effect", "area", 0, 0, 0), effect("effect_size", "area", 0, 0, 0, "sd")]
    assert answer_words((), None, effects, (), declared=False) == (
        "swap moves cx by 1.46 sd in both directions; swap moves cy by 2.50 pixels; swap is not shown to move ink on "
        "average. swap does not move area."
    )


def test_perturbed_units_answer_where_too_little_is_declared_to_name_what_they_carry() -> None:
    def strength(component: str, value: float, unit: str = "pixel L2") -> Estimate:
        return estimate_of(
            "causal_effect_strength",
            value,
            unit,
            64,
            "image",
            component=target(component),
            owner=Owner.intervention("sweep"),
        )

    found = [strength("latent[0]", 0.1), strength("latent[0]", 0.001, "pixel RMS"), strength("latent[1]", 6.0)]
    found += [strength("latent[2]", 11.0), strength("latent[2]", 0.2, "pixel RMS")]
    assert answer_words((), None, found, (), declared=False) == (
        "sweep: latent[2] (by 11.0 pixel L2) and latent[1] (by 6.00 pixel L2) move image; "
        "1 of 3 units move it less than a tenth as far."
    )
    assert answer_words((), None, [strength("latent[0]", 0.0)], (), declared=False) == (
        "sweep: none of 1 units moves image."
    )


def test_an_answer_is_never_empty() -> None:
    assert answer_words((), None, (), (), declared=False) == "No effect could be measured."
