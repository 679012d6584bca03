"""How many distinct samples the numbers of a run rest on, as a table and sentences."""

from __future__ import annotations

from collections.abc import Iterable

from causalvae.report.blocks import Block, Prose, Section
from causalvae.report.numbers import format_count
from causalvae.report.tables import Table, columns
from causalvae.results import GivenEstimate, Results, SampleFacts
from causalvae.spec.value_source import VALUES


def sample_section(results: Results) -> Section | None:
    """The distinct samples of every cohort, and what intervals take as given; None where nothing is known of them."""
    facts = results.samples
    if not facts.cohorts:
        return None
    blocks: list[Block] = [_table(facts)]
    blocks += [Prose(sentence) for sentence in (*short_words(facts), *given_words(facts.given))]
    return Section(
        "samples",
        "Samples",
        "The number of distinct samples behind each result. Finite data are drawn without replacement, no sample is "
        "in two pairs of a cohort, and every n, interval and test uses the number of pairs that exist.",
        tuple(blocks),
    )


def _table(facts: SampleFacts) -> Table:
    rows = tuple(
        (use.cohort, "pairs" if use.paired else "samples", format_count(use.asked), format_count(use.used))
        for use in facts.cohorts
    )
    return Table("Distinct samples of every cohort", columns("Cohort", "Of", "Asked for#", "There are#"), rows)


def short_words(facts: SampleFacts) -> Iterable[str]:
    """That there are fewer samples than were asked for."""
    short = [use for use in facts.cohorts if use.used < use.asked]
    if short:
        listed = "; ".join(
            f"{use.cohort}: {format_count(use.used)} {'pairs' if use.paired else 'samples'} of "
            f"{format_count(use.asked)}"
            for use in short
        )
        yield f"The data have fewer distinct samples for tests than requested ({listed})."


def given_words(given: tuple[GivenEstimate, ...]) -> Iterable[str]:
    """What intervals do not include the sampling error of."""
    kinds = {(_words(each.kind), each.samples): None for each in given}
    if kinds:
        listed = ", ".join(f"{name} (of {format_count(samples)} other samples)" for name, samples in kinds)
        yield (
            f"Interventions use values that are themselves estimated: {listed}. Intervals of their effects take these "
            "as given and do not include their sampling error."
        )


def _words(kind: str) -> str:
    source = VALUES.find(kind)
    known = "learned directions" if kind == "subspace" else kind
    return known if source is None else source.estimates or known
