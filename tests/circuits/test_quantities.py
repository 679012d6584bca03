"""Quantities that hypotheses bound: ours, and those of other distributions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from causalvae.spec.quantity import QUANTITIES
from tests.effects.synthetic import make_hypothesis, make_spec

ROOT = Path(__file__).parents[2]
KIND = ROOT / "tests/extension/causalvae_flashes/agreeing_pairs.py"
SCRIPT = """
import json
from causalvae.effects.analysis import estimate_effects
from causalvae.report.glossary import term_of
from causalvae.report.verdict_words import reason
from causalvae.spec.jsonschema import json_schema
from tests.circuits.test_verdict import carried_by_first, judge_claims
from tests.effects.synthetic import make_hypothesis, make_spec

expect = {"mediated_share": {"at_least": 0.7}}
right, wrong = judge_claims(
    make_hypothesis(name="right", expect={**expect, "agreeing_pairs": {"at_least": 0.8}}),
    make_hypothesis(name="wrong", expect={**expect, "agreeing_pairs": {"at_most": 0.5}}),
)
print(json.dumps({
    "digest": make_spec(hypotheses=[make_hypothesis(expect=expect)]).digest,
    "statuses": [right.status, wrong.status],
    "tests": [test.name for test in right.tests],
    "value": right.tests[-1].value,
    "reasons": [reason(right), reason(wrong)],
    "term": term_of("agreeing_pairs").title,
    "schemas": ["agreeing_pairs" in json.dumps(json_schema(extensions)) for extensions in (False, True)],
}))
"""


def test_every_quantity_of_ours_keeps_to_the_contract() -> None:
    for name in QUANTITIES.own:
        kind = QUANTITIES.get(name)
        assert kind.summary().endswith(".") and kind.limits[0] == 0.0
        sentence = kind.sentence("1%", " (2%)", "as asked", "area")
        assert "1%" in sentence and " (2%), as asked" in sentence and not sentence.endswith(".")


def test_a_quantity_of_another_distribution_is_bounded_judged_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "agreeing-1.0.dist-info"
    folder.mkdir()
    (tmp_path / "agreeing.py").write_text(KIND.read_text())
    (folder / "METADATA").write_text("Name: agreeing\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[causalvae.quantities]\nagreeing_pairs = agreeing:AgreeingPairs\n")
    paths = os.pathsep.join([str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Latent 0 has nearly all of the effect on area, so nearly every pair agrees.
    assert found["statuses"] == ["supported", "refuted"]
    assert found["tests"] == ["mediated_share", "pairwise_fit", "agreeing_pairs"] and found["value"] > 0.9
    assert "of the pairs agree on area" in found["reasons"][0] and "at most 50% was allowed" in found["reasons"][1]
    assert found["term"] == "Agreeing pairs"
    assert found["schemas"] == [False, True]
    # What is installed changes no digest of a spec that does not name it.
    expect = {"mediated_share": {"at_least": 0.7}}
    assert found["digest"] == make_spec(hypotheses=[make_hypothesis(expect=expect)]).digest


def test_a_quantity_that_nobody_defines_is_a_fault() -> None:
    with pytest.raises(ValueError, match="agreeing_pairs"):
        make_hypothesis_section({"agreeing_pairs": {"at_least": 0.8}})


def make_hypothesis_section(expect: dict[str, object]) -> object:
    return make_spec(hypotheses=[make_hypothesis(expect=expect)])
