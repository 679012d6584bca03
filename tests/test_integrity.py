"""What a run writes is safe: never through a link, never read when damaged, never with another's data or cluster."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest

import causalvae
from causalvae.errors import CausalVAEError
from causalvae.spec import SpecError, load_spec
from tests.fuzz.small_run import results_of, run, write_specs

TRAINING = """\
spec: causalvae/train-v1
name: own
model: {architecture: mlp, latent_dim: 2, likelihood: gaussian}
data: {source: npz, path: own.npz, factors: {}}
objective: {name: vae}
batch_size: 4
steps: 4
checkpoint_every: 2
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of specs, and in ``runs`` one finished run."""
    folder = tmp_path_factory.mktemp("finished")
    spec, *_ = write_specs(folder)
    run(spec, folder / "runs")
    return folder


def run_folder(folder: Path) -> Path:
    (results,) = folder.rglob("results.json")
    return results.parent


@pytest.mark.parametrize("linked", ["", "small", "small/tables", "small/DIGEST"])
def test_a_run_writes_nothing_through_a_link(linked: str, finished: Path, tmp_path: Path) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    link = out / linked.replace("DIGEST", load_spec(finished / "run.yaml").digest)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    with pytest.raises(CausalVAEError) as caught:
        run(finished / "run.yaml", out)
    assert caught.value.code == "CV414"
    assert str(elsewhere) in caught.value.remedy
    assert not list(elsewhere.iterdir())


def test_links_in_the_place_of_files_are_replaced(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    folder, victim = run_folder(tmp_path / "copy"), tmp_path / "victim"
    expected = results_of(folder)
    victim.write_text("mine")
    names = ("results.json", "manifest.json", "spec.yaml", "report.html")
    for name in names:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(victim)
    run(tmp_path / "copy" / "run.yaml", tmp_path / "copy" / "runs")
    assert victim.read_text() == "mine"
    assert not any((folder / name).is_symlink() for name in names)
    assert results_of(folder) == expected


def test_the_spec_of_a_run_folder_is_the_one_that_was_run(finished: Path, tmp_path: Path) -> None:
    folder = run_folder(finished)
    spec = load_spec(folder / "spec.yaml")
    shutil.copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / "spec.yaml"
    path.write_text(path.read_text().replace("samples: 48", "samples: 49"))
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.code == "CV019"
    # A copy is the user's own, to be changed at will.
    shutil.copy(path, tmp_path / "own.yaml")
    assert load_spec(tmp_path / "own.yaml").digest != spec.digest


def test_a_cluster_that_a_spec_names_needs_the_permission_of_code(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    text = (finished / "run.yaml").read_text()
    path.write_text(text.replace("controls: false", "controls: false, backend: ray, address: 'ray://10.0.0.1:10001'"))
    shutil.copy(finished / "weights.safetensors", tmp_path)
    with pytest.raises(CausalVAEError) as caught:
        run(path, tmp_path / "runs")
    assert (caught.value.code, caught.value.place) == ("CV117", "execution.address")
    assert "--allow-code" in caught.value.remedy
    assert not (tmp_path / "runs").exists()


def test_weights_reports_and_checkpoints_have_the_users_permissions(finished: Path, tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        weights = causalvae.train(finished / "train.yaml", tmp_path / "trained").weights
        run(finished / "run.yaml", tmp_path / "runs")
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert weights in files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o664}


def test_training_does_not_resume_on_changed_data(tmp_path: Path) -> None:
    data = np.linspace(0, 1, 60, dtype=np.float32).reshape(20, 3)
    np.savez(tmp_path / "own.npz", inputs=data)
    spec = tmp_path / "train.yaml"
    spec.write_text(TRAINING)

    class StopError(Exception):
        pass

    def stop(progress: object) -> None:
        if progress.step > 2:  # type: ignore[attr-defined]
            raise StopError

    with pytest.raises(StopError):
        causalvae.train(spec, tmp_path / "out", stop)
    data[7, 1] += 0.001
    np.savez(tmp_path / "own.npz", inputs=data)
    with pytest.raises(CausalVAEError) as caught:
        causalvae.train(spec, tmp_path / "out")
    assert caught.value.code == "CV425"
    assert "other content" in caught.value.message
    data[7, 1] -= 0.001
    np.savez(tmp_path / "own.npz", inputs=data)
    causalvae.train(spec, tmp_path / "out")


def test_damaged_weights_of_training_are_refused(finished: Path, tmp_path: Path) -> None:
    from causalvae.models.weights import read_weights

    weights = causalvae.train(finished / "train.yaml", tmp_path).weights
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CausalVAEError) as caught:
        read_weights(str(weights), tmp_path)
    assert caught.value.code == "CV102"
    assert "checksum" in caught.value.message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("own.npz", b""),
        ("own.npz", b"PK\x05\x06" + bytes(18)),
        ("own.npz", b"\x93NUMPY\x01\x00"),
        ("own.csv", b"a,b\n\x00\xff,1\n"),
        ("own.csv", b"a,b\n" + b"9" * 400 + b",1\n"),
        ("own.csv", b'a,b\n"' + b"x" * 200_000),
    ],
)
def test_broken_data_has_a_code(name: str, content: bytes, tmp_path: Path) -> None:
    from pydantic import TypeAdapter

    from causalvae.data.dataset import open_dataset
    from causalvae.spec.data_section import AnyData

    (tmp_path / name).write_bytes(content)
    section = TypeAdapter(AnyData).validate_python({"source": name[-3:], "path": name, "factors": {}})
    with pytest.raises(CausalVAEError) as caught:
        open_dataset(section, tmp_path)
    assert caught.value.code.startswith("CV2")
    assert name in str(caught.value)
