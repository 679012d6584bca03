"""What `causalvae plan` says of runs that are made for a path."""

from __future__ import annotations

from causalvae.cli.plan_view import inner_table
from tests.plan.test_paths import compiled


def test_inner_runs_are_listed_with_what_they_pass() -> None:
    table = inner_table(compiled(path=["encoder.conv1[2]", "latent[3]", "decoder.lin1"], pairs=12))
    assert table.rows == tuple(
        (through, "resize", side, "1", "12")
        for through in ("encoder.conv1 to latent", "encoder.conv1 to latent to decoder.lin1")
        for side in ("base", "counterfactual")
    )
    assert not inner_table(compiled(path=["latent[3]"])).rows
