"""Specs put together from files, settings, variables and grids."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalvae.spec import Spec, SpecError, load_spec, load_train_spec, parse_spec, read_spec, write_resolved
from causalvae.spec.diagnostics import Diagnostic
from causalvae.spec.loader import open_whole, read_any_spec, read_whole
from causalvae.spec.yaml_tree import MAX_NODES
from tests.spec.faults import GOOD

GRAPH = GOOD[GOOD.index("graph:") : GOOD.index("mapping:")]
REST = GOOD.replace(GRAPH, "")
INCLUDING = "include: parts/graph.yaml\n" + REST


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return make


def faults_of(path: Path, *given: str) -> list[Diagnostic]:
    return list(read_spec(path, settings=given)[1])


def test_a_spec_in_two_files_is_the_spec_in_one(write) -> None:
    write("parts/graph.yaml", GRAPH)
    path = write("spec.yaml", INCLUDING)
    assert load_spec(path) == parse_spec(GOOD)[0]
    assert load_spec(path).digest == parse_spec(GOOD)[0].digest  # type: ignore[union-attr]


def test_included_files_include_others_relative_to_themselves(write) -> None:
    write("parts/more/graph.yaml", GRAPH)
    write("parts/all.yaml", "include: [more/graph.yaml]\n")
    assert load_spec(write("spec.yaml", "include: [parts/all.yaml]\n" + REST)) == parse_spec(GOOD)[0]


def test_mappings_are_merged_and_the_rest_is_replaced_by_what_comes_later(write) -> None:
    write("a.yaml", "data: {samples: 100, seed: 1}\nestimation: {refute: [placebo, subset], bootstrap: 10}\n")
    write("b.yaml", "data: {samples: 200}\nestimation: {refute: [bootstrap]}\n")
    without = GOOD.replace("  samples: 512\n  seed: 7\n", "")
    without = without.replace("estimation: {bootstrap: 1000, refute: [placebo, random_common_cause, subset]}\n", "")
    spec = load_spec(write("spec.yaml", "include: [a.yaml, b.yaml]\n" + without))
    assert (spec.data.samples, spec.data.seed) == (200, 1)
    assert (spec.estimation.refute, spec.estimation.bootstrap) == (("bootstrap",), 10)
    own = load_spec(write("own.yaml", "include: b.yaml\n" + GOOD))
    assert (own.data.samples, own.estimation.bootstrap) == (512, 1000)


def test_a_fault_in_an_included_file_is_placed_there(write, tmp_path: Path) -> None:
    write("parts/graph.yaml", GRAPH.replace("- scale -> area", "- scael -> area"))
    (found,) = [fault for fault in faults_of(write("spec.yaml", INCLUDING)) if fault.code == "CV030"]
    assert found.file == str(tmp_path / "parts" / "graph.yaml")
    line = next(n for n, text in enumerate(GRAPH.split("\n"), 1) if "- scale -> area" in text)
    assert (found.line, found.source.strip()) == (line, "- scael -> area")
    write("parts/graph.yaml", "graph: [\n")
    (found, *_) = faults_of(tmp_path / "spec.yaml")
    assert (found.code, found.file) == ("CV006", str(tmp_path / "parts" / "graph.yaml"))


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("../outside.yaml", "lies outside"),
        ("/etc/hostname", "lies outside"),
        ("link.yaml", "lies outside"),
        ("absent.yaml", "there is no file"),
        ("folder", "cannot be read"),
        ('"a\\0b"', ""),
        ("circle.yaml", "in a cycle: circle.yaml -> other.yaml -> circle.yaml"),
        ("spec.yaml", "in a cycle: spec.yaml -> spec.yaml"),
    ],
)
def test_what_cannot_be_included_is_refused(write, tmp_path: Path, where: str, words: str) -> None:
    (tmp_path / "outside.yaml").write_text(GRAPH)
    write("home/circle.yaml", "include: other.yaml\n")
    write("home/other.yaml", "include: circle.yaml\n")
    (tmp_path / "home/folder").mkdir()
    (tmp_path / "home/link.yaml").symlink_to(tmp_path / "outside.yaml")
    faults = faults_of(write("home/spec.yaml", f"include: {where}\n" + GOOD))
    assert words in faults[0].message
    assert faults[0].code == ("CV004" if "\\0" in where else "CV043")
    assert all(fault.severity == "error" for fault in faults)


def test_a_misspelt_file_gets_the_nearest_name(write) -> None:
    write("graph.yaml", GRAPH)
    (found,) = faults_of(write("spec.yaml", "include: grpah.yaml\n" + REST))
    assert found.suggestion == "graph.yaml"


def test_many_inclusions_of_one_file_end(write) -> None:
    for number in range(12):
        write(f"{number}.yaml", f"include: [{number + 1}.yaml, {number + 1}.yaml, {number + 1}.yaml]\n")
    write("12.yaml", GRAPH)
    assert any(
        "more than 100 files" in fault.message for fault in faults_of(write("spec.yaml", "include: 0.yaml\n" + REST))
    )


def test_variables_have_types_and_are_put_into_text() -> None:
    line = next(line for line in GOOD.splitlines() if line.startswith("description"))
    text = GOOD.replace("  samples: 512\n", "  samples: ${n}\n").replace("circuit: [$scale]\n", "circuit: ${c}\n")
    text = text.replace(line, "description: with ${n} of $${n}, ${who}")
    spec, faults = parse_spec(text + "variables: {n: 300, who: 'me and ${n}', c: ['${x}'], x: 'latent[3]'}\n")
    assert faults == ()
    assert spec is not None and spec.data.samples == 300
    assert spec.description == "with 300 of ${n}, me and 300"
    assert spec.hypotheses[0].circuit == ("latent[3]",)


def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "512")
    (found,) = parse_spec(GOOD.replace("  samples: 512\n", "  samples: ${SECRET}\n"))[1]
    assert found.code == "CV044" and "${SECRET}" in found.source


def test_variables_that_stand_for_too_much_are_refused() -> None:
    names = "abcdefghijklmnop"
    pairs = [f"{a}: ['${{{b}}}', '${{{b}}}', '${{{b}}}']" for a, b in pairwise(names)]
    text = GOOD.replace("  samples: 512\n", "  samples: ${a}\n") + "variables: {" + ", ".join(pairs) + ", p: 1}\n"
    assert 3 ** (len(names) - 1) > MAX_NODES
    assert "CV009" in [fault.code for fault in parse_spec(text)[1]]
    wide = [f"{a}: '${{{b}}}${{{b}}}${{{b}}}${{{b}}}'" for a, b in pairwise(names)]
    text = GOOD.replace("description: Does", "description: ${a} does")
    assert "CV009" in [fault.code for fault in parse_spec(text + f"variables: {{{', '.join(wide)}, p: long}}\n")[1]]


def test_settings_go_by_keys_names_and_places(write) -> None:
    path = write("spec.yaml", GOOD)
    spec = load_spec(
        path,
        settings=(
            "data.samples=64",
            "hypotheses.scale-through-one-latent.expect.off_target={at_most: 0.3}",
            "interventions[0].name=resize",
            "graph.edges[1]=scale -> heart",
            "mapping.scale=latent[4]",
            "execution.memory=2 GB",
            "description=a = b",
        ),
    )
    assert (spec.data.samples, spec.execution.memory, spec.description) == (64, "2 GB", "a = b")
    assert spec.hypotheses[0].expect.model_dump()["off_target"]["at_most"] == 0.3
    assert spec.graph.edges[:2] == ("scale -> area", "scale -> heart")
    assert spec.mapping["scale"].components == ("latent[4]",)
    assert spec.digest != load_spec(path).digest
    assert load_spec(path, settings=("data.samples=512",)).digest == load_spec(path).digest


@pytest.mark.parametrize(
    ("setting", "code", "column", "suggestion"),
    [
        ("data.sampels=3", "CV020", 1, "samples"),
        ("data.samples=many", "CV022", 14, ""),
        ("hypotheses.scale-trough-one-latent.alpha=0.1", "CV045", 12, "scale-through-one-latent"),
        ("graph.edges[77]=a -> b", "CV045", 13, ""),
        ("data.samples", "CV045", 1, ""),
        ("data..samples=3", "CV045", 1, ""),
        ("name.first=3", "CV045", 6, ""),
        ("=3", "CV045", 1, ""),
        ("data.samples=[1", "CV006", 16, ""),
        ("data.samples=!!int 3", "CV007", 14, ""),
        ("data.samples=${n}", "CV044", 14, ""),
    ],
)
def test_a_setting_that_does_not_fit_is_placed(write, setting: str, code: str, column: int, suggestion: str) -> None:
    faults = faults_of(write("spec.yaml", GOOD), setting)
    assert [(fault.code, fault.file) for fault in faults] == [(code, "--set")]
    assert (faults[0].line, faults[0].column, faults[0].suggestion) == (1, column, suggestion)
    assert faults[0].source == setting
    assert faults[0].expected


def test_a_setting_names_a_key_of_the_grid_which_has_dots(write) -> None:
    path = write("spec.yaml", GOOD)
    read = read_whole(path, ("grid.data.seed=[1, 2]", "grid.data.samples=[32]"))
    assert read.diagnostics == () and [point.label for point in read.points] == [
        "seed=1, samples=32",
        "seed=2, samples=32",
    ]
    again = write("grid.yaml", GOOD + "grid: {data.seed: [1, 2]}\n")
    assert [point.label for point in read_whole(again, ("grid.data.seed=[7]",)).points] == ["seed=7"]
    (fault,) = read_whole(path, ("grid.data.seed=1",)).diagnostics
    assert (fault.code, fault.message) == ("CV046", "'data.seed' has no list of values")


def test_settings_give_variables_and_reach_training_specs(write) -> None:
    path = write("t.yaml", "spec: causalvae/train-v1\nname: t\nobjective: {name: beta_vae, beta: '${b}'}\nsteps: 10\n")
    spec = load_train_spec(path, settings=("variables.b=3", "steps=7"))
    assert (spec.steps, spec.objective.beta) == (7, 3)  # type: ignore[attr-defined]


GRID = "grid:\n  data.seed: [1, 2]\n  hypotheses.scale-through-one-latent.alpha: [0.05, 0.01, 0.001]\n"


def test_a_grid_is_every_combination(write) -> None:
    opened = open_whole(write("spec.yaml", GOOD + GRID))
    assert [point.label for point in opened.points][:4] == [
        "seed=1, alpha=0.05",
        "seed=1, alpha=0.01",
        "seed=1, alpha=0.001",
        "seed=2, alpha=0.05",
    ]
    assert len({point.spec.digest for point in opened.points}) == 6
    assert opened.spec == parse_spec(GOOD)[0]
    plain = load_spec(
        write("plain.yaml", GOOD), settings=("data.seed=2", "hypotheses.scale-through-one-latent.alpha=0.05")
    )
    assert opened.points[3].spec == plain


def test_faults_of_points_are_placed_in_the_grid_once(write) -> None:
    text = GOOD + GRID.replace("[1, 2]", "[1, -2]")
    (found,) = faults_of(write("spec.yaml", text))
    assert (found.code, found.source.strip()) == ("CV024", "data.seed: [1, -2]")
    assert found.message.startswith("with seed=-2")
    (found,) = faults_of(write("spec.yaml", GOOD + "grid: {data.sede: [1, 2]}\n"))
    assert (found.code, found.suggestion) == ("CV020", "seed")


def test_a_grid_is_of_analyses_and_not_too_large(write) -> None:
    large = "grid: {data.seed: [" + ", ".join(map(str, range(15))) + "], data.samples: ["
    large += ", ".join(map(str, range(100, 115))) + "]}\n"
    (found,) = faults_of(write("spec.yaml", GOOD + large))
    assert found.code == "CV046" and "225" in found.message
    path = write(
        "t.yaml", "spec: causalvae/train-v1\nname: t\nobjective: {name: vae}\nsteps: 10\ngrid: {steps: [1, 2]}\n"
    )
    assert [fault.code for fault in read_any_spec(path)[1]] == ["CV046"]


def test_the_resolved_spec_says_where_values_come_from(write) -> None:
    write("parts/graph.yaml", GRAPH)
    text = (
        "include: parts/graph.yaml\n" + REST.replace("  samples: 512\n", "  samples: ${n}\n") + "variables: {n: 512}\n"
    )
    read = read_whole(write("spec.yaml", text), ("execution.seed=5",))
    assert isinstance(read.spec, Spec) and read.origins is not None
    written = write_resolved(read.spec, origins=read.origins)
    assert parse_spec(written)[0] == read.spec
    lines = {line.partition("#")[0].strip(): line.partition("#")[2].strip() for line in written.splitlines()}
    at = text.split("\n").index("  samples: ${n}") + 1
    assert lines["samples: 512"] == f"spec.yaml:{at} (${{n}})"
    assert lines["seed: 5"] == "--set execution.seed=5"
    assert lines["- scale -> area"].startswith("parts/graph.yaml:")
    assert lines["simulations: 50"] == "default"
    # A short form gives what it stands for.
    assert lines["- latent[3]"].startswith("spec.yaml:")


@settings(max_examples=25, deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60))
def test_any_text_survives_the_notes(text: str) -> None:
    from causalvae.spec.origins import Origins
    from causalvae.spec.yaml_tree import Node, Source

    spec, _ = parse_spec(GOOD)
    assert spec is not None
    odd = spec.model_copy(update={"description": text})
    node = Node("scalar", 1, 1, 1, text, text, source=Source("a\nname: b\u2028#: {"))
    root = Node("mapping", 1, 1, entries={"description": (node, node)}, source=node.source)
    assert parse_spec(write_resolved(odd, origins=Origins(root)))[0] == odd


def test_a_refused_spec_raises_with_all_faults(write) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(write("spec.yaml", GOOD), settings=("data.samples=0", "name=a b"))
    assert [fault.code for fault in caught.value.diagnostics] == ["CV025", "CV024"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (found,) = faults_of(write("spec.yaml", "include: pipe.yaml\n" + GOOD))
    assert found.code == "CV043" and "pipe" in found.message


def test_included_files_are_limited_together(write) -> None:
    for number in range(3):
        write(f"{number}.yaml", "description: " + "x" * 500_000 + "\n")
    (found,) = faults_of(write("spec.yaml", "include: [0.yaml, 1.yaml, 2.yaml]\n" + GOOD))
    assert found.code == "CV043" and "1,048,576 bytes together" in found.message


@pytest.mark.parametrize("setting", [".".join("a" * 3000) + "=1", "\udcff=1", "data.\udcff=1", "include=good.yaml"])
def test_settings_that_name_no_value_of_a_spec(write, setting: str) -> None:
    (found,) = faults_of(write("spec.yaml", GOOD), setting)
    assert found.code == "CV045"


@pytest.mark.parametrize("path, values", [("data.seed", "[1, 1]"), ("name", '[a, "a"]'), ("base", '[null, "null"]')])
def test_equal_points_of_a_grid_are_refused(write, path: str, values: str) -> None:
    faults = faults_of(write("spec.yaml", GOOD + f"grid: {{{path}: {values}}}\n"))
    assert [fault.code for fault in faults] == ["CV046"]


def test_labels_of_points_are_one_line(write) -> None:
    path = write("spec.yaml", GOOD + 'grid: {description: ["a\\n::error::x\\u202e", b]}\n')
    assert [point.label for point in read_whole(path).points] == [
        "description=a\ufffd::error::x\ufffd",
        "description=b",
    ]


def test_a_factor_without_a_value_has_the_defaults() -> None:
    data = "data: {source: npz, path: a.npz, factors: {x: , shape: {kind: categorical}}}\n"
    text = "spec: causalvae/v1\nname: a\nmodel: {source: zoo, weights: 'builtin://dsprites-vae'}\n" + data
    text += "graph: {factors: {x: , shape: {}}, attributes: {area: {readout: area}}}\n"
    text += "interventions: [{name: a, input: {set: swap}}]\n"
    spec, faults = parse_spec(text)
    assert spec is not None and faults == ()
    listed, _ = parse_spec(text.replace("{x: , shape: {}}", "[x, shape]").replace("{x: , ", "{x: {}, "))
    assert listed is not None and listed.digest == spec.digest
