"""What differs between two runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from causalvae.errors import CausalVAEError
from causalvae.report import write_report
from causalvae.results import Results
from causalvae.spec import load_spec, parse_spec, write_resolved
from causalvae.study.diff import diff_runs, difference_interval, flatten
from tests.report.synthetic_results import build_results
from tests.spec.faults import GOOD


def make_run(folder: Path, results: Results, text: str = GOOD) -> Path:
    spec, _ = parse_spec(text)
    assert spec is not None
    write_report(results, folder, ("json",))
    (folder / "spec.yaml").write_text(write_resolved(spec))
    return folder


def test_a_run_does_not_differ_from_itself(tmp_path: Path) -> None:
    found = diff_runs(make_run(tmp_path / "a", build_results()), make_run(tmp_path / "b", build_results()))
    assert not found
    assert found.compared > 10 and found.only_before == found.only_after == 0


def test_all_that_differs_is_named(tmp_path: Path) -> None:
    before = build_results()
    shifted = next(each for each in before.estimates if each.lower is not None and each.upper is not None)
    assert shifted.lower is not None and shifted.upper is not None
    far = 10 * (shifted.upper - shifted.lower)
    moved = replace(shifted, value=shifted.value + far, lower=shifted.lower + far, upper=shifted.upper + far)
    after = replace(
        before,
        estimates=tuple(moved if each is shifted else each for each in before.estimates),
        verdicts=(replace(before.verdicts[0], status="refuted"), *before.verdicts[2:]),
        manifest={**before.manifest, "model digest": "another", "plan digest": "follows from it"},
    )
    text = GOOD.replace("  samples: 512\n", "  samples: 600\n").replace("    alpha: 0.05\n", "    alpha: 0.01\n")
    found = diff_runs(make_run(tmp_path / "a", before), make_run(tmp_path / "b", after, text))
    assert found
    keys = {change.key: (change.before, change.after) for change in found.keys}
    assert keys == {"data.samples": (512, 600), "hypotheses.scale-through-one-latent.alpha": (0.05, 0.01)}
    assert [change.key for change in found.identities] == ["model digest"]
    statuses = {
        change.hypothesis: (change.before and change.before.status, change.after and change.after.status)
        for change in found.verdicts
    }
    assert statuses == {
        before.verdicts[0].hypothesis: ("supported", "refuted"),
        before.verdicts[1].hypothesis: (before.verdicts[1].status, None),
    }
    assert [change.after for change in found.effects] == [moved]
    assert found.effects[0].difference == pytest.approx(far)


def test_a_change_within_the_intervals_is_none(tmp_path: Path) -> None:
    before = build_results()
    near = tuple(
        each if each.upper is None else replace(each, value=each.value + 0.1 * (each.upper - each.value))
        for each in before.estimates
    )
    found = diff_runs(make_run(tmp_path / "a", before), make_run(tmp_path / "b", replace(before, estimates=near)))
    assert not found.effects


def test_the_interval_of_a_difference_holds_it_as_often_as_it_says() -> None:
    """Of two independent normal means it is z sqrt(s1² + s2²), the closed form."""
    lower, upper = difference_interval((1.0, 1.0 - 1.96 * 3, 1.0 + 1.96 * 3), (2.0, 2.0 - 1.96 * 4, 2.0 + 1.96 * 4))
    assert (lower, upper) == pytest.approx((1 - 1.96 * 5, 1 + 1.96 * 5))
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(20_000, 2)) * (3, 4)
    held = 0
    for one, other in noise:
        low, high = difference_interval((one, one - 5.88, one + 5.88), (other, other - 7.84, other + 7.84))
        held += low <= 0 <= high
    assert held / len(noise) == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / len(noise)))


def test_paths_are_those_of_settings(tmp_path: Path) -> None:
    values = flatten({"a": {"b": [1, 2], "c": {}}, "l": [{"name": "x", "v": 1}, {"name": "y", "v": None}]})
    assert values == {"a.b": [1, 2], "a.c": {}, "l.x.name": "x", "l.x.v": 1, "l.y.name": "y", "l.y.v": None}
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD)
    plain = load_spec(path).model_dump(mode="json", by_alias=True, exclude_none=True)
    scalars = {key: value for key, value in flatten(plain).items() if isinstance(value, int | float) and "[" not in key}
    assert load_spec(path, settings=[f"{key}={json.dumps(value)}" for key, value in scalars.items()]) == load_spec(path)
    assert len(scalars) > 20


def test_the_command(invoke: Any, tmp_path: Path) -> None:
    before = build_results()
    after = replace(before, verdicts=(replace(before.verdicts[0], status="refuted"), *before.verdicts[1:]))
    runs = make_run(tmp_path / "a", before), make_run(tmp_path / "b", after, GOOD.replace("seed: 7", "seed: 8"))
    done = invoke("diff", *runs)
    assert done.exit_code == 0
    for words in ("Verdicts", "✓ supported", "✗ refuted", "data.seed", "effects changed by more than their intervals"):
        assert words in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert invoke("diff", *runs, "--exit-code").exit_code == 1
    assert invoke("diff", runs[0], runs[0], "--exit-code").exit_code == 0
    assert invoke("diff", runs[0], runs[0]).stdout.startswith("No differences")
    content = json.loads(invoke("diff", *runs, "--json").stdout)
    assert content["different"] and content["keys"] == [{"key": "data.seed", "before": 7, "after": 8}]
    assert content["verdicts"][0]["after"] == "refuted"


def test_hostile_names_are_cleaned(invoke: Any, tmp_path: Path) -> None:
    runs = make_run(tmp_path / "a", build_results()), make_run(tmp_path / "b", build_results(hostile=True))
    done = invoke("diff", *runs)
    assert done.exit_code == 0
    assert not set("\x1b\u202e\x07") & set(done.stdout)
    json.loads(invoke("diff", *runs, "--json").stdout)


def test_a_folder_without_a_spec_has_a_code(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", build_results())
    (run / "spec.yaml").unlink()
    with pytest.raises(CausalVAEError, match="CV432"):
        diff_runs(run, run)
