from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from causalvae.effects.notes import Note
from causalvae.errors import CausalVAEError
from causalvae.files import write_file
from causalvae.plan.owner import Owner
from causalvae.report import write_report
from causalvae.report.effect_tables import mediation_tables, other_estimates
from causalvae.results import Results


def test_only_the_formats_asked_for_are_written(plain: Results, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    written = write_report(plain, folder, ("markdown", "json"))
    assert written == {"markdown": folder / "report.md", "json": folder / "results.json"}
    assert sorted(path.name for path in folder.iterdir()) == ["report.md", "results.json"]


def test_an_unknown_format_is_refused_before_anything_is_written(plain: Results, tmp_path: Path) -> None:
    with pytest.raises(CausalVAEError) as caught:
        write_report(plain, tmp_path / "run", ("html", "pdf"))
    assert caught.value.code == "CV452"
    assert not (tmp_path / "run").exists()


def test_a_failed_write_keeps_the_old_file_and_leaves_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.md"
    target.write_text("old")

    def fail(handle: int) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_file(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_text_that_has_no_utf8_form_is_still_written(tmp_path: Path) -> None:
    write_file(tmp_path / "a", "x\ud800y")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "x?y"


def test_reports_are_the_same_each_time(plain: Results, tmp_path: Path, plain_files: dict[str, Path]) -> None:
    again = write_report(plain, tmp_path, ("html", "markdown", "json"))
    for name, path in again.items():
        assert path.read_bytes() == plain_files[name].read_bytes()


def test_mediation_tables_hold_dowhy_beside_the_exact_value(plain: Results) -> None:
    tables = mediation_tables(plain.estimates, plain.graph)
    assert len(tables) == 2
    rows = {(row[0], row[1]): row for row in tables[0].rows}
    through = "latent[3] + latent[5]"
    assert rows["all routes", "total effect"][-2:] == ("131.7", "≈ 0")
    assert rows[through, "direct effect"][-1] == "0.013"
    assert rows[through, "interaction"][-2:] == ("–", "–")  # noqa: RUF001
    assert ("latent[3]", "indirect effect") in rows


def test_no_estimate_is_lost(plain: Results) -> None:
    further = other_estimates(plain.estimates)
    assert [row[1] for row in further.rows] == ["mediated share", "a new estimand"]


def test_what_many_effects_share_is_said_once(plain: Results) -> None:
    names = ("total_effect", "natural_direct_effect", "natural_indirect_effect", "interaction")
    mine = {
        e.estimand: e for e in plain.estimates if e.owner == Owner.intervention("via_scale") and e.estimator == "exact"
    }
    noted = [replace(mine[name], notes=(Note("null_space", ("along the change",)),), outcome="both") for name in names]
    noted[-1] = replace(noted[-1], notes=(*noted[-1].notes, Note("null_space", ("odd",))))
    graph = replace(plain.graph, vectors={"both": ("area", "centroid_x")})
    (table,) = mediation_tables(noted, graph)
    assert "on both (area, centroid_x) through" in table.caption
    assert table.notes == (
        "total effect, direct effect, indirect effect, interaction: along the change",
        "interaction: odd",
    )
