"""The example specs of both systems, small: what the engine measures against plain calls of the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from causalvae.api import compile_plan, execute, load_spec, open_session
from causalvae.data.dataset import open_dataset
from causalvae.data.pairs import draw_pairs, draw_samples
from causalvae.plan.owner import Owner
from causalvae_neighbours.quantum.spins import order

EXAMPLES = Path(__file__).parents[2] / "examples"


def measured(name, tmp_path, samples=24, keep=()):
    """The example `name` with few samples and only some interventions: session, plan, measurements."""
    spec = load_spec(EXAMPLES / name / "analyse.yaml")
    spec = spec.model_copy(
        update={
            "data": spec.data.model_copy(update={"samples": samples}),
            "interventions": tuple(item for item in spec.interventions if item.name in keep),
            "hypotheses": (),
            "alignment": spec.alignment.model_copy(update={"samples": samples, "pairs": samples}),
        }
    )
    session = open_session(spec, EXAMPLES / name)
    plan = compile_plan(session)
    return session, plan, execute(session, plan, tmp_path)


def pairs_of(session, factor, contrast="increase"):
    data = session.spec.data
    within = session.split.within(session.dataset, "test")
    return draw_pairs(
        session.dataset,
        factor=factor,
        samples=data.samples,
        seed=data.seed,
        contrast=contrast,
        within=within,
    )


def values(plan, measurements, owner, role, column):
    arms = [use.arm for use in plan.uses if (use.owner, use.role, use.index) == (owner, role, 0)]
    return measurements.values(arms[0], column)


def test_the_field_reaches_the_order_on_two_paths(tmp_path):
    session, plan, measurements = measured("quantum", tmp_path, keep=("stronger_field", "order_through_the_latent"))
    vae, pairs = session.model.vae, pairs_of(session, "field")
    x, other = (session.dataset.inputs(rows) for rows in (pairs.base, pairs.counterfactual))
    z, z_other = vae.encode(x).mean, vae.encode(other).mean
    owner = Owner.intervention("order_through_the_latent")
    for role, latent, read in (
        ("base", z, x),
        ("counterfactual", z_other, other),
        ("sufficiency", z_other, x),
        ("necessity", z, other),
    ):
        found = values(plan, measurements, owner, role, "order")
        np.testing.assert_allclose(found, order(vae.decode(latent, read)).numpy(), atol=1e-5, err_msg=role)
    assert not torch.equal(vae.decode(z_other, x), vae.decode(z_other, other))


def test_a_louder_source_is_another_row_of_the_table(tmp_path):
    session, plan, measurements = measured("half_avae", tmp_path, keep=("louder_square", "square_through_its_latent"))
    vae, pairs = session.model.vae, pairs_of(session, "square")
    z, z_other = (vae.encode(session.dataset.inputs(rows)).mean for rows in (pairs.base, pairs.counterfactual))
    patched = z.clone()
    patched[:, 2] = z_other[:, 2]
    owner = Owner.intervention("square_through_its_latent")
    for role, latent in (("base", z), ("counterfactual", z_other), ("sufficiency", patched)):
        found = values(plan, measurements, owner, role, "right")
        np.testing.assert_allclose(found, vae.decode(latent)[:, 1].numpy(), atol=1e-5, err_msg=role)


@pytest.mark.parametrize("name", ["quantum", "half_avae"])
def test_the_shipped_weights_are_of_the_training_spec_beside_them(name):
    from causalvae.models.weights import read_weights, trained_as
    from causalvae.spec import load_train_spec
    from causalvae.spec.training import TrainSpec

    folder = EXAMPLES / name
    spec = load_train_spec(folder / "train.yaml")
    found = trained_as(read_weights(f"{spec.name}.safetensors", folder))
    found["model"].pop("samples", None)
    # Keys that came after the weights were trained take their defaults.
    assert TrainSpec.model_validate(found).record == spec.record


def test_rows_do_not_depend_on_how_many_are_drawn():
    for name in ("quantum", "half_avae"):
        spec = load_spec(EXAMPLES / name / "analyse.yaml")
        dataset = open_dataset(spec.data, EXAMPLES / name)
        np.testing.assert_array_equal(draw_samples(dataset, 10, 5), draw_samples(dataset, 300, 5)[:10])
