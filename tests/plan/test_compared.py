"""At which layers latents are compared: the decoder's first, or those that a spec names."""

from __future__ import annotations

import pytest

from causalvae.errors import CausalVAEError
from causalvae.interventions.latent import LatentIntervention
from causalvae.interventions.latent.compared import compared_sites, first_layers
from causalvae.models.components import ComponentMap, Site
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import Resolver
from tests.effects.synthetic import make_spec


def site(name: str, stage: str, kind: str) -> Site:
    return Site(name, stage, kind, (4,), name, True, 1.0)  # type: ignore[arg-type]


MAP = ComponentMap(
    (
        site("encoder.lin1", "encoder", "Linear"),
        site("latent", "latent", "what the decoder receives"),
        site("decoder.lin1@pre", "decoder", "Linear"),
        site("decoder.lin1", "decoder", "Linear"),
        site("decoder.norm", "decoder", "BatchNorm1d"),
        site("decoder.lin2", "decoder", "Linear"),
        site("decoder.out", "decoder", "ConvTranspose2d"),
    ),
    3,
    "digest",
)


def compared(**fields: object) -> tuple[str, ...]:
    section = LatentIntervention.model_validate({"components": "latent", **fields})
    return compared_sites(section, Resolver(make_spec(), MAP), Owner.intervention("perturb"))


def test_the_decoders_first_two_layers_are_taken_by_default() -> None:
    assert first_layers(MAP) == compared() == ("decoder.lin1", "decoder.lin2")


def test_named_layers_are_taken_once_each() -> None:
    assert compared(layers=["decoder.out", "decoder.norm", "decoder.out[1]"]) == ("decoder.out", "decoder.norm")


@pytest.mark.parametrize("layer", ["encoder.lin1", "latent"])
def test_a_layer_that_no_latent_changes_is_refused(layer: str) -> None:
    with pytest.raises(CausalVAEError, match="not a layer of the decoder") as caught:
        compared(layers=[layer])
    assert caught.value.code == "CV530"
    assert "decoder.lin1" in caught.value.remedy
