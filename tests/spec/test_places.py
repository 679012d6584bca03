"""Files, folders and modules that a spec names are looked for, and nothing of them is opened or imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.loading import load_model
from causalvae.spec import Diagnostic, Spec, load_spec, open_spec, parse_spec, read_any_spec, read_spec, write_resolved
from causalvae.spec.places import builtin_latents, builtin_names, check_place

ROOT = Path(__file__).parents[2]
SPEC = """\
spec: causalvae/v1
name: t
model: MODEL
data: DATA
graph: {factors: [], attributes: {a: {readout: latent, index: 0}}}
interventions: [{name: i, latent: {components: latent}}]
"""
ZOO = "{source: zoo, weights: w.safetensors}"
SHAPES = "{source: dsprites}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("w.safetensors", "a.csv", "net.py"):
        (tmp_path / name).write_text("raise RuntimeError('was run')")
    for name in ("images", "package"):
        (tmp_path / name).mkdir()
    (tmp_path / "package" / "inner.py").write_text("raise RuntimeError('was run')")
    (tmp_path / "package" / "__init__.py").write_text("raise RuntimeError('was run')")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def found(folder: Path, model: str = ZOO, data: str = SHAPES) -> tuple[Diagnostic, ...]:
    path = folder / "spec.yaml"
    path.write_text(SPEC.replace("MODEL", model).replace("DATA", data))
    return read_any_spec(path)[1]


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (ZOO, SHAPES),
        ("{source: zoo, weights: ./images/../w.safetensors}", "{source: csv, path: a.csv, scale: none}"),
        ("{source: zoo, weights: 'builtin://NAME'}", "{source: images, path: images}"),
        ("{source: python, factory: 'net:make', latent_dim: 2}", SHAPES),
        ("{source: python, factory: 'package.inner:make', latent_dim: 2}", SHAPES),
        ("{source: python, factory: 'torch.nn:Linear', latent_dim: 2}", SHAPES),
        ("{source: checkpoint, factory: 'net:make', latent_dim: 2, weights: images}", SHAPES),
    ],
)
def test_what_is_there_is_not_reported_and_not_run(folder: Path, model: str, data: str) -> None:
    assert found(folder, model.replace("NAME", builtin_names()[0]), data) == ()


@pytest.mark.parametrize(
    ("model", "data", "field", "said", "meant"),
    [
        ("{source: zoo, weights: v.safetensors}", SHAPES, "model.weights", "there is no file", "w.safetensors"),
        ("{source: zoo, weights: images}", SHAPES, "model.weights", "is a folder, and a file is needed", ""),
        ("{source: zoo, weights: pipe}", SHAPES, "model.weights", "is a device or pipe", ""),
        ("{source: zoo, weights: w.safetensors/x}", SHAPES, "model.weights", "cannot be read: not a directory", ""),
        ("{source: zoo, weights: " + "x" * 300 + "}", SHAPES, "model.weights", "file name too long", ""),
        ("{source: zoo, weights: '~nobody-of-this-name/x'}", SHAPES, "model.weights", "cannot be read", ""),
        ("{source: zoo, weights: 'builtin://none'}", SHAPES, "model.weights", "there are no built-in weights", ""),
        ("{source: pythae, path: a.csv}", SHAPES, "model.path", "is a file, and a folder is needed", ""),
        ("{source: diffusers, path: imges}", SHAPES, "model.path", "there is no folder", "images"),
        ("{source: exported, encoder: w.safetensors, decoder: d.pt2, latent_dim: 2}", SHAPES, "model.decoder",
         "there is no file 'd.pt2'", ""),
        ("{source: python, factory: 'nett:make', latent_dim: 2}", SHAPES, "model.factory", "there is no module", "net"),
        ("{source: python, factory: 'package.outer:make', latent_dim: 2}", SHAPES, "model.factory", "no module", ""),
        ("{source: python, factory: 'net:make', latent_dim: 2, weights: v.pt}", SHAPES, "model.weights", "no file", ""),
        (ZOO, "{source: csv, path: b.csv, scale: none}", "data.path", "there is no file", "a.csv"),
        (ZOO, "{source: dsprites, path: images}", "data.path", "is a folder", ""),
        (ZOO, "{source: images, path: images, table: t.csv, factors: [x]}", "data.table", "there is no file", "a.csv"),
        (ZOO, "{source: morphomnist, path: a.csv}", "data.path", "is a file, and a folder is needed", ""),
    ],
)  # fmt: skip
def test_what_is_missing_or_of_another_kind_is_reported_at_its_place(
    folder: Path, model: str, data: str, field: str, said: str, meant: str
) -> None:
    (fault,) = found(folder, model, data)
    assert fault.code == "CV018" and fault.severity == "error" and fault.field == field
    assert said in fault.message
    assert fault.suggestion == meant
    assert fault.expected and (fault.line, fault.source) == (
        (3, f"model: {model}") if field.startswith("model") else (4, f"data: {data}")
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_what_may_not_be_read_is_reported(folder: Path) -> None:
    (folder / "w.safetensors").chmod(0)
    (fault,) = found(folder)
    assert "permission denied" in fault.message
    (folder / "images").chmod(0o600)
    assert "permission denied" in found(folder, "{source: diffusers, path: images}")[0].message


def test_a_refusal_of_the_system_is_asked_of_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Also where the tests run as the superuser, who may read everything.
    monkeypatch.setattr(os, "access", lambda *_: False)
    (fault,) = check_place(folder, "a.csv", "file", ("data", "path"))
    assert fault.message == "the file 'a.csv' cannot be read: permission denied"


def test_files_are_looked_for_where_they_are_asked_for(folder: Path) -> None:
    path = folder / "spec.yaml"
    path.write_text(SPEC.replace("MODEL", "{source: zoo, weights: none.safetensors}").replace("DATA", SHAPES))
    assert read_spec(path)[1] == ()
    assert load_spec(path).name == "t"
    assert [fault.code for fault in read_spec(path, files=True)[1]] == ["CV018"]


def test_a_variants_files_are_reported_in_it(folder: Path) -> None:
    path = folder / "spec.yaml"
    text = SPEC.replace("MODEL", ZOO).replace("DATA", SHAPES)
    path.write_text(text + "variants:\n  one: {}\n  two:\n    model: {source: zoo, weights: none.safetensors}\n")
    (fault,) = read_any_spec(path)[1]
    assert (fault.code, fault.field, fault.line) == ("CV018", "variants.two.model.weights", 10)


def test_training_and_study_specs_are_looked_through(folder: Path) -> None:
    train = folder / "train.yaml"
    train.write_text(
        "spec: causalvae/train-v1\nname: t\nobjective: {name: vae}\nsteps: 5\ndata: {source: csv, path: none.csv}\n"
    )
    assert [(fault.code, fault.field) for fault in read_any_spec(train)[1]] == [("CV018", "data.path")]
    study = folder / "study.yaml"
    study.write_text(
        "spec: causalvae/study-v1\nname: s\ndata:\n  d:\n    data: {source: csv, path: none.csv}\n"
        "    analysis: none.yaml\nmodels: {m: {objective: {name: vae}}}\n"
    )
    faults = read_any_spec(study)[1]
    assert {(fault.code, fault.field) for fault in faults} == {
        ("CV018", "data.d.data.path"),
        ("CV018", "data.d.analysis"),
    }
    study.write_text(study.read_text() + "scores: {scores: [mig, mig], predictor: lasso}\n")
    faults = read_any_spec(study)[1]
    assert {(fault.code, fault.field) for fault in faults if fault.code != "CV018"} == {
        ("CV098", "scores.scores[1]"),
        ("CV098", "scores.predictor"),
    }
    # Where another kind is wanted, that alone is said.
    assert [fault.code for fault in read_spec(study)[1]] == ["CV016"]


def test_looking_for_files_imports_no_heavy_library(folder: Path) -> None:
    found(folder, "{source: python, factory: 'torch.nn:Linear', latent_dim: 2, weights: w.safetensors}")
    code = (
        "import sys\nfrom causalvae.spec import read_any_spec\n"
        f"assert read_any_spec({str(folder / 'spec.yaml')!r})[1] == ()\n"
        "sys.stdout.write(' '.join(sorted({'torch', 'numpy', 'pandas'} & set(sys.modules))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == ""


def test_a_spec_elsewhere_says_where_its_paths_start(folder: Path) -> None:
    (folder / "specs").mkdir()
    path = folder / "specs" / "spec.yaml"
    text = SPEC.replace("MODEL", ZOO).replace("DATA", SHAPES)
    path.write_text(text + "base: ..\n")
    spec, base = open_spec(path)
    assert base.resolve() == folder.resolve()
    without = load_spec(_written(folder, text))
    assert without.digest == spec.digest, "where a file lies is not what it asks"
    path.write_text(text + "base: ../none\n")
    # Files below a folder that is not there are not reported again.
    assert [(fault.code, fault.field) for fault in read_any_spec(path)[1]] == [("CV018", "base")]


def _written(folder: Path, text: str) -> Path:
    path = folder / "plain.yaml"
    path.write_text(text)
    return path


SHIPPED = [
    *(ROOT / "specs").glob("*.yaml"), *(ROOT / "specs" / "study").glob("*_analysis.yaml"),
    *(path for path in (ROOT / "examples").rglob("*.yaml") if "train" not in path.name), ROOT / "docs/discrete.yaml",
]  # fmt: skip


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_resolved_form_of_every_shipped_spec_reads_back_the_same(path: Path, tmp_path: Path) -> None:
    spec = load_spec(path)
    for one in (spec, *(spec.variant(name) for name in spec.variants)):
        again = tmp_path / "spec.yaml"
        again.write_text(write_resolved(one, os.path.relpath(path.parent, tmp_path)))
        read, faults = read_spec(again)
        assert [fault.render() for fault in faults if fault.severity == "error"] == []
        assert isinstance(read, Spec)
        assert read.digest == one.digest
        assert read.model_copy(update={"base": one.base}) == one


def test_a_checkpoint_without_a_factory_reads_back(tmp_path: Path) -> None:
    text = SPEC.replace("MODEL", "{source: checkpoint, name: mlp, weights: w.pt}").replace("DATA", SHAPES)
    spec = load_spec(_written(tmp_path, text))
    (tmp_path / "again.yaml").write_text(write_resolved(spec))
    assert load_spec(tmp_path / "again.yaml") == spec


@pytest.mark.parametrize("name", builtin_names())
def test_the_number_of_latents_of_shipped_weights_is_known_before_they_are_loaded(folder: Path, name: str) -> None:
    where = f"builtin://{name}"
    latents = load_model(ZooModel(source="zoo", weights=where), folder).vae.latent_dim
    assert builtin_latents(where) == latents
    for index, codes in ((latents - 1, []), (latents, ["CV052"])):
        text = SPEC.replace("components: latent", f"components: 'latent[{index}]'").replace("DATA", SHAPES)
        faults = parse_spec(text.replace("MODEL", f"{{source: zoo, weights: '{where}'}}"))[1]
        assert [fault.code for fault in faults] == codes


def test_the_number_of_latents_of_other_weights_is_not_known() -> None:
    assert builtin_latents("w.safetensors") is None
    assert builtin_latents("builtin://none") is None
