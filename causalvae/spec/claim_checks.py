"""Checks of hypotheses: what they refer to, claims that decide nothing, too few pairs, too many circuits to compare."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

from causalvae.spec.address import parse_address
from causalvae.spec.catalogue import LATENT_PARTS
from causalvae.spec.diagnostics import Finding, Path, list_choices
from causalvae.spec.draft import Draft
from causalvae.spec.hypothesis_section import (
    FEWEST_PAIRS,
    MOST_ENUMERATED,
    MOST_RANDOM,
    MOST_SETS,
    fewest_random,
    most_resamples,
)
from causalvae.spec.outcome_checks import check_outcome, is_known, is_reached
from causalvae.spec.quantity import QUANTITIES
from causalvae.spec.schema import Hypothesis
from causalvae.spec.treatment_checks import check_treatment, reached_words, treated_factor

_SEVERAL = 2
_LATENT_SITES = ("latent", *(f"latent.{part}" for part in LATENT_PARTS))


def check_hypotheses(draft: Draft) -> list[Finding]:
    """Findings on the hypotheses."""
    findings = []
    for named in draft.hypotheses or ():
        section, path = named.section, ("hypotheses", named.index)
        if not isinstance(section, Hypothesis):
            continue
        findings += check_treatment(draft, section.treatment, (*path, "treatment"))
        findings += check_outcome(draft, section.outcome, (*path, "outcome"))
        factor = treated_factor(draft, section.treatment)
        if (
            draft.edges_sound
            and factor in (draft.factors or ())
            and is_known(draft, section.outcome)
            and not is_reached(draft, factor or "", section.outcome)
        ):
            vector = (draft.vectors or {}).get(section.outcome)
            to = section.outcome if vector is None else vector.components[0]
            findings.append(
                Finding(
                    "CV071",
                    (*path, "outcome"),
                    f"in the declared graph no path leads from '{factor}', which '{section.treatment}' sets, to "
                    f"{'' if vector is None else 'any component of '}'{section.outcome}'",
                    f"Add an edge, such as `{factor} -> {to}`, or name another outcome: "
                    f"'{factor}' reaches {reached_words(draft, factor or '')}.",
                    related=((*path, "treatment"),),
                )
            )
    return findings


def check_claims(draft: Draft) -> list[Finding]:
    """Findings on what hypotheses claim of their circuits."""
    findings = []
    claims = [named for named in draft.hypotheses or () if isinstance(named.section, Hypothesis)]
    for named in claims:
        section, path = named.section, ("hypotheses", named.index)
        if isinstance(section, Hypothesis):
            for name, bound in section.expect.bounds.items():
                findings += QUANTITIES.get(name).findings(draft, section, bound, (*path, "expect", name))
            findings += _check_size(draft, section, path)
            findings += _check_subsets(draft, section, path)
    if claims and draft.data is not None and draft.data.samples < FEWEST_PAIRS:
        findings.append(
            Finding(
                "CV068",
                ("data", "samples"),
                f"claims are judged on {draft.data.samples} pairs, and fewer than {FEWEST_PAIRS} decide nothing",
                f"Write `samples: {FEWEST_PAIRS}` or more, or delete the hypotheses.",
                related=(("hypotheses",),),
            )
        )
    return findings


def _check_subsets(draft: Draft, section: Hypothesis, path: Path) -> list[Finding]:
    """More sets of latents than are run, or no bound that says when a set is sufficient."""
    if not section.asks_for_subsets:
        return []
    place = (*path, "expect", "unique") if section.judges_unique else (*path, "subsets")
    if not section.claims_sufficient:
        return [
            Finding(
                "CV075",
                place,
                "sets of units are compared by a share of at least t, t between 0 and 1, and none is claimed",
                "Write `mediated_share: {at_least: 0.7}`.",
            )
        ]
    units = len(_latents(draft, section)) * (draft.latent_dim or 0)
    if units <= MOST_ENUMERATED:
        return []
    return [
        Finding(
            "CV055",
            place,
            f"the sites of the circuit have {units} units, and every set of at most {MOST_ENUMERATED} can be run",
            "Delete `unique` and `subsets`, or name a circuit at a smaller site.",
        )
    ]


def _check_size(draft: Draft, section: Hypothesis, path: Path) -> list[Finding]:
    """Circuits that have no rivals, or too many for the level of the tests."""
    if not section.judges_special:
        # A circuit of one member is minimal without a comparison.
        return _check_resamples(draft, section, path) if _chosen_units(draft, section) != 1 else []
    taken = _latents(draft, section)
    if taken and draft.latent_dim and all(len(units) == draft.latent_dim for units in taken.values()):
        return [
            Finding(
                "CV076",
                (*path, "circuit"),
                f"the circuit is the whole of {list_choices(taken, 'and')}: no other circuit has its size, so it is "
                "compared with none",
                "Name some of the latents, such as latent[3]; write `null: {circuits: none}` if this is meant.",
                severity="warning",
                related=(
                    (*path, "circuit"),
                    *(("mapping", text[1:]) for text in section.circuit if text.startswith("$")),
                ),
            )
        ]
    needed = fewest_random(draft.hypotheses or (), section.alpha)
    unreached = _check_resamples(draft, section, path)
    if unreached:
        return unreached
    if _chosen_units(draft, section) < _SEVERAL:
        # Every other unit of a site can be run.
        return []
    if needed <= MOST_RANDOM or (taken and draft.latent_dim and _every_set(taken, draft.latent_dim) <= MOST_SETS):
        return []
    return [
        Finding(
            "CV073",
            (*path, "alpha"),
            f"alpha {section.alpha:.6g} takes {needed} random circuits where not every circuit of this size can be "
            f"run (1 / alpha for each hypothesis of the spec), and {MOST_RANDOM} are the most that are run",
            "Raise alpha, state fewer hypotheses in one spec, or write `expect: {special: false}`.",
        )
    ]


def _check_resamples(draft: Draft, section: Hypothesis, path: Path) -> list[Finding]:
    """A level that no comparison reaches, because its p-value is at least one over the number of resamples."""
    if not (section.judges_special or section.judges_minimal):
        return []
    pairs = section.null.pairs if draft.data is None else min(section.null.pairs, draft.data.samples)
    # Where two shares are claimed, the smaller of two p-values counts twice.
    shares = len(section.expect.bounds.keys() & {"mediated_share", "necessity"})
    drawn = most_resamples(pairs)
    if shares * fewest_random(draft.hypotheses or (), section.alpha) <= drawn:
        return []
    return [
        Finding(
            "CV073",
            (*path, "alpha"),
            f"no comparison with other circuits reaches alpha {section.alpha:.6g}: on {pairs:,} pairs its p-value is "
            f"at least {shares} / {drawn:,}, and counts once for each hypothesis of the spec",
            "Raise alpha, lower null.pairs, or remove special and minimal from the claim (`expect: {special: false, "
            "minimal: false}`).",
        )
    ]


def _chosen_units(draft: Draft, section: Hypothesis) -> int:
    """How many units the circuit's addresses name; an open range counts as several, and a whole site as none."""
    chosen = 0
    for text in _expand(draft, section):
        try:
            spans = parse_address(text).units
        except ValueError:
            continue
        chosen += sum(_SEVERAL if span.stop is None else span.stop - (span.start or 0) for span in spans)
    return chosen


