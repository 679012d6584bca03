"""The graph that the shipped GraCE-VAE learned, beside the true one of its world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import causalvae
from causalvae.alignment.assess import assess
from causalvae.data.pairs import draw_samples
from causalvae.effects import open_context
from causalvae.session import Session
from causalvae.spec.loader import load_spec
from causalvae_neighbours.grace.causal_layer import pass_on
from causalvae_neighbours.grace.network import causal_layer_of
from causalvae_neighbours.grace.recovery import EDGE, standardise

FOLDER = Path(__file__).parents[2] / "examples" / "grace"


@pytest.fixture(scope="module")
def session() -> Session:
    spec = load_spec(FOLDER / "learned_graph.yaml")
    few = spec.alignment.model_copy(update={"pairs": 96, "samples": 200})
    data = spec.data.model_copy(update={"samples": 24})
    return causalvae.open_session(spec.model_copy(update={"alignment": few, "data": data}), FOLDER)


def test_the_rival_is_what_the_layer_learned(session: Session) -> None:
    nodes = {int(factor.components[0].rpartition(".")[2]): name for name, factor in session.spec.mapping.items()}
    layer, vae = causal_layer_of(session.model.vae), session.model.vae
    inputs = session.dataset.inputs(draw_samples(session.dataset, 4000, 3))
    with torch.no_grad():
        z = vae.pass_on(vae.encode(inputs).mean)
        values = [part.double().numpy() for part in (layer.adjacency(), pass_on(z, layer.mechanism), z)]
    found = np.abs(standardise(*values)) > EDGE
    learned = {(nodes[a], nodes[b]) for a, b in zip(*np.nonzero(found), strict=True)}
    told = {tuple(edge.split(" -> ")) for edge in session.spec.alignment.rivals["learned"]}
    assert learned == {edge for edge in told if set(edge) <= set(nodes.values())}


def test_one_learned_edge_is_not_of_the_cells(session: Session, tmp_path: Path) -> None:
    measured = causalvae.execute(session, causalvae.compile_plan(session), tmp_path)
    context = open_context(session.completed_spec, measured, session.whole, session.units)
    found = assess(session.completed_spec, context.outcomes, session.graph)
    declared, learned = found.graphs
    assert (declared.wrong, set(learned.wrong)) == ((), {("P4", "P3")})
    # A patched node passes its value on, which the network does not do where the children are held in the input.
    between = {tuple(edge) for edge in session.graph.edges if all(node in session.spec.mapping for node in edge)}
    added = {
        (pair.source, pair.target.removeprefix("genes_"))
        for pair in found.pairs
        if pair.mapping is not None and pair.mapping.status == "added"
    }
    assert added and added <= between
