"""Each fault is found, alone, at its line and column."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from causalvae.spec import Spec, check_spec, parse_spec
from causalvae.spec.codes import CODES
from causalvae.spec.data_section import DATA
from causalvae.spec.places import builtin_names
from causalvae.spec.yaml_tree import compose
from tests.fuzz.time_limit import time_limit
from tests.spec.faults import ALPHA, CIRCUIT, EDGES, EXPECT, FAULTS, GOOD, MARK, NULL, OUTCOME, RESIZE, Fault

WARNINGS = {"CV037", "CV074", "CV076", "CV077", "CV097"}
# Those of the file as a whole are met in test_text.py.
OF_THE_FILE = {"CV001", "CV002", "CV003", "CV005", "CV008", "CV009", "CV013", "CV017", "CV019"}
# Those of what is installed are met in test_registry.py.
INSTALLED = {"CV099"}


def test_the_good_spec_is_good() -> None:
    spec, diagnostics = parse_spec(GOOD)
    assert diagnostics == ()
    assert isinstance(spec, Spec)
    assert spec.mapping["scale"].components == ("latent[3]",)
    assert spec.hypotheses[0].null.samples == 200
    assert check_spec(spec) == ()


def test_there_is_a_bad_spec_for_every_code() -> None:
    assert {fault.code for fault in FAULTS} | OF_THE_FILE | INSTALLED == set(CODES)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
def test_a_fault_is_found_once_at_its_place(fault: Fault) -> None:
    spec, diagnostics = parse_spec(fault.text, "bad.yaml")
    assert [found.code for found in diagnostics] == [fault.code], [found.render() for found in diagnostics]
    found = diagnostics[0]
    assert (found.line, found.column) == fault.place
    assert found.source == fault.text.split("\n")[found.line - 1]
    assert found.file == "bad.yaml"
    is_warning = fault.code in WARNINGS or (fault.code == "CV071" and "mediation" in found.field)
    assert found.severity == ("warning" if is_warning else "error")
    assert (spec is None) == (found.severity == "error")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
def test_a_message_says_what_to_do_and_speaks_no_jargon(fault: Fault) -> None:
    _, (found,) = parse_spec(fault.text)
    assert found.expected or found.suggestion or fault.code == "CV028"
    said = f"{found.message} {found.expected}"
    for jargon in (
        "Input should",
        "pydantic",
        "validat",
        "ctx",
        "NoneType",
        "dictionary",
        "tuple",
        "str_type",
        "constrained",
    ):
        assert jargon not in said
    assert len(found.message) < 300


@pytest.mark.parametrize(
    ("code", "suggestion"),
    [
        ("CV020", "samples"),
        ("CV023", "zoo"),
        ("CV030", "scale"),
        ("CV041", "heart"),
        ("CV053", "scale"),
        ("CV054", "latent.mean"),
        ("CV061", "resize"),
        ("CV064", "0.6"),
        ("CV070", "area"),
    ],
)
def test_the_nearest_right_name_is_given(code: str, suggestion: str) -> None:
    fault = next(fault for fault in FAULTS if fault.code == code)
    _, (found,) = parse_spec(fault.text)
    assert found.suggestion == suggestion


def test_ten_faults_are_ten_diagnostics() -> None:
    edits = [
        ("name: dsprites-scale", "name: «dsprites scale"),
        ("  source: zoo", "  source: «zo"),
        ("  seed: 7", "  «sede: 7"),
        (EDGES, EDGES + "    - «scael -> area\n"),
        ("  scale: latent[3]", "  «sacle: latent[3]\n  scale: latent[3]"),
        (RESIZE, "    input: {factor: scale, set: {to: «0.55}}\n"),
        (OUTCOME, "    outcome: «aera\n"),
        (EXPECT, "      off_target: {at_most: «1}\n"),
        (NULL, "    null: {samples: «0}\n"),
        ("report: {formats: [html,", "report: {formats: [«pdf,"),
    ]
    marked = GOOD
    for old, new in edits:
        assert marked.count(old) == 1
        marked = marked.replace(old, new)
    places = [(number, _column(line)) for number, line in enumerate(marked.split("\n"), start=1) if MARK in line]
    spec, diagnostics = parse_spec(marked.replace(MARK, ""))
    assert spec is None
    assert [(found.line, found.column) for found in diagnostics] == places
    assert sorted(found.code for found in diagnostics) == sorted(
        ["CV025", "CV023", "CV020", "CV030", "CV053", "CV064", "CV070", "CV072", "CV024", "CV023"]
    )


def _column(line: str) -> int:
    return line.index(MARK) + 1


def test_faults_inside_a_part_that_is_broken_elsewhere_are_found_too() -> None:
    text = GOOD.replace("    circuit: [$scale]\n", "    circuit: $scale\n").replace(OUTCOME, "    outcome: aera\n")
    text = text.replace(NULL, "    null: {pairs: 3}\n").replace("    treatment: resize\n", "    treatment: resiez\n")
    _, diagnostics = parse_spec(text)
    assert [found.code for found in diagnostics] == ["CV061", "CV022", "CV070", "CV024"]


def test_a_fault_is_not_reported_again_by_what_rests_on_it() -> None:
    text = GOOD.replace("  factors: [shape, scale, orientation, x, y]\n", "  factors: 3\n")
    _, diagnostics = parse_spec(text)
    assert [found.code for found in diagnostics] == ["CV022"]


def test_a_misspelt_only_component_is_not_recommended_as_an_outcome() -> None:
    listed = "  factors: [shape, scale, orientation, x, y]\n"
    advice = []
    for only in ("centroid_x", "centroidy"):
        _, (found,) = parse_spec(GOOD.replace(listed, f"{listed}  vectors: {{position: [{only}]}}\n"))
        advice.append(found.expected)
    assert "Name 'centroid_x' itself" in advice[0]
    assert "centroidy" not in advice[1]


def test_every_missing_section_is_named_at_once() -> None:
    _, diagnostics = parse_spec("spec: causalvae/v1\n")
    assert [found.code for found in diagnostics] == ["CV021"] * 4
    assert {found.field for found in diagnostics} == {"name", "model", "data", "graph"}
    assert all("Add `" in found.expected for found in diagnostics)


def test_cycles_are_shown() -> None:
    text = GOOD.replace(EDGES, EDGES + "    - scale -> x\n    - x -> y\n    - y -> scale\n    - y -> x\n")
    _, diagnostics = parse_spec(text)
    assert [found.code for found in diagnostics] == ["CV032", "CV032"]
    assert "scale -> x -> y -> scale" in diagnostics[0].message
    assert "x -> y -> x" in diagnostics[1].message


def test_a_level_that_random_circuits_cannot_reach_is_refused_where_they_are_needed() -> None:
    def codes(alpha: float, circuit: str, null: str = NULL, expect: str = "") -> list[str]:
        text = GOOD.replace("    alpha: 0.05\n", f"    alpha: {alpha}\n").replace(NULL, null)
        text = text.replace("    circuit: [$scale]\n", f"    circuit: {circuit}\n")
        return [found.code for found in parse_spec(text.replace(EXPECT, EXPECT + expect))[1]]

    channels = '["decoder.convT1[0:3]"]'
    assert codes(0.0002, channels) == []
    assert codes(0.00019, channels) == ["CV073"]
    # Every other channel can be run, and every set of at most three of ten latents.
    assert codes(0.00001, '["decoder.convT1[4]"]') == []
    assert codes(0.00001, '["decoder.convT1[4:]"]') == ["CV073"]
    assert codes(0.00001, "['latent[0:3]']") == []
    assert codes(0.000004, "['latent[0:3]']") == ["CV073"]
    # 40 million counts over 10,000 pairs are 4,000 resamples; 512 samples make no more than 512 pairs.
    assert codes(0.0002, "['latent[0:3]']", "    null: {pairs: 10000}\n") == []
    assert codes(0.00001, "['latent[0:3]']", "    null: {pairs: 10000}\n") == ["CV073"]
    # The smaller of two p-values counts twice.
    assert codes(0.000008, "['latent[0:3]']") == []
    assert codes(0.000008, "['latent[0:3]']", expect="      necessity: {at_least: 0.5}\n") == ["CV073"]
    # Minimality is a comparison too, of circuits with several members.
    only_minimal = "      special: false\n      minimal: true\n"
    assert codes(0.000004, channels, expect=only_minimal) == ["CV073"]
    assert codes(0.000004, '["decoder.convT1[4]"]', expect=only_minimal) == []
    assert codes(0.00001, channels, "    null: {circuits: none}\n") == []
    assert codes(0.00001, channels, expect="      special: false\n") == []


def test_a_share_beyond_the_whole_is_fine_where_it_is_said_how_much_is_too_much() -> None:
    text = GOOD.replace("mediated_share: {at_least: 0.7}", "mediated_share: {at_least: 1.5, at_most: 3}")
    assert parse_spec(text)[1] == ()


def test_few_pairs_are_fine_where_nothing_is_claimed() -> None:
    text = GOOD.replace("  samples: 512\n", "  samples: 23\n")
    without = text[: text.index("hypotheses:")] + text[text.index("estimation:") :]
    assert parse_spec(without)[1] == ()
    assert parse_spec(GOOD.replace("  samples: 512\n", "  samples: 24\n"))[1] == ()


def test_a_checkpoint_says_how_many_latents_there_are() -> None:
    model = "  source: zoo\n  name: burgess\n  weights: builtin://dsprites-disentangled\n"
    for size, codes in ((12, []), (8, []), (6, ["CV052"])):
        text = GOOD.replace(model, f"  source: checkpoint\n  weights: w.pt\n  latent_dim: {size}\n")
        assert [found.code for found in parse_spec(text)[1]] == codes


def test_propagate_without_edges_among_factors_is_fine() -> None:
    text = GOOD.replace(RESIZE, "    input: {factor: scale, others: propagate}\n")
    assert parse_spec(text)[1] == ()
    elsewhere = text.replace(EDGES, EDGES + "    - x -> y\n")
    assert parse_spec(elsewhere)[1] == ()


def test_an_expectation_with_one_bound_that_can_fail_is_fine() -> None:
    assert parse_spec(GOOD.replace(EXPECT, "      off_target: {at_least: 0, at_most: 0.2}\n"))[1] == ()


@pytest.mark.parametrize(
    ("circuit", "null"),
    [
        ("[latent]", "{circuits: none}"),
        ("['latent[0:9]']", "{circuits: random}"),
        ("[latent, 'latent.mean[3]']", "{circuits: auto}"),
        ("[latent, encoder.conv1]", "{circuits: random}"),
    ],
)
def test_a_circuit_that_others_have_the_size_of_or_that_needs_none_is_fine(circuit: str, null: str) -> None:
    text = GOOD.replace("    circuit: [$scale]\n", f"    circuit: {circuit}\n").replace(NULL, f"    null: {null}\n")
    assert parse_spec(text)[1] == ()


def test_the_fewest_pairs_are_said_and_pass() -> None:
    without = GOOD[: GOOD.index("hypotheses:")] + GOOD[GOOD.index("estimation:") :]
    for text, old, new, least in (
        (without, "  samples: 512\n", "  samples: {}\n", 2),
        (GOOD, "{circuits: random, samples: 200}\n", "{{pairs: {}}}\n", 24),
    ):
        (found,) = parse_spec(text.replace(old, new.format(least - 1)))[1]
        assert f"{least} or more" in found.expected
        assert parse_spec(text.replace(old, new.format(least)))[1] == ()


def test_refuters_are_not_judged_by_interventions_that_cannot_be_read() -> None:
    text = GOOD.replace("mediation: {treatment: resize", "medaition: {treatment: resize")
    assert [found.code for found in parse_spec(text)[1]] == ["CV020"]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("{name: a, input: {factor: scale, set: swap}}", "`set: swap` swaps whole samples"),
        ("{name: a, input: {set: resample}}", "sets a factor, and none is named"),
        (
            "{name: a, latent: {components: latent, values: {sd: [1], codes: swap}}}",
            "'quantiles', 'sd', 'at' or 'codes'",
        ),
        (
            "{name: a, activation: {components: latent, from: b, mode: {noise: 1, resample: {given: x}}}}",
            "'noise' or 'resample'",
        ),
    ],
)
def test_keys_that_exclude_each_other_are_named(section: str, words: str) -> None:
    text = GOOD.replace("interventions:\n", f"interventions:\n  - {section}\n", 1)
    _, diagnostics = parse_spec(text)
    told = " ".join(" ".join(found.render() for found in diagnostics).split())
    assert words in told


def _renamed(value: Any, path: tuple[str | int, ...], name: str) -> Any:
    first, *rest = path
    if isinstance(value, list):
        return [_renamed(inner, tuple(rest), name) if index == first else inner for index, inner in enumerate(value)]
    if not rest:
        return {name if key == first else key: inner for key, inner in value.items()}
    return {key: _renamed(inner, tuple(rest), name) if key == first else inner for key, inner in value.items()}


def _keys(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str):
            yield (*path, key)
        yield from _keys(inner, (*path, key))


# Names that the spec itself gives: each mention of one that is misspelt where it is declared is a fault.
OWN = {("graph", "attributes", name) for name in ("area", "centroid_x", "centroid_y", "heart")}


def test_a_misspelt_key_is_one_error_at_its_place_with_the_right_name() -> None:
    root, _ = compose(GOOD)
    assert root is not None
    plain = root.to_plain()
    tried = 0
    for path in _keys(plain):
        key = str(path[-1])
        if len(key) < 4 or path in OWN:
            continue
        typo = key[:-2] + key[-1]
        text = json.dumps(_renamed(plain, path, typo), indent=1)
        spec, diagnostics = parse_spec(text)
        errors = [found for found in diagnostics if found.severity == "error"]
        assert spec is None
        assert [(found.code in ("CV020", "CV053"), found.suggestion) for found in errors] == [(True, key)], path
        assert typo in errors[0].source
        tried += 1
    assert tried > 60


def test_what_a_misspelt_key_holds_is_checked_and_placed_where_it_stands() -> None:
    text = GOOD.replace("  edges:\n    - scale -> area\n", "  eges:\n    - scale -> none\n")
    _, diagnostics = parse_spec(text)
    assert [(found.code, found.field) for found in diagnostics] == [
        ("CV020", "graph.eges"),
        ("CV030", "graph.eges[0]"),
    ]
    assert diagnostics[1].source == "    - scale -> none"


def test_a_factor_that_is_misspelt_where_it_is_declared_is_one_error() -> None:
    _, (found,) = parse_spec(GOOD.replace("factors: [shape, scale,", "factors: [shape, sclae,"))
    assert (found.code, found.suggestion, found.source) == (
        "CV034",
        "scale",
        "  factors: [shape, sclae, orientation, x, y]",
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # What is left out shows from the keys beside it, or all that fit are named.
        ("  source: zoo\n", "", "Add `source: NAME`, where NAME is 'checkpoint' or 'zoo'."),
        ("  source: zoo\n  weights: builtin://dsprites-disentangled\n  name: burgess\n",
         "  factory: a:b\n  latent_dim: 2\n", "Add `source: python`."),
        ("  source: zoo\n", "  source: checkpoint\n  factory: a:b\n  hidden: [3]\n", None),
        ("  weights: builtin://dsprites-disentangled\n", "", "Add `weights: FILE`."),
        ("  source: dsprites\n", "  path: pictures\n  colour: true\n", "Add `source: images`."),
    ],
)  # fmt: skip
def test_what_is_missing_is_not_guessed(old: str, new: str, said: str | None) -> None:
    model = GOOD[GOOD.index("model:") : GOOD.index("data:")]
    text = GOOD.replace(model, "model:\n  source: zoo\n  weights: builtin://dsprites-disentangled\n  name: burgess\n")
    assert old in text
    _, diagnostics = parse_spec(text.replace(old, new))
    missing = [found for found in diagnostics if found.code == "CV021"]
    assert [found.expected for found in missing] == ([] if said is None else [said])


def test_remedies_name_weights_that_ship_and_lists_are_whole() -> None:
    _, diagnostics = parse_spec("spec: causalvae/v1\nname: x\n")
    told = " ".join(found.expected for found in diagnostics)
    assert f"builtin://{builtin_names()[0]}" in told
    _, diagnostics = parse_spec(GOOD.replace("source: dsprites", "source: dsprties"))
    (found,) = [found for found in diagnostics if found.code == "CV023"]
    assert all(f"'{source}'" in found.expected for source in DATA.names)
    _, (found,) = parse_spec(GOOD + "zzz: 1\n")
    assert " more" not in found.expected and "'variants'" in found.expected


def test_data_without_factors_needs_no_list_of_them() -> None:
    text = GOOD[: GOOD.index("graph:")] + (
        "graph: {attributes: {first: {readout: latent, index: 0}}}\n"
        "interventions:\n"
        "  - {name: i, input: {set: swap}}\n"
        "  - {name: j, latent: {components: latent, values: {at: [-1, 1]}}}\n"
    )
    text = text.replace("source: dsprites", "source: images\n  path: pictures")
    spec, diagnostics = parse_spec(text)
    assert diagnostics == ()
    assert spec is not None and spec.graph.factors == {}


def test_remedies_use_the_names_of_the_spec() -> None:
    graph = GOOD[GOOD.index("graph:") :]
    text = GOOD.replace(graph, "graph: {attributes: {glow: {readout: mean}}}\n")
    text = text.replace("source: dsprites", "source: images\n  path: pictures")
    _, (found,) = parse_spec(text)
    assert found.code == "CV074" and "input: {set: swap}" in found.expected
    text += "interventions: [{name: i, latent: {components: $hue}}]\n"
    _, (found,) = parse_spec(text)
    assert found.code == "CV051" and "{hue: latent[3]}" in found.expected
    text = text.replace("$hue", "latent") + "estimation: {refute: [placebo]}\n"
    _, (found,) = parse_spec(text)
    assert found.code == "CV077" and "outcomes: [glow]}}`" in found.expected


def test_sets_of_many_latents_are_not_counted_one_by_one() -> None:
    """Half a million of a million latents have more sets than can be counted, and few of them are run."""
    model = "  source: zoo\n  name: burgess\n  weights: builtin://dsprites-disentangled\n"
    text = GOOD.replace(model, "  source: checkpoint\n  weights: w.pt\n  latent_dim: 1000000\n")
    text = text.replace(CIRCUIT, "    circuit: ['latent[0:500000]']\n").replace(ALPHA, "    alpha: 1.0e-5\n")
    with time_limit(60, TimeoutError("sets are counted")):
        assert "CV073" in [found.code for found in parse_spec(text)[1]]
