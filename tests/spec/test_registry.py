"""Kinds are found by name, imported when a spec names them, and may come from other distributions."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest

from causalvae.data.dsprites import SPACE
from causalvae.plan.compile import compile_spec
from causalvae.plan.types import Treatment
from causalvae.report.analysis_view import views_of
from causalvae.report.json_report import from_json_dict, to_json_dict
from causalvae.results import UnreadResult
from causalvae.spec import Spec, load_spec, parse_spec, registry
from causalvae.spec.analysis import ANALYSES
from causalvae.spec.architecture_section import ARCHITECTURES
from causalvae.spec.data_section import DATA
from causalvae.spec.families import distributions_of, measuring_distributions
from causalvae.spec.intervention_section import LEVELS
from causalvae.spec.jsonschema import json_schema, json_schema_text
from causalvae.spec.model_section import MODELS
from causalvae.spec.objective_section import OBJECTIVES
from causalvae.spec.readout_section import READOUTS
from causalvae.spec.registry import OWN, BrokenKind, Registry
from causalvae.spec.resolved import write_resolved
from causalvae.spec.value_source import VALUES
from tests.plan.small_network import COMPONENTS, DOCUMENT
from tests.report.synthetic_results import build_results
from tests.spec.faults import AREA, GOOD

ROOT = Path(__file__).parents[2]
FAMILIES = {READOUTS: "readout", DATA: "source", OBJECTIVES: "name", ARCHITECTURES: "architecture", MODELS: "source"}
KIND = """
from typing import ClassVar, Literal
from pydantic import Field
from causalvae.spec.model_section import MODELS
from causalvae.spec.objective_section import OBJECTIVES
from causalvae.spec.readout_section import ReadoutSection

class Darkness(ReadoutSection):
    '''How dark pictures are.'''
    kind: ClassVar[str] = "NAME"
    readout: Literal["NAME"]
    gain: float = Field(default=1.0, description="A factor.")

    def build(self, attribute, data, columns):
        from causalvae.readouts.output import OutputReadout
        gain = self.gain
        return OutputReadout(attribute, "NAME", "", None, lambda f: gain * (1 - f.images.double().amax((1, 2, 3))))
"""

ANALYSIS = """
from dataclasses import dataclass
from typing import ClassVar
from causalvae.spec.analysis import Analysis

@dataclass(frozen=True)
class Count:
    found: int

class Counting(Analysis):
    '''Counts things.'''
    kind: ClassVar[str] = "NAME"
    things: tuple[int, ...] = ()

    @staticmethod
    def result_type():
        return Count

    def estimate(self, session, context, measured):
        return Count(len(self.things))

    @staticmethod
    def view(result):
        raise AssertionError
"""

SHIFT = """
from dataclasses import dataclass
from causalvae.spec.value_source import ValueSource

@dataclass(frozen=True)
class Shift(ValueSource):
    '''Its own value and a shift.'''
    kind = "NAME"
    keys = ("mode",)
    settings = float
    estimates = "shifts"
    times: float = 1.0

    @classmethod
    def written(cls, settings, seed):
        return cls(1.0 if settings is None else settings, times=3.0)

    def compute(self, runs):
        return runs.own + self.times * self.number
"""

LEVEL = """
from typing import ClassVar
from causalvae.spec.intervention_section import InputLevel
from causalvae.spec.section import Name

