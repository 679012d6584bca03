"""What decides which measured counterfactuals are read again."""

from __future__ import annotations

from dataclasses import replace

import causalvae
from causalvae.analyses.counterfactuals.section import CounterfactualsAnalysis
from causalvae.digest import digest
from tests.analyses.counterfactuals.test_codes import opened


def test_another_precision_is_measured_anew_and_another_bound_is_not() -> None:
    session = opened("identity", "chain")
    plan = causalvae.compile_plan(session)
    execution = session.spec.execution.model_copy(update={"precision": "bf16"})
    other = replace(session, spec=session.spec.model_copy(update={"execution": execution}))
    section = CounterfactualsAnalysis()
    assert digest(section.measured_by(other, plan)) != digest(section.measured_by(session, plan))
    loose = CounterfactualsAnalysis(at_most=0.5)
    assert digest(loose.measured_by(session, plan)) == digest(section.measured_by(session, plan))
