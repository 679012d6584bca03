"""The specs of shipped networks of data with an edge between factors, with fewer samples than committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from causalvae.api import run
from causalvae.results import Results

ROOT = Path(__file__).parents[1]
MORPHOMNIST = ROOT.parent / "shared" / "data" / "morphomnist"
FASTER = "estimation: {bootstrap: 100, dowhy: false}\nalignment: {pairs: 96, samples: 60}\nreport: {formats"


def smaller(folder: Path, name: str, *changes: tuple[str, str]) -> Results:
    text = (ROOT / "specs" / f"{name}.yaml").read_text(encoding="utf-8")
    for old, new in (*changes, ("pairs: 64", "pairs: 8"), ("report: {formats", FASTER)):
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return run(path, folder / "runs").results


def test_hue_and_the_size_that_it_makes_lie_in_latents_of_their_own(tmp_path: Path) -> None:
    results = smaller(tmp_path, "shapes_hue", ("samples: 256", "samples: 96"))
    assert {verdict.hypothesis: verdict.status for verdict in results.verdicts} == {
        "colour-through-one-latent": "supported",
        "size-through-the-latent-of-hue": "refuted",
    }
    pairs = {(pair.source, pair.target): pair for pair in results.alignment.pairs}
    edge = pairs["hue", "size"]
    # Of an edge between factors the data tell; the network shows attributes alone.
    assert edge.declared and edge.between_factors and edge.graph == "present"
    assert edge.network is None and edge.mapping is None
    assert pairs["size", "hue"].graph == "absent"
    assert pairs["size", "area"].graph == "present" and pairs["hue", "area"].graph == "absent"


def test_thickness_and_the_intensity_that_it_makes(tmp_path: Path) -> None:
    if not MORPHOMNIST.is_dir():
        pytest.skip("MorphoMNIST is not at hand")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "morphomnist").symlink_to(MORPHOMNIST)
    results = smaller(tmp_path, "morphomnist", ("samples: 512", "samples: 96"), ("pairs: 32", "pairs: 8"))
    assert {verdict.hypothesis: verdict.status for verdict in results.verdicts} == {
        "thickness-brightens": "supported",
        "brightness-through-two-latents": "supported",
        "brightness-through-one-latent": "refuted",
    }
    pairs = {(pair.source, pair.target): pair for pair in results.alignment.pairs}
    assert pairs["thickness", "intensity"].graph == "present"
    assert pairs["intensity", "thickness"].graph == "absent"
