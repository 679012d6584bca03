"""The test of found circuits: rivals among all candidates, none of an empty circuit, Holm over those of a spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import causalvae
from causalvae.analyses.discoveries import Discoveries
from causalvae.analyses.discoveries.circuit_effects import CircuitEffects
from causalvae.analyses.discoveries.discover import open_search
from causalvae.analyses.discoveries.drawing import draw_circuit
from causalvae.analyses.discoveries.equivalents import find_equivalents
from causalvae.analyses.discoveries.findings import Discovered, Discovery
from causalvae.analyses.discoveries.measure import find_circuits
from causalvae.analyses.discoveries.network_runs import NetworkRuns
from causalvae.analyses.discoveries.search import Target
from causalvae.analyses.discoveries.section import SoughtCircuit
from causalvae.analyses.discoveries.trial import weigh_circuit
from causalvae.analyses.discoveries.view import view_discoveries
from causalvae.analyses.discoveries.words import alike_words
from causalvae.effects.bootstrap import paired_bootstrap
from causalvae.engine.runner import PlanRunner
from causalvae.models.components import ComponentRef
from causalvae.models.loading import Model
from causalvae.plan.types import Cohort, Options, Plan, Treatment
from causalvae.report.blocks import Prose
from causalvae.spec.loader import parse_spec
from causalvae.spec.schema import Spec
from tests.analyses.discoveries.test_compiled import TEXT, find
from tests.engine.conftest import Blobs

PAIRS = 40


def spec_of(text: str) -> tuple[Spec, Discoveries]:
    spec, diagnostics = parse_spec(text)
    assert spec is not None, diagnostics
    settings = spec.analyses["discoveries"]
    assert isinstance(settings, Discoveries)
    return spec, settings


OR = TEXT % ("or", 0, "uniform(0, 1)", 0, 0.8, "latents")


def runs_of(
    candidates: tuple[ComponentRef, ...], model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor]
) -> NetworkRuns:
    cohort = Cohort("resize", PAIRS, 5, Treatment("resize", "scale", None, "hold", "increase"))
    plan = Plan(
        "small", "", "", (cohort,), (), (), ("area", "linear", "bent"), batch_rows=64,
        options=Options("suffix", True, True, True),
    )  # fmt: skip
    runner = PlanRunner(plan, model, blobs, measure, torch.device("cpu"))
    return NetworkRuns(runner, "resize", candidates, "bent")


@pytest.mark.parametrize("members", [[0], [1, 4], [0, 1]])
def test_rivals_are_the_other_candidates_where_windows_give_two_of_them_one_unit(
    members: list[int], mean_model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor]
) -> None:
    windows = (((0, 6), (0, 6)), ((6, 12), (6, 12)))
    # In the order of a search: by unit, then by window.
    candidates = tuple(ComponentRef("decoder.convT1", (unit,), window) for unit in range(3) for window in windows)
    runs = runs_of(candidates, mean_model, blobs, measure)
    circuit = np.isin(np.arange(6), members)
    sought = SoughtCircuit(name="found", treatment="resize", outcome="bent", candidates="channels")
    spec, _ = spec_of(OR)
    bootstrap = paired_bootstrap(PAIRS, 200, 0.95, 0)
    evidence = weigh_circuit(runs, circuit, sought, spec, runs(circuit[None]), bootstrap, (sought,))
    assert evidence is not None and evidence.rivals is not None
    sets = np.array([[bool(number >> k & 1) for k in range(6)] for number in range(1, 64)])
    others = [one for one in sets if one.sum() <= len(members) and (one != circuit).any()]
    assert evidence.rivals.count == len(others)
    np.testing.assert_allclose(sorted(evidence.rivals.errors), np.sort(runs(np.stack(others)).error), rtol=1e-4)
    assert {ref for best in evidence.rivals.best for ref in best.circuit} <= set(candidates)
    parts = evidence.minimality
    if len(members) > 1:
        # Without a member its own loss is told, also where the other one has the same unit.
        assert parts is not None
        without = [runs((circuit & (np.arange(6) != member))[None]).error[0] for member in members]
        whole = runs(circuit[None]).error[0]
        found = {loss.member: loss.loss for loss in parts.members}
        for member, error in zip(members, without, strict=True):
            assert found[candidates[member]] == pytest.approx(error - whole, abs=1e-4)


def test_random_rivals_suffice_for_the_correction_over_all_circuits(
    mean_model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor]
) -> None:
    sites = ("encoder.lin1", "decoder.lin1")
    candidates = tuple(ComponentRef(site, (unit,)) for site in sites for unit in range(16))
    runs = runs_of(candidates, mean_model, blobs, measure)
    circuit = np.arange(32) % 16 < 4
    sought = SoughtCircuit(name="found", treatment="resize", outcome="bent", candidates="units")
    spec, _ = spec_of(OR)
    bootstrap = paired_bootstrap(PAIRS, 200, 0.95, 0)
    for family, count in ((1, 200), (15, 299)):
        evidence = weigh_circuit(runs, circuit, sought, spec, runs(circuit[None]), bootstrap, (sought,) * family)
        assert evidence is not None and evidence.rivals is not None
        assert (evidence.rivals.kind, evidence.rivals.count) == ("random", count)


def test_an_empty_circuit_has_no_verdict_and_no_hypothesis() -> None:
    # 0.2 of the effect flows past the latents.
    found, _ = find("direct_path", target=0.1)
    assert found.circuit == ()
    assert found.verdict is None
    view = view_discoveries(Discovered((found,)))
    told = [block.text for section in view.sections for block in section.blocks if isinstance(block, Prose)]
    lines = [part for part in view.terminal if isinstance(part, str)]
    for texts in (told, lines):
        assert sum("The circuit is empty" in text for text in texts) == 1
        assert not any("hypotheses:" in text or "circuit: []" in text or "- {" in text for text in texts)


def test_p_values_are_corrected_over_the_circuits_of_the_section(tmp_path: Path) -> None:
    def judged(text: str) -> tuple[Discovery, ...]:
        spec, settings = spec_of(text)
        return find_circuits(
            causalvae.open_session(spec, tmp_path), settings, tmp_path, lambda progress: None
        ).circuits  # fmt: skip

    start = OR.index("{name: found")
    entry = OR[start : OR.index("}", start) + 1]
    (alone,) = judged(OR)
    again = entry.replace("found", "again")
    both = judged(OR.replace(entry, f"{entry}, {again}"))
    assert alone.verdict is not None
    for one in both:
        assert one.verdict is not None and one.circuit == alone.circuit
        assert one.verdict.p_bounds == pytest.approx(2 * alone.verdict.p_bounds, rel=1e-6)
    # What is kept is not yet corrected, so that reading it again corrects it once.
    assert [one.verdict for one in judged(OR.replace(entry, f"{entry}, {again}"))] == [one.verdict for one in both]


def test_another_mapping_or_precision_is_searched_anew(tmp_path: Path) -> None:
    mapped = (
        OR.replace("circuit: or", "circuit: and").replace("halves: 4}", 'halves: 4, sites: ["$t"]}')
        + 'mapping: {t: {components: ["%s"]}}\n'
    )
    circuits = []
    for latent in (0, 1):
        spec, settings = spec_of(mapped % f"latent[{latent}]")
        session = causalvae.open_session(spec, tmp_path)
        found = find_circuits(session, settings, tmp_path, lambda progress: None)
        circuits.append([ref.label for ref in found.circuits[0].circuit])
    assert circuits == [["latent[0]"], ["latent[1]"]]
    keys = set()
    for precision in ("float32", "bf16"):
        spec, settings = spec_of(f"{OR}execution: {{precision: {precision}}}\n")
        session = causalvae.open_session(spec, tmp_path)
        plan = causalvae.compile_plan(session)
        keys.add(str(settings.measured_by(session, plan)))
        keys.add(open_search(session, settings.circuits[0], settings).key)
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("how", "most", "said"),
    [
        ("all", 7, "no other circuit of 7 does as well (every set of up to 7 was tried)."),
        (
            "all", 5,
            "it is not known whether another circuit of 7 does as well (every set of up to 5 was tried, larger sets "
            "were not searched).",
        ),
        (
            "swaps", 24,
            "no other circuit of 7 does as well (each member was exchanged for 24 others, the best first; sets of "
            "another size were not searched).",
        ),
    ],
)  # fmt: skip
def test_what_was_not_tried_is_told(how: str, most: int, said: str) -> None:
    found, _ = find("or")
    member = next(member for member in found.members if member.in_circuit)
    seven = tuple(
        replace(member, component=ComponentRef("latent", (unit,)), in_circuit=True) for unit in range(7)
    )  # fmt: skip
    large = replace(found, members=seven, equivalents=(), equivalents_how=how, equivalents_to=most)
    assert alike_words(large) == f"On the pairs of the search, {said}"
    assert len(large.circuit) == 7


@pytest.mark.parametrize(
    ("candidates", "members", "expected"), [(12, 7, ("all", 5)), (40, 3, ("swaps", 24)), (40, 12, ("swaps", 20))]
)
def test_which_sets_were_tried_is_known(candidates: int, members: int, expected: tuple[str, int]) -> None:
    circuit = np.arange(candidates) < members
    total = np.ones(50)
    tried: list[np.ndarray] = []

    def evaluate(circuits: np.ndarray) -> CircuitEffects:
        tried.append(circuits)
        carried = (circuits >= circuit).all(axis=1)[:, None] * total
        return CircuitEffects(carried, carried, total)

    found = find_equivalents(evaluate, circuit, np.arange(candidates), Target(0.8))
    assert (found.how, found.largest) == expected
    sets = np.unique(np.concatenate(tried), axis=0)
    if found.how == "all":
        assert len(sets) == sum(comb(candidates, size) for size in range(found.largest + 1))
    else:
        assert len(sets) == members * found.largest


def test_candidates_of_two_windows_are_drawn_apart() -> None:
    found, _ = find("or")
    windows = (((0, 2),), ((2, 4),))
    refs = tuple(ComponentRef("latent", (unit,), window) for unit in range(3) for window in windows)
    (site,) = found.sites
    site = replace(
        site, units=tuple(unit for unit in range(3) for _ in windows), windows=tuple(ref.window for ref in refs)
    )
    assert site.refs == refs
    member = next(member for member in found.members if member.in_circuit)
    drawn = draw_circuit(
        replace(
            found, sites=(site,), members=(replace(member, component=refs[1]),), motifs=replace(found.motifs, edges=())
        )
    )
    assert str(drawn).count("is-member") == 1
    assert str(drawn).count("latent[0; 2:4]: in the circuit") == 1
