"""Files to specs and back; what loading costs; what the catalogue says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalvae.data.dsprites import SPACE
from causalvae.spec import (
    Spec,
    SpecError,
    load_spec,
    load_train_spec,
    parse_spec,
    parse_train_spec,
    read_spec,
    write_resolved,
)
from causalvae.spec.data_section import DATA_TAG
from causalvae.spec.entries import FactorEntry
from causalvae.spec.loader import _parse
from causalvae.training.objectives.beta_tcvae import BetaTCObjective
from tests.spec.faults import GOOD

DSPRITES = DATA_TAG.read({"source": "dsprites"}).facts()
ROOT = Path(__file__).parents[2]
STUDY = """\
spec: causalvae/study-v1
name: s
data:
  d: {data: {source: dsprites}, analysis: run.yaml}
models: {m: {MODEL objective: {name: OBJECTIVE}}}
steps: 8
"""
TRAIN = "spec: causalvae/train-v1\nname: t\nobjective: {name: beta_tcvae, beta: 6}\nsteps: 100\n"


def test_loading_a_spec_imports_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from causalvae.spec import load_spec, parse_spec\n"
        f"load_spec({str(ROOT / 'tests/spec/good.yaml')!r})\n"
        "parse_spec('spec: 3')\n"
        "heavy = {'torch', 'pandas', 'numpy', 'scipy', 'networkx', 'dowhy', 'pgmpy', 'sklearn', 'statsmodels'}\n"
        "sys.stdout.write(' '.join(sorted(heavy & set(sys.modules))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == ""


def test_the_graph_room_imports_networkx_only_where_it_is_used() -> None:
    code = (
        "import sys\n"
        "from causalvae.graph import CausalGraph\n"
        "CausalGraph(('a',), ('b',), (('a', 'b'),)).descendants('a')\n"
        "sys.stdout.write(str('networkx' in sys.modules or 'numpy' in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False"


def test_a_resolved_spec_reads_back_equal_and_holds_the_defaults() -> None:
    spec, _ = parse_spec(GOOD)
    assert spec is not None
    text = write_resolved(spec)
    again, diagnostics = parse_spec(text)
    assert diagnostics == ()
    assert again == spec
    assert again is not None
    assert again.digest == spec.digest
    for default in ("simulations: 50", "batch_rows: auto", "tolerance: 0.1", "direction: denoising"):
        assert default in text


def test_resolved_specs_of_every_kind_read_back_equal_where_defaults_would_be_refused_as_written() -> None:
    scored = GOOD + "disentanglement: {scores: [mig]}\n"
    for text in (scored, TRAIN, STUDY.replace("MODEL", "").replace("OBJECTIVE", "vae")):
        spec = _parse(None, text, "spec").spec
        assert spec is not None
        again = _parse(None, write_resolved(spec), "resolved")
        assert (again.spec, again.diagnostics) == (spec, ())


@pytest.mark.parametrize(
    ("model", "objective", "more", "code", "field"),
    [
        ("", "vq_vae", "", "CV022", "models.m.objective.name"),
        ("model: {architecture: vq},", "vae", "", "CV022", "models.m.objective.name"),
        ("steps: 9,", "vae", "optimiser: {over: 8}", "CV024", "models.m.steps"),
        ("", "factor_vae", "batch_size: 1", "CV024", "batch_size"),
    ],
)
def test_networks_of_a_study_that_cannot_be_trained(
    model: str, objective: str, more: str, code: str, field: str
) -> None:
    study = STUDY.replace("MODEL", model).replace("OBJECTIVE", objective) + more
    (fault,) = _parse(None, study, "study").diagnostics
    assert (fault.code, fault.field) == (code, field)
    assert "the network of 'm' on 'd'" in fault.message


def test_names_of_a_study_that_make_no_name_of_a_network() -> None:
    study = STUDY.replace("MODEL", "").replace("OBJECTIVE", "vae").replace(" d:", f" {'d' * 98}:")
    assert [(fault.code, fault.line) for fault in _parse(None, study, "study").diagnostics] == [("CV025", 4)]


@settings(max_examples=25, deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60))
def test_any_text_survives_the_resolved_spec(text: str) -> None:
    spec, _ = parse_spec(GOOD)
    assert spec is not None
    odd = spec.model_copy(update={"description": text})
    again, diagnostics = parse_spec(write_resolved(odd))
    assert diagnostics == ()
    assert again is not None
    assert again.description == text


@pytest.mark.parametrize(
    "text", ["no", "null", "1e3", "0o7", ".inf", "~", "", "yes", "a: b", "- x", "1_000", "true", "# x"]
)
def test_texts_that_look_like_other_values_stay_texts(text: str) -> None:
    spec, _ = parse_spec(GOOD)
    assert spec is not None
    again, _ = parse_spec(write_resolved(spec.model_copy(update={"description": text})))
    assert again is not None
    assert again.description == text


def test_load_spec_and_read_spec_agree() -> None:
    path = ROOT / "tests/spec/good.yaml"
    spec, diagnostics = read_spec(path)
    assert load_spec(path) == load_spec(str(path)) == spec
    assert diagnostics == ()
    assert isinstance(spec, Spec)


@pytest.mark.parametrize("path", sorted((ROOT / "specs/train").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_training_specs_of_the_repository_load(path: Path) -> None:
    assert load_train_spec(path).steps > 0


def test_training_specs_are_read_with_the_same_care(tmp_path: Path) -> None:
    spec, diagnostics = parse_train_spec(TRAIN)
    assert diagnostics == ()
    assert spec is not None
    assert isinstance(spec.objective, BetaTCObjective)
    bad = TRAIN.replace("beta: 6", "betta: 6").replace("steps: 100", "steps: 0\nseed: 1\nseed: 2")
    spec, diagnostics = parse_train_spec(bad)
    assert spec is None
    assert [(found.code, found.line, found.column) for found in diagnostics] == [
        ("CV020", 3, 31),
        ("CV024", 4, 8),
        ("CV011", 6, 1),
    ]
    assert diagnostics[0].suggestion == "beta"
    path = tmp_path / "train.yaml"
    path.write_text(TRAIN.replace("beta_tcvae", "beta_tvae"))
    with pytest.raises(SpecError) as caught:
        load_train_spec(path)
    assert [found.code for found in caught.value.diagnostics] == ["CV023"]
    assert caught.value.diagnostics[0].suggestion == "beta_tcvae"


def test_the_two_kinds_of_spec_know_each_other() -> None:
    _, diagnostics = parse_spec(TRAIN)
    assert "causalvae train" in next(found for found in diagnostics if found.code == "CV016").expected
    _, diagnostics = parse_train_spec(GOOD)
    assert "causalvae run" in next(found for found in diagnostics if found.code == "CV016").expected


def test_the_catalogue_agrees_with_the_data() -> None:
    entry = DSPRITES
    assert entry.names == SPACE.names
    for known, factor in zip(entry.factors, SPACE.factors, strict=True):
        assert known.kind == factor.kind
        assert known.levels == factor.size
        assert known.values == pytest.approx(factor.values)
        assert known.labels == factor.labels


def test_values_name_levels() -> None:
    scale, shape = DSPRITES.factors[1], DSPRITES.factors[0]
    assert [scale.level_of(value) for value in scale.values] == list(range(6))
    assert scale.level_of(0.7) == 2
    assert scale.level_of(0.55) is None
    assert scale.level_of("0.5") is None
    assert scale.level_of(1e9) is None
    assert [shape.level_of(label) for label in shape.labels] == [0, 1, 2]
    assert shape.level_of("circle") is None
    assert shape.level_of(2.0) == 1
    assert FactorEntry("one", "ordinal", 1, 0.0, 0.0).level_of(0.0) == 0
    assert DSPRITES.factor("size") is None


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("optimiser.lr", "1e400", "CV024"), ("optimiser.lr", '"1e-3"', "CV022"), ("steps", '"10"', "CV022"),
        ("steps", "9" * 30, "CV024"), ("seed", "9" * 30, "CV024"), ("objective.beta", ".nan", "CV024"),
        ("optimiser.lr", "true", "CV022"),
    ],
)  # fmt: skip
def test_numbers_of_training_specs_are_finite_numbers(key: str, value: str, code: str) -> None:
    section, _, name = key.rpartition(".")
    text = TRAIN
    if section == "objective":
        text = text.replace("beta: 6", f"beta: {value}")
    elif section:
        text += f"{section}: {{{name}: {value}}}\n"
    else:
        text = text.replace("steps: 100\n", "") + f"{name}: {value}\n" + ("" if name == "steps" else "steps: 100\n")
    _, diagnostics = parse_train_spec(text)
    assert [(found.code, found.field) for found in diagnostics] == [(code, key)]


def test_a_mapping_may_list_its_addresses() -> None:
    spec, found = parse_spec(GOOD.replace("  scale: latent[3]", '  scale: ["latent[3]", "latent[4]"]'))
    assert spec is not None, found
    assert spec.mapping["scale"].components == ("latent[3]", "latent[4]")


def test_a_probe_that_is_not_shipped_is_refused_before_the_run() -> None:
    text = """
spec: causalvae/v1
name: digits
model: {source: zoo, weights: "builtin://morphomnist-vae"}
data: {source: npz, path: digits.npz, factors: [digit]}
graph: {factors: [digit], attributes: {zero: {readout: probe, target: digit, label: "0"}}, edges: [digit -> zero]}
interventions: [{name: another, input: {set: swap}}]
"""
    spec, (fault,) = parse_spec(text)
    assert spec is None and fault.code == "CV040"
    assert "no probe for 'digit'" in fault.message and "shape" in fault.expected
