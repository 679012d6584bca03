"""A screened sweep as a user starts it: from YAML to report, beside the same sweep without a screen."""

from __future__ import annotations

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from causalvae.cli.app import app

SPEC = Path(__file__).parents[1] / "specs" / "dsprites_sweep.yaml"
COMPONENTS = ["encoder.lin2", "latent", "decoder.convT_64", "decoder.convT2"]


def start(tmp_path: Path, name: str, screen: dict[str, Any] | None) -> tuple[str, dict[str, Any], pd.DataFrame, Path]:
    """What the command said, the results, the outcomes and the run's folder."""
    content = YAML(typ="safe").load(SPEC)
    content |= {
        "name": name,
        "alignment": {"samples": 60, "pairs": 60},
        "estimation": {"bootstrap": 200, "dowhy": False},
        "execution": {"controls": False, "device": "cpu"},
    }
    content["data"]["samples"] = 24
    (sweep,) = (item["activation"] for item in content["interventions"] if "activation" in item)
    sweep |= {"components": COMPONENTS, "pairs": 24}
    del sweep["screen"]
    if screen is not None:
        sweep["screen"] = copy.deepcopy(screen)
    path = tmp_path / f"{name}.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(content, file)
    done = CliRunner().invoke(app, ["run", str(path), "--out", str(tmp_path)], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    (folder,) = (tmp_path / name).glob("*/results.json")
    tables = sorted((tmp_path / name).rglob("outcomes/*.parquet"))
    outcomes = pd.concat([pd.read_parquet(table) for table in tables]).astype({"arm": str})
    return done.output, json.loads(folder.read_text()), outcomes, folder.parent


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, dict[str, Any], pd.DataFrame, Path]]:
    folder = tmp_path_factory.mktemp("screened")
    return {
        "screened": start(folder, "screened", {"keep": 0.1, "check": 20}),
        "whole": start(folder, "whole", None),
    }


def effects(results: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The sweep's estimates by component, estimand and outcome."""
    return {
        (estimate["component"]["label"], estimate["estimand"], estimate["outcome"]): estimate
        for estimate in results["estimates"]
        if estimate["owner"]["name"] == "every_unit" and estimate["component"]["label"]
    }


@pytest.mark.slow
def test_exact_numbers_are_those_of_the_whole_sweep_bit_for_bit(runs: dict[str, Any]) -> None:
    (_, screened, rows, _), (_, whole, all_rows, _) = runs["screened"], runs["whole"]
    (screen,) = screened["screens"]
    assert whole["screens"] == []
    size = len(screen["components"])
    assert size == 256 + 10 + 32 + 32
    assert (screen["kept"], screen["checked"], screen["left_out"]) == (33, 20, size - 53)
    run = {each["component"]["label"] for each in screen["components"] if each["selected"] != "left out"}
    found, expected = effects(screened), effects(whole)
    assert {component for component, _, _ in found} == run
    assert {component for component, _, _ in expected} == {each["component"]["label"] for each in screen["components"]}
    for key, estimate in found.items():
        # The tables are equal to the bit; a bootstrap over other rows at a time rounds its sums otherwise.
        for name in ("value", "lower", "upper", "p_value"):
            here, there = estimate[name], expected[key][name]
            assert here == there or here == pytest.approx(there, rel=1e-9)
        for name in ("n", "unit", "direction", "source", "granularity", "treatment", "notes", "confidence", "seed"):
            assert estimate[name] == expected[key][name]
    # What is said of the sweep as a whole says that it is not of all its components.
    (share,) = [
        e for e in screened["estimates"] if e["estimand"] == "polysemantic_share" and not e["component"]["label"]
    ]
    assert "not a random sample" in share["notes"][-1]["text"]
    ordered = [
        frame[frame["arm"].isin(set(rows["arm"]))].sort_values(["arm", "pair"]).reset_index(drop=True)
        for frame in (rows, all_rows)
    ]
    pd.testing.assert_frame_equal(*ordered, check_exact=True)


@pytest.mark.slow
def test_the_stated_recall_covers_the_true_one(runs: dict[str, Any]) -> None:
    (screen,) = runs["screened"][1]["screens"]
    strength = {
        component: estimate["value"]
        for (component, estimand, _), estimate in effects(runs["whole"][1]).items()
        if estimand == "causal_effect_strength"
    }
    for each in screen["components"]:
        if each["exact"] is None:
            assert each["selected"] == "left out"
        else:
            assert each["exact"] == pytest.approx(strength[each["component"]["label"]], rel=1e-12)
    kept = {each["component"]["label"] for each in screen["components"] if each["selected"] == "kept"}
    best = set(sorted(strength, key=lambda component: -strength[component])[: screen["kept"]])
    assert screen["recall_lower"] - 1e-9 <= len(kept & best) / len(kept) <= screen["recall_upper"] + 1e-9
    assert len(kept & best) / len(kept) > 0.8
    assert screen["rank_lower"] <= screen["rank_correlation"] <= screen["rank_upper"]
    # Scores are in the effects' own unit, pixel L2, and near them where the network is nearly linear.
    ratios = [each["attribution"] / each["exact"] for each in screen["components"] if each["exact"]]
    assert 0.7 < sorted(ratios)[len(ratios) // 2] < 1.4


@pytest.mark.slow
def test_reports_keep_first_order_and_exact_effects_apart(runs: dict[str, Any]) -> None:
    output, results, _, folder = runs["screened"]
    (screen,) = results["screens"]
    kept = f"{screen['recall'] * 100:.0f} %"
    assert f"It kept an estimated {kept} of the 33" in " ".join(output.split())
    left = [each["component"]["label"] for each in screen["components"] if each["exact"] is None]
    for name in ("report.md", "report.html"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "First-order screening" in text
        assert f"It kept an estimated {kept} of the 33" in text
    before, _, after = (folder / "report.md").read_text(encoding="utf-8").partition("## First-order screening")
    section, _, rest = after.partition("\n## ")
    table = section[section.index("of components that were not run exactly") :]
    named = {component for component in left if re.search(rf"{re.escape(component)}\b|{re.escape(component)} ", table)}
    # Markdown is cut after 60 rows, and counts the others.
    (others,) = re.findall(r"(\d+) more rows are in the HTML report", table)
    assert named <= set(left) and len(named) + int(others) == len(left)
    # Latents have a table of their own, of what they carry.
    for component in (name for name in left if not name.startswith("latent")):
        assert not re.search(rf"^\| {re.escape(component)} \|", before + rest, flags=re.MULTILINE)


@pytest.mark.slow
def test_the_results_can_be_read_again(runs: dict[str, Any]) -> None:
    from causalvae.report.json_report import load_results, to_json_dict

    _, results, _, folder = runs["screened"]
    again = load_results(folder)
    assert {**to_json_dict(again), "checksum": results["checksum"]} == results
    assert all(
        isinstance(each.attribution, float) and math.isfinite(each.attribution) for each in again.screens[0].components
    )


@pytest.mark.slow
def test_the_plan_says_what_is_screened(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["plan", str(SPEC)], env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    assert re.search(r"intervention:every_unit +base +attribution +image +1,770 +177 +64", done.output)
