"""A plan in a terminal says which directions will be learned."""

from __future__ import annotations

from causalvae.cli.plan_view import learning_table
from tests.plan.test_subspaces import compiled


def test_a_plan_says_what_is_learned_and_how() -> None:
    table = learning_table(compiled({"dim": 2, "objective": "area", "learned_on": 1000, "restarts": 3}))
    assert table.rows == (("latent", "2", "area", "given scale", "1,000", "4 x 200"),)
    assert learning_table(compiled({}, swap=True)).rows[0][3] == "of each pair itself"
