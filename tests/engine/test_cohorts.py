"""What is fitted, selected and tested on are different samples."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from causalvae.data.split import PARTS, SplitRule
from causalvae.engine.fitting import split_of
from causalvae.engine.runner import PlanRunner
from causalvae.models.loading import Model
from causalvae.plan.types import OBSERVED, Arm, Cohort, Patch, Plan, Treatment
from causalvae.spec.value_source import make_source
from tests.engine.conftest import Blobs

RULE = SplitRule()
SWAP = Cohort("swap", 60, 3, Treatment("swap", None, None, "hold", "as_drawn"))
RESIZE = Cohort("resize", 25, 3, Treatment("resize", "scale", None, "hold", "increase"))
PLAN = Plan(
    "finite", "s", "m", (Cohort(OBSERVED, 140, 3), SWAP, RESIZE),
    (Arm("resize", "base", (Patch("latent", (1,), make_source("mean")),), 25),), (),
    ("area", "linear", "ratio"), split=RULE,
)  # fmt: skip


class FewBlobs(Blobs):
    """Blobs of which there are as many as combinations of their factors: 288."""

    size = 288  # type: ignore[assignment]


@pytest.fixture(scope="module")
def runner(mean_model: Model, measure: Callable[[Tensor], Tensor]) -> PlanRunner:
    return PlanRunner(PLAN, mean_model, FewBlobs(), measure, torch.device("cpu"))


@pytest.fixture(scope="module")
def measure() -> Callable[[Tensor], Tensor]:
    return lambda images: images.flatten(1).double()[:, :3]


def test_each_purpose_draws_from_its_own_part(runner: PlanRunner) -> None:
    for part in PARTS:
        inside = set(RULE.part(288, part).tolist())
        for name, inputs in runner.on_part(part).cohorts.items():
            used = [number for numbers in inputs.numbers.values() for number in numbers.tolist()]
            assert inside.issuperset(used) and len(set(used)) == len(used), name
            assert 2 <= inputs.cohort.samples <= PLAN.cohort(name).samples
            assert len(runner.on_part(part).noise[name]) == inputs.cohort.samples


def test_the_mean_of_an_ablation_is_of_samples_to_fit_on(runner: PlanRunner, mean_model: Model) -> None:
    found = runner.statistics("resize", list(PLAN.arms))["latent"].mean
    fit = runner.on_part("fit").cohorts["resize"]
    assert fit.cohort.seed == split_of(RESIZE, 0, 25).seed
    with torch.no_grad():
        expected = mean_model.vae.encode(runner.dataset.inputs(fit.rows["base"])).mean.mean(0)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-5)


def test_pairs_to_fit_on_are_as_many_as_there_are(runner: PlanRunner) -> None:
    inputs = runner.split("swap", 5, 128)
    assert inputs.rows == RULE.sizes(288)["fit"] // 2 == 43


def test_a_plan_that_asks_for_more_than_there_is_was_compiled_for_other_data(
    mean_model: Model, measure: Callable[[Tensor], Tensor]
) -> None:
    plan = Plan("more", "s", "m", (Cohort(OBSERVED, 146, 3),), (), (), (), split=RULE)
    with pytest.raises(ValueError, match="observed has 145 samples, and the plan 146"):
        _ = PlanRunner(plan, mean_model, FewBlobs(), measure, torch.device("cpu")).cohorts
