"""Drawings as files of their own, and what a notebook shows."""

from __future__ import annotations

import io
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from causalvae.errors import CausalVAEError
from causalvae.outcome import RunOutcome
from causalvae.report.figure_files import write_figures
from tests.cli.test_cli_inspecting import make_plan
from tests.report.synthetic_results import build_results

SVG = "{http://www.w3.org/2000/svg}"


def test_drawings_are_svg_of_the_asked_width_without_a_page(tmp_path: Path) -> None:
    paths = write_figures(build_results(), tmp_path / "figures", 120)
    assert len(paths) > 10 and len(set(paths)) == len(paths)
    for path in paths:
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag == f"{SVG}svg" and root.get("width") == "120mm"
        box = [float(value) for value in root.get("viewBox", "").split()]
        assert float(root.get("height", "").removesuffix("mm")) == pytest.approx(120 * box[3] / box[2], abs=0.01)
        style = root.findtext(f"{SVG}style") or ""
        assert "var(" not in style and "@media" not in style
        assert not re.search(r"url\(|@import|<script", path.read_text(encoding="utf-8"))


def test_the_colours_of_the_report_are_in_the_file(tmp_path: Path) -> None:
    path = write_figures(build_results(), tmp_path)[0]
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    used = {name for each in root.iter() for name in (each.get("class") or "").split()}
    styled = set(re.findall(r"\.([a-z-]+)", root.findtext(f"{SVG}style") or ""))
    assert styled and styled <= used


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    for path in write_figures(build_results(hostile=True), tmp_path):
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        assert not list(root.iter(f"{SVG}script")) and not list(root.iter(f"{SVG}image"))
        assert path.parent == tmp_path


def test_png_has_the_asked_pixels_or_an_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        import cairosvg  # noqa: F401
    except (ImportError, OSError):
        with pytest.raises(CausalVAEError, match=r"CV453.*causalvae\[figures\]"):
            write_figures(build_results(), tmp_path, png=True)
        return
    paths = [path for path in write_figures(build_results(), tmp_path, 89, png=True) if path.suffix == ".png"]
    image = Image.open(io.BytesIO(paths[0].read_bytes()))
    assert image.size[0] == pytest.approx(89 / 25.4 * 300, abs=1)
    assert image.convert("L").getextrema()[0] < 100, "something is drawn"
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(CausalVAEError, match="CV453"):
        write_figures(build_results(), tmp_path, png=True)


@pytest.mark.parametrize("hostile", [False, True])
def test_notebooks_show_escaped_tables(hostile: bool, tmp_path: Path) -> None:
    results = build_results(hostile=hostile)
    for shown in (results, RunOutcome(results, tmp_path, {"html": tmp_path / "a & b.html"})):
        html = shown._repr_html_()
        assert "<script" not in html and "<img" not in html and "\x1b" not in html
        assert all(f"{verdict.status}</td>" in html for verdict in results.verdicts)
    assert "a &amp; b.html" in html


def test_a_notebook_shows_what_a_plan_runs() -> None:
    html = make_plan()._repr_html_()
    assert "<tr><td>resize</td><td>64</td><td>3</td><td>192</td></tr>" in html


def test_report_writes_figures(invoke: Any, tmp_path: Path) -> None:
    from causalvae.report import write_report

    write_report(build_results(), tmp_path, ("json",))
    done = invoke("report", tmp_path, "--figures", tmp_path / "figures", "--width", "183")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == len(list((tmp_path / "figures").glob("*.svg")))
    assert 'width="183mm"' in next((tmp_path / "figures").iterdir()).read_text()
    assert invoke("report", tmp_path, "--png").exit_code == 2
