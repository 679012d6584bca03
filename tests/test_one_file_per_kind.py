"""A kind is one file: no other module of the package decides by its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from causalvae.spec.analysis import ANALYSES
from causalvae.spec.families import FAMILIES
from causalvae.spec.intervention_section import LEVELS
from causalvae.spec.quantity import QUANTITIES
from causalvae.spec.registry import OWN, Registry

# Quantities share their names with what arms are for, such as necessity; an analysis and a level are folders.
COUNTED = tuple(family for family in FAMILIES if family not in (QUANTITIES, ANALYSES, LEVELS))
PACKAGE = Path(__file__).parents[1] / "causalvae"
_TESTS = ("startswith", "endswith", "removeprefix", "removesuffix", "get")

# Where the same word is something else, or data say under a readout's name what it should find.
ELSEWHERE = {
    # What drawn data know of their samples.
    "area": {"data/dsprites.py", "data/shapes_world.py"},
    "orientation": {"data/dsprites.py", "data/shapes_world.py"},
    "brightness": {"data/shapes_world.py"},
    "hue": {"data/shapes_world.py"},
    "saturation": {"data/shapes_world.py"},
    "loudness": {"data/tones.py"},
    "pitch": {"data/tones.py", "data/scm_checks.py"},
    "spectral_centroid": {"data/tones.py"},
    "intensity": {"data/files/morphomnist.py"},
    "thickness": {"data/files/morphomnist.py"},
    "pendulum": {"data/pendulum.py"},
    # Scores of disentanglement that are named after objectives.
    "beta_vae": {"spec/measures.py"},
    "factor_vae": {"disentanglement/scoring.py", "spec/measures.py"},
    # What a factor of the input is set to, or a discovery holds candidates at; a unit.
    "resample": {
        "analyses/discoveries/section.py",
        "analyses/discoveries/words.py",
        "interventions/input/checks.py",
        "interventions/input/plan.py",
        "interventions/input/section.py",
    },
    "sd": {"effects/scale.py", "report/tables.py", "report/verdict_words.py", "spec/schema.py"},
    # Keys of what counterfactuals are compared with, and columns of tables; the output's activation function.
    "input": {
        "analyses/counterfactuals/estimate.py",
        "analyses/counterfactuals/measure.py",
        "analyses/counterfactuals/view.py",
        "engine/observed_columns.py",
    },
    "activation": {"models/own_network.py"},
    # The section that a found circuit of edges is pasted into a spec as.
    "mediation": {"analyses/discoveries/words.py"},
    # The key that names the column of a factor.
    "column": {"spec/file_section.py"},
    # A method of gadjid.
    "optimal": {"alignment/identification.py"},
    # A format of weights that holds this one network.
    "burgess": {"models/checkpoint_source.py"},
    # What a discovery may hold candidates at.
    "interchange": {"analyses/discoveries/section.py", "analyses/discoveries/words.py"},
    # Distributions that doctor lists, keys of facts, formats of files.
    "diffusers": {"cli/doctor.py", "models/diffusers_source.py"},
    "pythae": {"cli/doctor.py"},
    "python": {"cli/doctor.py", "facts.py"},
    "checkpoint": {"models/torch_file.py"},
    # A fact about networks of torch.compile.
    "compiled": {"models/loading.py", "models/own_network.py"},
    "csv": {"study/write.py"},
}
# Words of the whole package: a latent, a mean, images.
COMMON = {"latent", "mean", "images"}


def decided_by(tree: ast.AST) -> Iterator[str]:
    """Texts that code compares with, looks up or matches; not those that it shows."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            parts: list[ast.AST] = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        elif isinstance(node, ast.Dict):
            parts = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Subscript):
            parts = [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TESTS:
            parts = list(node.args)
        elif isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            parts = [node.value] if getattr(target, "id", "") == "kind" else []
        else:
            continue
        for part in parts:
            yield from (
                inner.value
                for inner in ast.walk(part)
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
            )


@pytest.fixture(scope="module")
def occurrences() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for text in decided_by(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(text, set()).add(path.relative_to(PACKAGE).as_posix())
    return found


def test_what_code_decides_by_is_found() -> None:
    code = "if a == 'b': pass\nc = {'d': 1}\nx['e']\nx.get('f')\nmatch y:\n    case 'g': pass\nprint('h')\n"
    assert sorted(decided_by(ast.parse(code))) == ["b", "d", "e", "f", "g"]


@pytest.mark.parametrize("family", COUNTED, ids=lambda family: family.noun)
def test_each_kind_occurs_in_one_module(family: Registry, occurrences: dict[str, set[str]]) -> None:
    own = [name for name, (entry,) in family.entries.items() if entry.origin == OWN]
    assert len(own) > 5
    for name in set(own) - COMMON:
        module = family.entries[name][0].module.removeprefix("causalvae.").replace(".", "/") + ".py"
        assert occurrences[name] == {module} | ELSEWHERE.get(name, set()), name


@pytest.mark.parametrize("name", ANALYSES.own)
def test_an_analysis_occurs_in_its_folder(name: str, occurrences: dict[str, set[str]]) -> None:
    assert {path.rpartition("/")[0] for path in occurrences[name]} == {f"analyses/{name}"}


@pytest.mark.parametrize("name", sorted({*LEVELS.own} - COMMON))
def test_a_level_of_an_intervention_occurs_in_its_folder(name: str, occurrences: dict[str, set[str]]) -> None:
    found = occurrences[name] - ELSEWHERE.get(name, set())
    assert {path.rpartition("/")[0] for path in found} == {f"interventions/{name}"}


def test_kinds_of_other_distributions_occur_in_none(occurrences: dict[str, set[str]]) -> None:
    foreign = {name for family in COUNTED for name, (entry,) in family.entries.items() if entry.origin != OWN}
    # The section of the spec, and the order of columns.
    assert not foreign & occurrences.keys() - {"alignment", "order"}
