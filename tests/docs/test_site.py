"""The site is built in strict mode, from the repository alone, and its pages load nothing from another server.

Skipped where the extra `docs` is not installed, as in `make test`; links, anchors, blocks and the navigation are tested
without it (`test_links.py`, `test_blocks.py`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

pytest.importorskip("mkdocstrings", reason="needs causalvae[docs]")
pytest.importorskip("material", reason="needs causalvae[docs]")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_no_page_loads_anything_from_another_server(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|img|iframe)[^>]*\ssrc=\"(?:https?:)?//", text), page
        assert not re.search(r"<link[^>]*rel=\"(?:stylesheet|preconnect)\"[^>]*href=\"(?:https?:)?//", text), page


@pytest.mark.slow
def test_links_out_of_the_docs_lead_to_pages_of_the_site(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="tutorial.html"' in home and 'href="repository/CONTRIBUTING.html"' in home
    demo = (site / "demo.html").read_text(encoding="utf-8")
    assert 'href="repository/specs/dsprites_scale.yaml.html"' in demo
    shown = (site / "repository/specs/dsprites_scale.yaml.html").read_text(encoding="utf-8")
    assert "orientation-through-two-latents" in shown


@pytest.mark.slow
def test_the_python_interface_has_signatures_and_examples(site: Path) -> None:
    text = re.sub(r"<[^>]+>", "", (site / "reference.html").read_text(encoding="utf-8"))
    assert "on_progress: OnProgress" in text and "causalvae.run(" in text
