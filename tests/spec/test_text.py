"""Hostile and broken texts: always diagnostics, never a traceback, and never much memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from causalvae.spec import SpecError, load_spec, parse_spec, read_spec
from causalvae.spec.loader import MAX_DIAGNOSTICS
from causalvae.spec.yaml_tree import MAX_BYTES, MAX_NODES, compose
from tests.spec.faults import GOOD, SEED


def codes(text: str | bytes) -> list[str]:
    spec, diagnostics = parse_spec(text)
    assert spec is None
    return [found.code for found in diagnostics]


def bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "CV005"),
        ("# only a comment\n", "CV005"),
        ("---\n", "CV013"),
        ("- spec: causalvae/v1\n", "CV013"),
        ("just text\n", "CV013"),
        ("42", "CV013"),
        (bomb(), "CV009"),
        ("[" * 100_000, "CV008"),
        ("{a: " * 5_000, "CV008"),
        ("\n".join("  " * depth + f"k{depth}:" for depth in range(60)), "CV008"),
        ("- " * 500 + "x", "CV008"),
        ("a: [" + "1, " * (MAX_NODES + 5) + "]", "CV009"),
        ("a: \x00", "CV004"),
        ("\x00" * 1000, "CV004"),
        ("a: \ud800", "CV004"),
        ("a:\n\t- b", "CV006"),
        ("a: [1, 2\nb: 3", "CV006"),
        ("a: {b: 1\nc: 3", "CV006"),
        ("a: 'x\nb: 1", "CV006"),
        ("a: 1\n b: 2", "CV006"),
        ("a: `x`", "CV006"),
        ('a: "\\q"', "CV006"),
        ('a: "\\UFFFFFFFF"', "CV006"),
        ("- a\nb: c", "CV006"),
        ("%YAML x\n---\na: 1", "CV006"),
        ("%TAG ! tag:x\n", "CV006"),
        ("a: &", "CV006"),
        ("a: *", "CV006"),
        ("spec\nname: b\n", "CV006"),
        ("\ufffe", "CV004"),
        (b"\xff\xfes\x00p\x00", "CV002"),
        (b"name: caf\xe9\n", "CV002"),
        (b"\x80" * 100, "CV002"),
        (b"x" * (MAX_BYTES + 1), "CV003"),
        ("x" * (MAX_BYTES + 1), "CV003"),
    ],
    ids=range(36 - 1),
)
def test_a_text_that_is_no_spec_is_one_diagnostic(text: str | bytes, code: str) -> None:
    assert codes(text) == [code]


def test_tags_are_refused_and_nothing_is_made_of_them(tmp_path: Path) -> None:
    victim = tmp_path / "made"
    text = GOOD.replace("description: Does", f"description: !!python/object/apply:os.mkdir ['{victim}'] # Does")
    assert "CV007" in codes(text)
    assert not victim.exists()


def test_an_alias_stands_for_its_anchor() -> None:
    text = GOOD.replace("circuit: [$scale]", "circuit: *where").replace(
        "mediators: [$scale]", "mediators: &where [$scale]"
    )
    spec, diagnostics = parse_spec(text)
    assert diagnostics == ()
    assert spec is not None
    assert spec.hypotheses[0].circuit == ("$scale",)


def test_yaml_1_2_words_stay_text() -> None:
    spec, diagnostics = parse_spec(
        GOOD.replace("description: Does the network carry sprite size through one latent?", "description: no")
        .replace("    area: {readout: area}\n", "    on: {readout: area}\n    area: {readout: area}\n")
        .replace("    - scale -> area\n", "    - scale -> on\n    - scale -> area\n")
    )
    assert diagnostics == ()
    assert spec is not None
    assert spec.description == "no"
    assert "y" in spec.graph.factors
    assert "on" in spec.graph.attributes


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("yes", "yes"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("0b11", "0b11"),
        ("=", "="),
        ("9" * 5000, float("inf")),
    ],
)
def test_scalars_are_read_by_the_core_schema(written: str, value: object) -> None:
    root, faults = compose(f"a: {written}\n")
    assert faults == ()
    assert root is not None
    read = root.to_plain()["a"]
    assert read == value
    assert type(read) is type(value)


def test_line_ends_and_byte_order_marks_change_nothing() -> None:
    plain, _ = parse_spec(GOOD)
    for text in (
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        "\ufeff" + GOOD,
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
        GOOD.rstrip("\n"),
    ):
        spec, diagnostics = parse_spec(text)
        assert diagnostics == ()
        assert spec == plain
    bad = GOOD.replace(SEED, "  sede: 7\n")
    places = {
        tuple((found.line, found.column) for found in parse_spec(text)[1])
        for text in (bad, bad.replace("\n", "\r\n"), "\ufeff" + bad, bad.replace("\n", "\r\n").encode())
    }
    assert len(places) == 1


def test_the_place_of_a_wrong_byte_is_given() -> None:
    _, (found,) = parse_spec(b"spec: causalvae/v1\r\nname: caf\xe9\r\n")
    assert (found.line, found.column) == (2, 10)


def test_a_flood_of_faults_is_cut() -> None:
    text = GOOD + "".join(f"unknown_{i}: 1\n" for i in range(MAX_DIAGNOSTICS + 50))
    _, diagnostics = parse_spec(text)
    assert len(diagnostics) == MAX_DIAGNOSTICS + 1
    assert diagnostics[-1].code == "CV017"
    assert "50 more" in diagnostics[-1].message


def test_files_that_cannot_be_read_are_diagnostics(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path, "nul\0byte.yaml"):
        spec, (found,) = read_spec(path)
        assert spec is None
        assert found.code == "CV001"
        assert found.render()
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (3 * MAX_BYTES))
    spec, (found,) = read_spec(large)
    assert found.code == "CV003"
    assert f"{3 * MAX_BYTES:,}" in found.message


def test_a_long_cycle_needs_no_deep_stack() -> None:
    count = 1500
    edges = "".join(f"    - n{i} -> n{(i + 1) % count}\n" for i in range(count))
    names = ", ".join(f"n{i}" for i in range(count))
    text = GOOD.replace("    - scale -> area\n", edges).replace("[shape, scale, ", f"[{names}, shape, scale, ")
    _, diagnostics = parse_spec(text)
    cycle = next(found for found in diagnostics if found.code == "CV032")
    assert cycle.message.startswith("the graph has a cycle: n0 -> n1 -> n2 ->")
    assert cycle.message.endswith("more) -> n1499 -> n0")
    assert all(len(line) <= 80 for found in diagnostics for line in found.render().split("\n"))


def test_load_spec_raises_all_faults(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace(SEED, "  sede: 7\n").replace("  source: zoo", "  source: zo"))
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    error = caught.value
    assert error.exit_code == 2
    assert [found.code for found in error.diagnostics] == ["CV023", "CV020"]
    assert error.code == "CV023"
    assert str(path) in error.message
    assert "2 errors" in error.message
    assert all(code in str(error) for code in ("CV020", "CV023"))
