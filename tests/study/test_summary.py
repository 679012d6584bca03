"""Groups and rank correlations of a study, against scipy and by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from causalvae.spec.loader import read_any_spec
from causalvae.spec.measures import MeasureName
from causalvae.spec.study import StudySpec
from causalvae.study.correlation import rank_interval
from causalvae.study.summary import correlate_measures, interval_over_seeds, summarise_study
from causalvae.study.types import Measure, StudyRun
from causalvae.study.write import write_study

STRENGTH, SCORE = MeasureName.STRENGTH, MeasureName.DISENTANGLEMENT

STUDY = StudySpec.model_validate(
    {
        "spec": "causalvae/study-v1",
        "name": "small",
        "description": "Is <b> an objective?",
        "data": {"one": {"data": {"source": "dsprites"}, "analysis": "a.yaml"},
                 "two": {"data": {"source": "dsprites"}, "analysis": "a.yaml"}},
        "models": {"VAE": {"objective": {"name": "vae"}}, "beta": {"objective": {"name": "beta_vae"}, "steps": 7}},
        "seeds": [0, 1, 2],
        "steps": 5,
        "published": {"VAE": {"dci_disentanglement": 0.064}},
    }
)  # fmt: skip


def cells_of(table: dict[tuple[str, str, int], tuple[float | None, float | None]]) -> list[StudyRun]:
    return [
        StudyRun(f"{data}-{model}-{seed}", data, (Measure(STRENGTH, x), Measure(SCORE, y)), model=model, seed=seed)
        for (data, model, seed), (x, y) in table.items()
    ]


def drawn(rng: np.random.Generator, slope: float, shift: float = 0.0) -> list[StudyRun]:
    keys = [(d, m, s) for d in ("one", "two") for m in ("VAE", "beta") for s in range(4)]
    x = rng.standard_normal(len(keys))
    y = slope * x + rng.standard_normal(len(keys))
    moved = [shift if data == "two" else 0.0 for data, _, _ in keys]
    return cells_of({key: (a + m, b + m) for key, a, b, m in zip(keys, x, y, moved, strict=True)})


def test_cells_go_seed_by_seed_and_train_as_declared() -> None:
    assert STUDY.cells[:4] == (("one", "VAE", 0), ("one", "beta", 0), ("two", "VAE", 0), ("two", "beta", 0))
    assert len(STUDY.cells) == 12
    spec = STUDY.train_spec("two", "beta", 2)
    assert (spec.name, spec.steps, spec.seed, spec.objective.name) == ("two-beta-2", 7, 2, "beta_vae")
    assert STUDY.train_spec("two", "VAE", 2).steps == 5


def test_groups_are_means_over_seeds() -> None:
    table = {("one", "VAE", seed): (float(seed), None if seed else 0.5) for seed in range(3)}
    results = summarise_study(STUDY, cells_of(table))
    group = results.groups[0]
    assert (group.data, group.model, group.networks) == ("one", "VAE", 3)
    assert (group.means[STRENGTH], group.lows[STRENGTH], group.highs[STRENGTH]) == (1.0, 0.0, 2.0)
    # The t interval of 0, 1, 2: 1 -+ 4.303 / sqrt 3. One network alone has none.
    assert (group.lowers[STRENGTH], group.uppers[STRENGTH]) == pytest.approx((-1.4841, 3.4841), abs=1e-4)
    assert group.means[SCORE] == 0.5 and SCORE not in group.lowers
    assert results.groups[1].networks == 0 and not results.groups[1].means


def test_the_correlation_is_spearmans() -> None:
    cells = [cell for cell in drawn(np.random.default_rng(1), 0.8) if cell.data == "one"]
    (found,) = correlate_measures(cells, STRENGTH, SCORE, np.random.default_rng(0))
    x, y = ([cell.value(name) for cell in cells] for name in (STRENGTH, SCORE))
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert found.lower <= found.value <= found.upper and found.n == 8


def test_data_sets_that_differ_make_no_pooled_correlation() -> None:
    shifted = drawn(np.random.default_rng(2), 0.0, shift=100.0)
    plain = drawn(np.random.default_rng(2), 0.0)
    values = [correlate_measures(cells, STRENGTH, SCORE, np.random.default_rng(0))[-1] for cells in (shifted, plain)]
    assert values[0].data == ("one", "two")
    assert values[0].value == pytest.approx(values[1].value, abs=1e-12)
    raw = stats.spearmanr(*zip(*((c.value(STRENGTH), c.value(SCORE)) for c in shifted), strict=True))
    assert raw.statistic > 0.6


@pytest.mark.parametrize(("slope", "least", "most"), [(0.0, 0.0, 0.12), (2.0, 0.6, 1.0)])
def test_size_and_power_of_the_permutation_test(slope: float, least: float, most: float, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("causalvae.study.correlation._PERMUTATIONS", 199)
    rng = np.random.default_rng(7)
    found = [correlate_measures(drawn(rng, slope), STRENGTH, SCORE, rng)[-1] for _ in range(100)]
    rejected = np.mean([correlation.p_value <= 0.05 for correlation in found])
    # 100 draws at a size of 0.05: the share lies below 0.12 in 99.6 of 100 such tests.
    assert least <= rejected <= most


def test_too_few_or_equal_networks_have_no_correlation() -> None:
    same = cells_of({("one", "VAE", seed): (1.0, float(seed)) for seed in range(6)})
    few = cells_of({("one", "VAE", seed): (float(seed), float(seed)) for seed in range(3)})
    rng = np.random.default_rng(0)
    assert correlate_measures(same, STRENGTH, SCORE, rng) == []
    assert correlate_measures(few, STRENGTH, SCORE, rng) == []


@pytest.mark.parametrize(("networks", "rho"), [(5, 0.0), (6, 0.9), (12, 0.5), (18, 0.9)])
def test_rank_intervals_hold_the_truth(networks: int, rho: float) -> None:
    rng = np.random.default_rng(8)
    x = rng.standard_normal((1500, networks))
    y = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(x.shape)
    truth = 6 / np.pi * np.arcsin(rho / 2)
    ranks = [np.argsort(np.argsort(values, axis=1), axis=1) - (networks - 1) / 2 for values in (x, y)]
    found = (ranks[0] * ranks[1]).sum(axis=1) / (ranks[0] ** 2).sum(axis=1)
    ends = np.array([rank_interval(value, networks) for value in found.tolist()])
    held = float(((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean())
    # Few networks have few orders, so the interval errs on the safe side there.
    assert 0.94 <= held <= (1.0 if networks < 10 else 0.985)


def test_ranks_that_agree_wholly_reach_the_end() -> None:
    lower, upper = rank_interval(1.0, 12)
    assert upper == 1.0 and 0.9 < lower < 1
    assert rank_interval(-1.0, 12) == (-1.0, -lower)
    assert rank_interval(0.5, 3) == (-1.0, 1.0)


def test_the_interval_over_three_seeds_holds_their_mean() -> None:
    rng = np.random.default_rng(9)
    ends = np.array([interval_over_seeds(values) for values in rng.normal(2.0, 1.0, (3000, 3)).tolist()])
    assert 0.94 <= float(((ends[:, 0] <= 2) & (ends[:, 1] >= 2)).mean()) <= 0.96


def test_reports_hold_every_network(tmp_path: Path) -> None:
    cells = drawn(np.random.default_rng(3), 1.0)
    written = write_study(summarise_study(STUDY, cells), tmp_path)
    with written["csv"].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["causal_effect_strength"]) for row in rows] == [cell.value(STRENGTH) for cell in cells]
    page = written["html"].read_text(encoding="utf-8")
    assert "Is &lt;b&gt; an objective?" in page and "0.064" in page
    assert page.count("<polygon") + page.count('r="4.5"') >= len(cells)
    assert "| VAE |" in written["markdown"].read_text(encoding="utf-8")


def test_kinds_that_are_set_apart_stand_in_the_groups_and_enter_no_correlation() -> None:
    cells = drawn(np.random.default_rng(4), 1.0)
    kinds = {**STUDY.models, "beta": STUDY.models["beta"].model_copy(update={"apart": True})}
    results = summarise_study(STUDY.model_copy(update={"models": kinds}), cells)
    alone = summarise_study(STUDY, [cell for cell in cells if cell.model == "VAE"])
    assert results.correlations == alone.correlations and results.apart == ("beta",)
    assert {correlation.n for correlation in results.correlations} == {4, 8}
    assert {group.networks for group in results.groups if group.model == "beta"} == {4}


def test_a_published_number_is_of_a_measure_of_the_study(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        "spec: causalvae/study-v1\nname: s\ndata:\n  d: {data: {source: dsprites}, analysis: study.yaml}\n"
        "models: {VAE: {objective: {name: vae}}}\npublished:\n  VAE: {dci_disentanglment: 0.1}\n",
        encoding="utf-8",
    )
    (fault,) = read_any_spec(path)[1]
    assert (fault.code, fault.line, fault.suggestion) == ("CV020", 7, "dci_disentanglement")