def _every_set(taken: dict[str, set[int]], latents: int) -> int:
    """How many sets there are of at most as many latents at each site; where there are too many, a lower bound."""
    total = 1
    for units in taken.values():
        sets = 0
        for size in range(len(units) + 1):
            sets += comb(latents, size)
            if sets > MOST_SETS:
                break
        total *= sets
    return total


def _latents(draft: Draft, section: Hypothesis) -> dict[str, set[int]]:
    """The units of a circuit of latents by site; empty where it has others, whose size only the model tells."""
    taken: dict[str, set[int]] = {}
    size = draft.latent_dim
    for text in _expand(draft, section):
        try:
            address = parse_address(text)
            units = {i for span in address.units for i in span.indices(size or 0)}
        except (ValueError, IndexError):
            return {}
        if address.path not in _LATENT_SITES or address.window or size is None:
            return {}
        taken[address.path] = taken.get(address.path, set()) | (units or set(range(size)))
    return taken


def _expand(draft: Draft, section: Hypothesis) -> Iterator[str]:
    """A circuit's addresses, those of the mapping in place of `$NAME`; a name that it lacks stays as it is."""
    for text in section.circuit:
        mapped = (draft.mapping or {}).get(text[1:]) if text.startswith("$") else None
        yield from (text,) if mapped is None or mapped.components is None else mapped.components
