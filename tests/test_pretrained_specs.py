"""The specs for published networks, as they are committed, on MorphoMNIST and on photographs that a package ships."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from causalvae.api import run
from causalvae.errors import CausalVAEError
from causalvae.spec import load_spec

ROOT = Path(__file__).parents[1]
SPECS = ROOT / "specs" / "pretrained"
SHARED = ROOT.parent / "shared"
PRETRAINED, MORPHOMNIST = SHARED / "pretrained", SHARED / "data" / "morphomnist"

FASTER = "estimation: {bootstrap: 50, dowhy: false}\nalignment: {pairs: 48, samples: 60}\nreport: {formats"


def beside(folder: Path, name: str, weights: str, **changes: str) -> Path:
    """The spec `name` in a folder with all that it names; fewer samples than in the committed one."""
    if not (PRETRAINED / weights).is_dir() or not MORPHOMNIST.is_dir():
        pytest.skip("the published networks are not at hand")
    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    for old, new in {**changes, "report: {formats": FASTER}.items():
        assert old in text
        text = text.replace(old, new)
    (folder / weights).symlink_to(PRETRAINED / weights)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiles") / "photos"
    assert runpy.run_path(str(SPECS / "photo_tiles.py"))["cut"](folder) == 120
    assert len(list(folder.glob("*.png"))) == 120
    return folder


SMALLER = {"samples: 64": "samples: 24", "pairs: 32": "pairs: 8", '["encoder.**", "decoder.**"]': "[encoder.lin1]"}


@pytest.mark.parametrize("name", ["mnist", "celeba", "chairs"])
def test_committed_specs_are_valid(name: str) -> None:
    spec = load_spec(SPECS / f"{name}.yaml")
    assert spec.name == f"pretrained-{name}"
    assert not any(Path(file).is_absolute() for file in (*spec.model.files, *spec.data.files))


def test_a_network_of_32_pixels_reaches_a_report_on_morphomnist(tmp_path: Path) -> None:
    path = beside(
        tmp_path,
        "mnist",
        "btcvae_mnist",
        **{
            "samples: 256": "samples: 32",
            "pairs: 64": "pairs: 8",
            **{k: v for k, v in SMALLER.items() if "64" not in k},
        },
    )
    (tmp_path / "morphomnist").symlink_to(MORPHOMNIST)
    results = run(path, tmp_path / "runs").results
    assert results.model["posterior layout"] == "interleaved"
    assert {control.name: control.passed for control in results.controls}["reconstruction"]
    assert 100 < results.model["reconstruction (nats a sample)"] < 140
    assert {verdict.hypothesis for verdict in results.verdicts} == {"thickness-through-one-latent"}


@pytest.mark.parametrize(
    ("name", "weights", "reconstructs"), [("celeba", "factor_celeba", True), ("chairs", "btcvae_chairs", False)]
)
def test_photographs_reach_a_report(name: str, weights: str, reconstructs: bool, photos: Path, tmp_path: Path) -> None:
    path = beside(tmp_path, name, weights, **SMALLER)
    shutil.copytree(photos, tmp_path / "photos")
    outcome = run(path, tmp_path / "runs")
    assert outcome.reports["html"].is_file()
    results = outcome.results
    control = {control.name: control.passed for control in results.controls}
    assert control["reconstruction"] is reconstructs
    assert control["self-patch"] and control["full patch"] and control["captured network"]
    warned = any("reconstruction" in warning for warning in results.warnings)
    assert warned is not reconstructs
    assert ("the data" in results.model) is not reconstructs
    if not reconstructs:
        # Without the declaration, what is wrong and what to write is told.
        plain = path.read_text(encoding="utf-8").replace(", out_of_distribution: true", "")
        path.write_text(plain, encoding="utf-8")
        with pytest.raises(CausalVAEError) as caught:
            run(path, tmp_path / "runs")
        assert caught.value.code == "CV107"
        assert "out_of_distribution: true" in caught.value.remedy