class Redraw(InputLevel):
    '''Another level of a factor, in the order of drawing.'''
    kind: ClassVar[str] = "NAME"
    factor: Name

    @property
    def treated_factor(self):
        return self.factor

    def treatment(self, name, space):
        from causalvae.plan.treatments import redrawn
        return redrawn(name, self.factor, "hold", space)

    def estimate(self, context, owner, checks):
        return []
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Makes distributions of one module with one readout each."""

    def forget() -> None:
        registry._installed.cache_clear()
        for family in (*FAMILIES, ANALYSES, VALUES, LEVELS):
            vars(family).pop("entries", None)
            family._loaded.clear()

    def make(
        distribution: str, name: str, code: str = KIND, attribute: str = "Darkness", group: str = "readouts"
    ) -> None:
        folder = tmp_path / distribution
        (folder / f"{distribution}-1.0.dist-info").mkdir(parents=True)
        (folder / f"{distribution}.py").write_text(code.replace("NAME", name))
        (folder / f"{distribution}-1.0.dist-info" / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.0\n")
        (folder / f"{distribution}-1.0.dist-info" / "entry_points.txt").write_text(
            f"[causalvae.{group}]\n{name} = {distribution}:{attribute}\n"
        )
        monkeypatch.delitem(sys.modules, distribution, raising=False)
        monkeypatch.syspath_prepend(str(folder))
        forget()

    yield make
    monkeypatch.undo()
    forget()


def with_readout(text: str) -> str:
    return GOOD.replace(AREA, AREA + f"    extra: {text}\n")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.noun)
def test_every_shipped_kind_keeps_to_its_contract(family: Registry) -> None:
    for name, (entry,) in family.entries.items():
        if entry.origin == OWN:
            kind = family.get(name)
            assert kind.summary().endswith("."), name
            assert get_args(kind.model_fields[FAMILIES[family]].annotation) == (name,)
            # A type that is imported for the type checker alone fails here and not in a user's run.
            kind.model_rebuild(force=True)


@pytest.mark.parametrize(
    ("spec", "kinds"),
    [
        ("specs/dsprites_scale.yaml", ["data.kinds.dsprites", "models.kinds.zoo", "readouts.kinds.area"]),
        ("examples/quantum/analyse.yaml", ["models.kinds.zoo"]),
    ],
)
def test_validation_imports_the_named_kinds_alone_and_no_heavy_library(spec: str, kinds: list[str]) -> None:
    code = (
        f"import sys, json; from causalvae.spec import load_spec; load_spec('{spec}');"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)
    assert not {"torch", "pandas", "sklearn", "scipy"} & set(loaded)
    found = [name.removeprefix("causalvae.") for name in loaded if ".kinds." in name]
    assert [name for name in found if name != "readouts.kinds.centroid"] == kinds


def test_validation_imports_the_sections_of_named_levels_alone() -> None:
    code = (
        "import sys; from causalvae.spec import load_spec; load_spec(sys.argv[1]).digest;"
        "print(*sorted(name for name in sys.modules if name.startswith('causalvae.interventions.')))"
    )
    spec = ROOT / "specs" / "shapes_hue.yaml"
    levels = {item.level.kind for item in load_spec(spec).interventions}
    done = subprocess.run([sys.executable, "-c", code, spec], cwd=ROOT, capture_output=True, check=True, text=True)
    loaded = {name.removeprefix("causalvae.interventions.") for name in done.stdout.split()}
    assert {name.partition(".")[0] for name in loaded} == levels < {*LEVELS.own}
    assert not {part for name in loaded for part in name.split(".")[1:]} - {"section", "checks", "route"}


def test_no_kind_imports_a_heavy_library() -> None:
    code = (
        "import sys; from causalvae.spec.families import FAMILIES; print(sum(len(f.usable()) for f in FAMILIES));"
        "print(sorted({'torch', 'numpy', 'pandas', 'sklearn', 'scipy', 'networkx', 'dowhy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    count, heavy = done.stdout.splitlines()
    assert int(count) > 50 and heavy == "[]"


def test_results_are_shown_without_torch() -> None:
    """A report is rendered again without what measured it."""
    code = (
        "import sys; from importlib import import_module; from causalvae.spec.analysis import ANALYSES;"
        "[import_module(f'causalvae.analyses.{name}.view') for name in ANALYSES.own];"
        "[ANALYSES.get(name).result_type() for name in ANALYSES.own]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    assert done.stdout == "False\n"


def test_a_kind_of_another_distribution_is_like_ours(install: Install) -> None:
    install("dark_kinds", "darkness")
    spec, faults = parse_spec(with_readout("{readout: darkness, gain: 2.0}"))
    assert faults == () and isinstance(spec, Spec)
    section = spec.graph.attributes["extra"]
    assert section.model_dump() == {"readout": "darkness", "gain": 2.0}
    assert spec.digest != parse_spec(with_readout("{readout: darkness}"))[0].digest
    assert parse_spec(with_readout("{readout: darknes}"))[1][0].suggestion == "darkness"
    assert "gain" in parse_spec(with_readout("{readout: darkness, gian: 2.0}"))[1][0].expected
    assert "Darkness" in json_schema()["$defs"]
    assert "Darkness" not in json_schema_text()

    assert distributions_of(spec) == {"dark_kinds": "1.0"}
    assert "dark_kinds" in registry.distributions_in_use()

    import torch

    from causalvae.readouts import build_readouts

    readout = build_readouts({"extra": section})["extra"]
    assert readout(torch.zeros(3, 1, 4, 4)).tolist() == [2.0, 2.0, 2.0]


def test_two_distributions_of_one_kind_are_both_named(install: Install) -> None:
    install("dark_kinds", "darkness")
    install("night_kinds", "darkness")
    _, (fault,) = parse_spec(with_readout("{readout: darkness}"))
    assert fault.code == "CV099" and "dark_kinds" in fault.message and "night_kinds" in fault.message
    assert fault.source[fault.column - 1 :].startswith("darkness")
    assert parse_spec(GOOD)[1] == ()


def test_a_distribution_cannot_replace_a_kind_of_ours(install: Install) -> None:
    install("area_kinds", "extent")
    _, (fault,) = parse_spec(with_readout("{readout: extent, axis: major}"))
    assert fault.code == "CV099" and OWN in fault.message and "area_kinds" in fault.message
    assert parse_spec(GOOD)[1] == ()


@pytest.mark.parametrize(
    ("code", "attribute", "said"),
    [
        ("raise RuntimeError('no such library')", "Darkness", "no such library"),
        (KIND, "Missing", "Missing"),
        (KIND.replace('kind: ClassVar[str] = "NAME"', 'kind: ClassVar[str] = "other"'), "Darkness", "kind = 'broken'"),
        (KIND.replace("(ReadoutSection)", ""), "Darkness", "ReadoutSection"),
        (KIND.replace("def build", "def built"), "Darkness", "does not define build"),
    ],
)
def test_a_broken_distribution_fails_the_specs_that_name_it(
    install: Install, code: str, attribute: str, said: str
) -> None:
    install("broken_kinds", "broken", code, attribute)
    _, (fault,) = parse_spec(with_readout("{readout: broken}"))
    assert fault.code == "CV099" and "broken_kinds" in fault.message and said in fault.message and fault.expected
    assert parse_spec(GOOD)[1] == ()
    with pytest.warns(UserWarning, match="broken_kinds"):
        assert "AreaReadout" in json_schema()["$defs"]
    with pytest.raises(BrokenKind):
        READOUTS.get("broken")


def test_a_key_beside_the_others_names_an_analysis(install: Install) -> None:
    before = parse_spec(GOOD)[0]
    install("counting_kinds", "counting", ANALYSIS, "Counting", "analyses")
    spec, faults = parse_spec(GOOD + "counting: {things: [1, 2]}\n")
    assert faults == () and isinstance(spec, Spec) and isinstance(before, Spec)
    assert spec.analyses["counting"].model_dump() == {"things": (1, 2)}
    assert distributions_of(spec) == {"counting_kinds": "1.0"}
    # What is installed and not named changes nothing, nor does a key that is left empty.
    assert {parse_spec(GOOD + text)[0].digest for text in ("", "counting:\n")} == {before.digest}
    assert len({parse_spec(GOOD + f"counting: {text}\n")[0].digest for text in ("{}", "{things: [1]}")}) == 2
    again, faults = parse_spec(write_resolved(spec))
    assert faults == () and again == spec and again.digest == spec.digest
    assert spec.model_copy(update={"name": "other"}).analyses == spec.analyses
    assert set(json_schema()["properties"]["counting"]["anyOf"][0]["properties"]) == {"things"}
    assert "counting" not in json.loads(json_schema_text())["properties"]


def test_faults_of_an_analysis_are_found_beside_others(install: Install) -> None:
    install("counting_kinds", "counting", ANALYSIS, "Counting", "analyses")
    text = GOOD.replace("graph:", "counting: {thing: [1]}\ngrahp:", 1)
    assert [(fault.code, fault.suggestion) for fault in parse_spec(text)[1]] == [
        ("CV020", "things"),
        ("CV020", "graph"),
    ]
    (fault,) = parse_spec(GOOD + "counting: {things: [1, x]}\n")[1]
    assert (fault.code, fault.field) == ("CV022", "counting.things[1]") and fault.source[fault.column - 1] == "x"
    (fault,) = parse_spec(GOOD + "counting: 3\n")[1]
    assert (fault.code, fault.field) == ("CV022", "counting")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_of_that_name", "nothing_of_that_name"),
        (ANALYSIS.replace("def view", "def show"), "does not define view"),
    ],
)
def test_a_broken_analysis_fails_the_specs_that_name_it(install: Install, code: str, said: str) -> None:
    install("broken_kinds", "counting", code, "Counting", "analyses")
    (fault,) = parse_spec(GOOD + "counting: {}\n")[1]
    assert fault.code == "CV099" and said in fault.message and fault.source[fault.column - 1 :].startswith("{}")
    assert parse_spec(GOOD)[1] == ()


def test_an_analysis_cannot_take_the_name_of_a_section(install: Install) -> None:
    install("counting_kinds", "alignment", ANALYSIS, "Counting", "analyses")
    spec, faults = parse_spec(GOOD)
    assert faults == () and isinstance(spec, Spec) and spec.analyses == {} and spec.alignment.alpha == 0.05
    with pytest.warns(UserWarning, match=r"'alignment' of counting_kinds cannot be used: every spec has a key"):
        assert "Counting" not in json.dumps(json_schema())


def test_results_are_read_where_their_analysis_is_missing(install: Install) -> None:
    install("counting_kinds", "counting", ANALYSIS, "Counting", "analyses")
    count = ANALYSES.get("counting").result_type()
    plain = json.loads(json.dumps(to_json_dict(replace(build_results(), analyses={"counting": count(3)}))))
    assert plain["analyses"] == {"counting": {"found": 3}}
    assert from_json_dict(plain).analyses == {"counting": count(3)}
    other = plain | {"analyses": {"counting": {"lost": 3}, "gone": {"found": 3}}}
    results = from_json_dict(other)
    assert all(isinstance(result, UnreadResult) for result in results.analyses.values())
    assert to_json_dict(results)["analyses"] == other["analyses"]
    views = views_of(results.analyses)
    assert "another form" in views[0].sections[0].lead and "no installed distribution" in str(views[1].terminal)


def test_a_level_of_another_distribution_is_a_treatment(install: Install) -> None:
    before = Spec.model_validate(DOCUMENT)
    install("redraw_kinds", "redraw", LEVEL, "Redraw", "interventions")
    assert Spec.model_validate(DOCUMENT).digest == before.digest
    document = copy.deepcopy(DOCUMENT)
    document["interventions"][0] = {"name": "resize", "redraw": {"factor": "scale"}}
    spec = Spec.model_validate(document)
    assert distributions_of(spec) == {"redraw_kinds": "1.0"} and spec.digest != before.digest
    again = Spec.model_validate(spec.model_dump(mode="json", by_alias=True))
    assert again == spec and again.digest == spec.digest
    cohort = compile_spec(spec, COMPONENTS, SPACE).cohort("resize")
    assert cohort.treatment == Treatment("resize", "scale", None, "hold", "as_drawn")
    # Others take its pairs: the sweep, the mediation and the hypotheses of this spec name it.
    owners = {use.owner.name for use in compile_spec(spec, COMPONENTS, SPACE).uses if use.role == "sweep"}
    assert "channels" in owners
    assert "Redraw" in json_schema()["$defs"] and "Redraw" not in json.loads(json_schema_text())["$defs"]


def test_faults_of_levels_are_told_with_those_that_are_installed(install: Install) -> None:
    install("redraw_kinds", "redraw", LEVEL, "Redraw", "interventions")
    item = "interventions:\n  - {name: extra, %s}\n"
    for written, code, said in (
        ("redraw: {factor: scale, input: {}}", "CV020", "input"),
        ("redraw: {factor: scale}, input: {factor: scale}", "CV028", "input and redraw given"),
        ("redaw: {factor: scale}", "CV020", "redaw"),
    ):
        faults = parse_spec(GOOD.replace("interventions:\n", item % written, 1))[1]
        assert code in {fault.code for fault in faults}, written
        assert any(said in fault.message for fault in faults), written


def test_a_value_source_of_another_distribution_is_like_ours(install: Install) -> None:
    from tests.plan.test_ablations import compiled, sources

    install("shifting", "shift", SHIFT, "Shift", "values")

    def with_mode(mode: str) -> str:
        return GOOD.replace("mode: interchange", f"mode: {mode}")

    plain, set_to = (parse_spec(with_mode(mode)) for mode in ("shift", "{shift: 0.5}"))
    assert plain[1] == set_to[1] == () and isinstance(set_to[0], Spec)
    assert plain[0].digest != set_to[0].digest
    assert distributions_of(set_to[0]) == measuring_distributions(set_to[0]) == {"shifting": "1.0"}
    assert measuring_distributions(parse_spec(GOOD)[0]) == {}
    assert parse_spec(with_mode("shfit"))[1][0].suggestion == "shift"
    assert parse_spec(with_mode("{shfit: 1}"))[1][0].suggestion == "shift"
    assert [found.code for found in parse_spec(with_mode("{shift: far}"))[1]] == ["CV022"]
    assert "shift" in json.dumps(json_schema()) and "shift" not in json_schema_text().split()

    plans = {mode: compiled(mode) for mode in ("mean", "shift")}
    (found,) = set(sources(plans["shift"]))
    assert found == VALUES.get("shift").written(None, 0)
    # All fields of a source, its kind and the version of its distribution tell tables apart.
    assert asdict(found) == {
        "kind": "shift", "value": 1.0, "seed": None, "given": None, "joint": None, "upstream": (), "times": 3.0,
    }  # fmt: skip
    assert plans["mean"].measures != plans["shift"].measures


def test_a_value_source_that_computes_nothing_is_refused(install: Install) -> None:
    install("idle", "idle", SHIFT.replace("compute", "computes"), "Shift", "values")
    _, found = parse_spec(GOOD.replace("mode: interchange", "mode: idle"))
    assert [fault.code for fault in found] == ["CV099"]
    assert "does not define compute" in found[0].message
