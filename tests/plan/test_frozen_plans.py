"""Plans keep the digests that stored tables were made under, whatever their patched values come from.

Tables are found again by these digests, and arms by their ids. After an intended change write the file anew:
``python -m tests.plan.test_frozen_plans``.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from causalvae.data.dsprites import SPACE
from causalvae.digest import digest
from causalvae.models.components import CODE_SITE, ComponentMap, Site
from causalvae.plan.compile import compile_spec
from causalvae.spec.schema import Spec
from tests.plan.small_network import COMPONENTS, DOCUMENT

FROZEN = Path(__file__).with_name("digests.json")
CODES: ComponentMap = replace(
    COMPONENTS, sites=(*COMPONENTS.sites, Site(CODE_SITE, "latent", "code", (12, 2, 2), "code", True, 0.5))
)


def sweep(mode: Any, **fields: Any) -> dict[str, Any]:
    return {"activation": {"components": "encoder.conv1[2:4]", "from": "resize", "mode": mode, **fields}}


def latent(values: Any, components: str = "latent[0:2]") -> dict[str, Any]:
    return {"latent": {"components": components, "values": values, "pairs": 8}}


def mediation(**fields: Any) -> dict[str, Any]:
    return {"mediation": {"treatment": "resize", "outcomes": ["area"], **fields}}


CASES: dict[str, dict[str, Any]] = {
    **{mode: sweep(mode, direction="both") for mode in ("interchange", "mean", "resample", "zero", "additive")},
    "noise": sweep("noise"),
    "less noise": sweep({"noise": 0.25}),
    "resample given": sweep({"resample": {"given": "shape"}}, by="set"),
    "optimal": sweep("optimal", by="layer"),
    "screened": sweep("resample", screen={"method": "integrated_gradients", "keep": 0.5}),
    "quantiles": latent({"quantiles": [0.1, 0.5]}),
    "sd": latent({"sd": [-1, 2.5]}),
    "at": latent({"at": [0, 1.5]}),
    "swap": latent({"codes": "swap"}, CODE_SITE),
    "frequency": latent({"codes": "frequency"}, CODE_SITE),
    "latent zero": latent("zero"),
    "latent resample": latent("resample"),
    **{
        f"held at {control}": mediation(mediators=["latent[0]"], control=control)
        for control in ("mean", "zero", {"quantile": 0.25}, {"value": -1.5})
    },
    "path": mediation(path=["encoder.conv1[1]", "latent[3]", "decoder.lin1[2]"]),
    "edges": mediation(edges=["input -> encoder.lin1[1]", "encoder.lin1[1] -> latent[0]", "latent[0] -> output"]),
    "subspace": mediation(mediators=["latent"], subspace={"dim": 2, "objective": "area"}),
}


def digests_of(case: str) -> list[str]:
    """Digests of a plan, of its tables and of the ids of its arms; of the whole document for the empty name."""
    document = copy.deepcopy(DOCUMENT)
    if case:
        document["interventions"] = [document["interventions"][0], {"name": "one", **CASES[case]}]
        document["hypotheses"] = []
    # Enough pairs for the other ways of patching.
    document["data"]["samples"] = 80
    plan = compile_spec(Spec.model_validate(document), CODES, SPACE)
    return [plan.digest, plan.tables_digest, digest([arm.id for arm in plan.arms])]


@pytest.mark.parametrize("case", ["", *CASES])
def test_a_plan_keeps_its_digests(case: str) -> None:
    assert digests_of(case) == json.loads(FROZEN.read_text(encoding="utf-8"))[case]


if __name__ == "__main__":
    text = json.dumps({case: digests_of(case) for case in ["", *CASES]}, indent=1)
    FROZEN.write_text(text + "\n", encoding="utf-8")
