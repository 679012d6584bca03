"""How many samples a cohort is said to have been asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from causalvae.plan.types import Cohort, Plan
from causalvae.samples import asked_for
from causalvae.spec.schema import Spec


@pytest.mark.parametrize(
    ("samples", "tested", "there", "asked"),
    [(600, "auto", 750, 750), (600, "auto", 450, 600), (600, 1000, 750, 1000), (2000, "auto", 1500, 2000)],
)
def test_what_a_default_adds_is_not_asked_for(samples: int, tested: Any, there: int, asked: int) -> None:
    alignment = SimpleNamespace(samples=tested, outputs=1000 if tested == "auto" else tested)
    spec = SimpleNamespace(data=SimpleNamespace(samples=samples), alignment=alignment)
    plan = SimpleNamespace(asked={"observed": max(samples, alignment.outputs)})
    assert asked_for(cast(Spec, spec), cast(Plan, plan), Cohort("observed", there, 0)) == asked
