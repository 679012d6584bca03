"""The words of the notes on numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from causalvae.effects.notes import Note
from causalvae.spec.value_source import VALUES, ValueSource

# Code -> words, in which {0} is the first value; or a function of the values.
WORDS: Final[dict[str, str | Callable[..., str]]] = {
    "dropped": "{0} pairs left out: the outcome is undefined there",
    "dropped_attribute": "{0} pairs left out: an attribute is undefined there",
    "hardly_moved": "the treatment hardly moves this outcome",
    "overlap": "mediators overlap, so what they carry alone does not add up and no remainder is given",
    "cancels": "pairs are as drawn, so opposite changes cancel in the mean",
    "unclear_mean": "the mean total effect is not clear of zero: do not read this ratio",
    "size_not_tested": "mean size of the change; a size is never negative, so no test",
    "size": "mean size of the change",
    "across": "mean size of the part across the total change; a size is never negative, so no test",
    "mean_change": "p: of a zero mean change",
    "contrast": "p: of no mean change from the lowest to the highest value",
    "by_component": "of the mean change, component by component",
    "along_output": "component along the whole output's total change",
    "apart": "p is that of a t-test of the pairs' products with TE, and does not say what the interval says",
    "few_pairs": "few pairs carry the total effect: the share rests on them as it would on {0:.0f} of equal effects",
    "few_misses": (
        "few pairs differ from the others, as many as {0:.0f} alike would: the interval holds the true value less "
        "often than it says"
    ),
    "ratios": (
        "over the {0} pairs with |TE| of at least {1:.3g} ({2:g} of its root mean square); quartiles {3:.3g}, {4:.3g}, "
        "{5:.3g}"
    ),
    "remainder": "joint natural indirect effect less the sum of each mediator's alone",
    "serial": (
        "the mediators lie at different sites: where one feeds another both carry the same effect, so this is not an "
        "interaction"
    ),
    # Results may be read where a distribution that they name is not installed.
    "held": lambda kind, *number: (VALUES.find(kind) or ValueSource).held.format(*number),
    "percentile": "percentile interval: its bias or acceleration is undefined on these pairs",
    "bca": "BCa interval: in too many resamples nothing varies to studentise by",
    "specificity": "1 / (H + {0:g}), H in nats over {1} attributes",
    "specificity_bounded": "1 - H / log K, in [0, 1]",
    "entropy": "median over samples {0:.3g}; H over {1} numbers of the output",
    "cosines": "1 - mean |cosine| of the changes that {0} pairs of latents cause there",
    "inert_left_out": "{0} latents that move nothing declared are left out",
    "communities": (
        "{0} communities, held in the resamples; null: configuration model (Newman), by which edges between two "
        "latents are possible"
    ),
    "screened": "of the components that the screen let through, which are no fair sample of all",
    "reaches_all": "the declared graph lets the treatment reach every attribute",
    "regression": "crossed patch design, linear regression; DoWhy's interval ignores that arms share their pairs",
    "largest_gap": "largest difference of any pair {0:.2g}",
    "draws": "{0:,} draws, standard error {1:.2g}",
    "observed": "{0} observed samples",
    "own_donors": "no factor is set, so each pair is its own donor and more subspaces than one do",
    "search": "from {0}, where it was {1:.3g}; {2} pairs of their own",
    "chance": "of random directions {0:.3g} on average",
    "within": "within {0:g} sd of Y(x')",
    "within_every": "within {0:g} sd of Y(x'), every component",
    "unpatched": "{0:.3g} without any patch",
    "modularity_oracle": "oracle: by definition, factors that move nothing in common",
    "unsettable": "no oracle: the data cannot set its factors",
    "undefined_of_factors": "no oracle: it is not defined of the data's factors",
    "no_copy": "no random copy was run",
    "still_copy": "the random copy's attributes do not vary, or its latents move nothing declared",
    "unmeasured": "not measured: {0}",
    "null_space": "{0}",
    "along": lambda *components: f"component along the total change of ({', '.join(components)})",
    "along_sd": lambda *components: (
        f"component along the total change of ({', '.join(components)}), each in its standard deviations"
    ),
    "along_mixed": lambda *components: (
        f"component along the total change of ({', '.join(components)}), whose units differ"
    ),
    "still": lambda *components: f"{' and '.join(components)} left out: no variation over the observed samples",
    "over_values": lambda *values: f"mean over values {', '.join(f'{value:g}' for value in values)}",
    "one_draw": "expectation over the aggregate posterior, one draw a sample",
    "quantile_weights": lambda *numbers: (
        "expectation over the aggregate posterior; weights of the quantiles "
        + ", ".join(f"{at:g}: {weight:.3g}" for at, weight in zip(numbers[::2], numbers[1::2], strict=True))
    ),
    "polysemantic_share": (
        "units that are polysemantic, of those that move what is declared; the upper end counts the undecided ones "
        "too, so the interval is from those that surely are to those that could be"
    ),
    "roles": "{0} monosemantic, {1} undecided, {2} undeclared, {3} inert",
    # In DoWhy's expressions Y is the attribute, T the input (1 is the counterfactual), A the patched mediators' side.
    "rows_total_effect": "contrast of T (which input), in the rows where the mediators are the input's own",
    "rows_natural_direct_effect": ("contrast of T (which input), in the rows where the mediators are the base input's"),
    "rows_natural_indirect_effect": ("contrast of A (whose mediators are patched in), in the rows of the base input"),
    "rows_total_indirect_effect": (
        "contrast of A (whose mediators are patched in), in the rows of the counterfactual input"
    ),
    "explained": (
        "of the mediators' variance treatment and covariates explain up to {0:.3f}, of the treatment's the others "
        "{1:.3f}; condition number {2:.3g}"
    ),
    "too_few_pairs": "{0} pairs are too few to judge a claim by, {1} are needed",
    "nothing_to_judge": "a treatment or circuit that moves something is needed before the claim can be judged",
    "outside_unproven": lambda run, p, alpha, needed=None: (
        f"an estimate lies clearly outside its bound, but on {run} pairs the evidence against the claim is short "
        f"(p = {p:.2g}, alpha = {alpha:g})"
        + ("" if needed is None else f"; about {needed} pairs would probably settle it, {run} were run")
    ),
    "more_pairs": "about {0} pairs would probably settle it, {1} were run",
    "just_short": "it falls just short: somewhat more pairs than the {0} that were run would probably settle it",
    "near_bound": "the estimate lies too near the bound for any reasonable number of pairs to settle it",
    "inside_unproven": (
        "all estimates lie within their bounds, but on {0} pairs the evidence for the claim is short (p = {1:.2g}, "
        "alpha = {2:g})"
    ),
    "not_special": lambda p, pairs=None, run=None: (
        f"so it is not shown to be the only such circuit (p = {p:.2g})"
        + ("" if pairs is None else f"; circuits were compared on {pairs} of the {run} pairs, as null.pairs says")
    ),
    "not_minimal": "so it is not shown to be minimal (p = {0:.2g})",
    "not_unique": (
        "so it is not shown to be the only minimal circuit (p = {0:.2g}); sets were run on {1} pairs, and a complete "
        "list takes about 384"
    ),
    "corrected": (
        "corrected for the spec's hypotheses the evidence for the claim is short (p = {0:.2g}, alpha = {1:g})"
    ),
    "undefined_as_zero": "undefined, and written as 0",
    "unchanged": "the treatment does not change {0}",
    "still_circuit": "the circuit changes no attribute",
}


def note_words(note: Note) -> str:
    """A note as a phrase.

    Raises
    ------
    KeyError
        Where there is no such note.
    """
    words = WORDS[note.code]
    return words.format(*note.values) if isinstance(words, str) else words(*note.values)


def notes_words(notes: Iterable[Note]) -> str:
    """Notes as phrases, with semicolons between them; empty where there are none."""
    return "; ".join(map(note_words, notes))
