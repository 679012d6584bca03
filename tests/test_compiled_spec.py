"""The committed spec of a compiled network, from text to verdicts; a few codes through the alignment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import causalvae
from causalvae.models.kinds.compiled import CompiledModel
from causalvae.models.planted import CIRCUITS, CODES, WORLDS, code_truth, truth
from causalvae.spec.schema import Spec

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "specs" / "compiled_or.yaml"


def test_the_verdicts_of_the_committed_spec_are_the_truth(tmp_path: Path) -> None:
    results = causalvae.run(SPEC, tmp_path).results
    verdicts = {verdict.hypothesis: verdict.status for verdict in results.verdicts}
    assert verdicts == {
        "both-together": "supported",
        "one-alone": "unspecific",
        "not-read": "refuted",
        "first-layer": "supported",
    }
    (pair,) = [pair for pair in results.alignment.pairs if pair.declared]
    assert (pair.source, pair.target, pair.graph) == ("t", "y", "present")
    assert pair.network is not None and pair.network.status == "kept"


def test_its_hypotheses_name_the_circuits_of_the_truth() -> None:
    spec = causalvae.load_spec(SPEC)
    assert isinstance(spec.model, CompiledModel)
    known = truth(spec.model)
    claims = {hypothesis.name: hypothesis.circuit for hypothesis in spec.hypotheses}
    assert claims["one-alone"] in known.addresses()
    assert set(claims["both-together"]) == {address for circuit in known.addresses() for address in circuit}
    assert claims["first-layer"] in known.addresses("encoder.lin1")


def test_the_page_names_every_circuit_and_code() -> None:
    page = (ROOT / "docs" / "circuits.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert named >= {*CIRCUITS, *CODES}


@pytest.mark.parametrize("code", ["swapped", "lossy"])
def test_the_alignment_finds_what_is_wrong_with_a_code(code: str, tmp_path: Path) -> None:
    names = list("abcd")
    model = {"source": "compiled", "code": code, "dead": 1}
    known = code_truth(CompiledModel.model_validate(model), len(names))
    spec = Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": code,
            "model": model,
            "data": {
                "source": "scm",
                "world": "table",
                "variables": WORLDS["chain"],
                "scale": "none",
                "samples": 400,
                "seed": 1,
            },
            "graph": {
                "factors": names,
                "attributes": {f"y{name}": {"readout": "column", "column": name} for name in names},
                "edges": ["a -> b", "b -> c", *(f"{name} -> y{name}" for name in names)],
            },
            "mapping": {
                name: {"components": [f"latent[{unit}]" for unit in known.mapping[column]]}
                for column, name in enumerate(names)
            },
            "interventions": [{"name": "rise", "input": {"factor": "a"}}],
            "estimation": {"bootstrap": 50, "dowhy": False},
            "alignment": {"samples": 400, "pairs": 300},
            "execution": {"controls": False},
        }
    )
    session = causalvae.open_session(spec, tmp_path)
    measurements = causalvae.execute(session, causalvae.compile_plan(session), tmp_path)
    pairs = {(pair.source, pair.target): pair for pair in causalvae.analyse(session, measurements).alignment.pairs}
    for column, source in enumerate(names):
        for output, target in enumerate(names):
            pair = pairs[source, f"y{target}"]
            assert pair.network is not None and pair.mapping is not None
            place = (column, output)
            if column == output:
                assert pair.graph == "present"
                lost = "lost" if column in known.lost else "kept"
                assert pair.network.status == lost
                wrong = "lost" if place in known.wrong else "kept"
                assert pair.mapping.status == ("untested" if lost == "lost" else wrong)
            else:
                assert pair.graph == "absent"
                assert pair.network.status == ("added" if place in known.invented else "none")
                assert pair.mapping.status == ("added" if place in known.wrong else "none")
