"""The page on worlds says what the code knows, and the examples that it names are sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from causalvae.spec import load_spec, load_train_spec, parse_spec
from causalvae.spec.expression import DISTRIBUTIONS, FUNCTIONS
from causalvae.spec.loader import parse_train_spec
from causalvae.spec.readout_section import READOUTS
from causalvae.spec.worlds import WORLDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/worlds.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("world", ["shapes", "tones"])
def test_every_variable_of_a_world_is_in_its_table(world: str) -> None:
    table = PAGE[PAGE.index(f"| {world} | default |") :].split("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    assert [name for row in rows for name in row] == [variable.name for variable in WORLDS[world]]
    defaults = [
        row.split("|")[2].strip() for row, names in zip(table.splitlines()[2:], rows, strict=True) for _ in names
    ]
    assert defaults == [
        variable.default if isinstance(variable.default, str) else f"{variable.default:g}" for variable in WORLDS[world]
    ]


def test_every_function_and_distribution_is_listed() -> None:
    for name in FUNCTIONS:
        assert re.search(rf"`{name}[(`]", PAGE), name
    for name, parameters in DISTRIBUTIONS.items():
        assert f"`{name}({', '.join(parameters)})`" in PAGE


def test_the_readouts_of_worlds_are_listed() -> None:
    table = PAGE[PAGE.index("| readout | keys |") :].split("\n\n")[0]
    listed = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    elsewhere = {"probe", "latent", "thickness", "intensity", "magnetisation", "alignment", "energy", "order"}
    assert listed == set(READOUTS.names) - elsewhere
    for row in table.splitlines()[2:]:
        keys = set(re.findall(r"`(\w+)`", row.split("|")[2]))
        for name in re.findall(r"`(\w+)`", row.split("|")[1]):
            assert set(READOUTS.get(name).model_fields) - {"readout"} <= keys


def test_the_page_s_first_model_is_sound() -> None:
    data = re.search(r"```yaml\n(data:.*?)```", PAGE, re.S)
    assert data is not None
    spec, faults = parse_spec(
        "spec: causalvae/v1\nname: page\nmodel: {source: zoo, weights: a.safetensors}\n" + data[1] + "graph:\n"
        "  factors: [size]\n  attributes: {area: {readout: area}}\n  edges: [size -> area]\n"
        "interventions:\n  - {name: grow, input: {factor: size, others: propagate, set: {to: 0.2}}}\n"
    )
    assert faults == () and spec is not None


@pytest.mark.parametrize(
    ("name", "trained"), [("shapes_scm", "shapes_vae"), ("shapes_hue", "shapes_hue"), ("pendulum", "pendulum_vae")]
)
def test_an_example_analyses_what_its_training_spec_trains(name: str, trained: str) -> None:
    spec = load_spec(ROOT / f"specs/{name}.yaml")
    training = load_train_spec(ROOT / f"specs/train/{trained}.yaml")
    drawn = {"samples", "seed"}
    assert spec.data.model_dump(exclude=drawn) == training.data.model_dump(exclude=drawn)
    assert training.name in spec.model.weights


def test_a_training_spec_s_model_is_checked_too() -> None:
    text = (ROOT / "specs/train/shapes_vae.yaml").read_text(encoding="utf-8").replace("0.03 * mood", "0.03 * moood")
    spec, (fault,) = parse_train_spec(text)
    assert spec is None and fault.code == "CV084" and fault.suggestion == "mood"
    assert fault.source[fault.column - 1 :].startswith("moood")
