"""The words of the notes on numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from causalvae.effects.notes import Note
from causalvae.spec.value_source import VALUES, ValueSource

# Code -> words, in which {0} is the first value; or a function of the values.
WORDS: Final[dict[str, str | Callable[..., str]]] = {
    "dropped": "{0} pairs excluded because their outcome is undefined",
    "dropped_attribute": "{0} pairs excluded because an attribute is undefined",
    "hardly_moved": "the treatment has almost no effect on this outcome",
    "overlap": "mediators overlap, so their separate effects do not add up and there is no remainder",
    "cancels": "pairs are in the order of drawing, so opposite changes cancel in the mean",
    "unclear_mean": "the mean total effect is not shown to differ from zero: do not use this ratio",
    "size_not_tested": "mean size of the change; a size is never negative, so it is not tested",
    "size": "mean size of the change",
    "across": "mean size of the part orthogonal to the total change; a size is never negative, so it is not tested",
    "mean_change": "p tests that the mean change is zero",
    "contrast": "p tests that the mean change from the lowest to the highest value is zero",
    "by_component": "computed from the mean change, component by component",
    "along_output": "component along the whole output's total change",
    "apart": "p is that of a t-test of the pairs' products with TE, and may disagree with the interval",
    "few_pairs": "few pairs carry most of the total effect: the share is as uncertain as with {0:.0f} pairs of equal "
    "effects",
    "few_misses": (
        "few pairs differ from the others, as many as {0:.0f} alike would: the interval holds the true value less "
        "often than it says"
    ),
    "ratios": (
        "over the {0} pairs with |TE| of at least {1:.3g} ({2:g} of its root mean square); quartiles {3:.3g}, {4:.3g}, "
        "{5:.3g}"
    ),
    "remainder": "joint natural indirect effect minus the sum of the effects of each mediator alone",
    "serial": (
        "the mediators are at different sites: if one is computed from another, both carry the same effect, so this "
        "is not an interaction"
    ),
    # Results may be read where a distribution that they name is not installed.
    "held": lambda kind, *number: (VALUES.find(kind) or ValueSource).held.format(*number),
    "percentile": "percentile interval: its bias or acceleration is undefined on these pairs",
    "bca": "BCa interval: too many resamples have no variance to studentise by",
    "specificity": "1 / (H + {0:g}), H in nats over {1} attributes",
    "specificity_bounded": "1 - H / log K, in [0, 1]",
    "entropy": "median over samples {0:.3g}; H over the {1} numbers of the output",
    "cosines": "1 - mean |cosine| over {0} pairs of latents, of the changes that they cause there",
    "inert_left_out": "{0} latents that move no declared attribute are excluded",
    "communities": (
        "{0} communities, fixed in the resamples; null model: Newman's configuration model, which allows edges "
        "between two latents"
    ),
    "screened": "over the components that the screen kept, which are not a random sample of all components",
    "reaches_all": "the treatment reaches every attribute in the declared graph",
    "regression": "crossed patch design, linear regression; DoWhy's interval does not use that arms share their pairs",
    "largest_gap": "largest difference of any pair {0:.2g}",
    "draws": "{0:,} draws, standard error {1:.2g}",
    "observed": "{0} observed samples",
    "own_donors": "no factor is set, so each pair is its own donor, and several subspaces fit",
    "search": "started from {0}, with a loss of {1:.3g}; {2} separate pairs",
    "chance": "{0:.3g} on average for random directions",
    "within": "within {0:g} sd of Y(x')",
    "within_every": "within {0:g} sd of Y(x'), every component",
    "unpatched": "{0:.3g} without any patch",
    "modularity_oracle": "oracle: 1 by definition, since factors change different things",
    "unsettable": "no oracle: the data cannot set its factors",
    "undefined_of_factors": "no oracle: it is not defined for the factors of the data",
    "no_copy": "no random copy was run",
    "still_copy": "the random copy's attributes do not vary, or its latents move no declared attribute",
    "unmeasured": "not measured: {0}",
    "null_space": "{0}",
    "along": lambda *components: f"component along the total change of ({', '.join(components)})",
    "along_sd": lambda *components: (
        f"component along the total change of ({', '.join(components)}), each in its standard deviations"
    ),
    "along_mixed": lambda *components: (
        f"component along the total change of ({', '.join(components)}), whose units differ"
    ),
    "still": lambda *components: f"{' and '.join(components)} excluded: no variation over the observed samples",
    "over_values": lambda *values: f"mean over values {', '.join(f'{value:g}' for value in values)}",
    "one_draw": "expectation over the aggregate posterior, one draw a sample",
    "quantile_weights": lambda *numbers: (
        "expectation over the aggregate posterior; weights of the quantiles "
        + ", ".join(f"{at:g}: {weight:.3g}" for at, weight in zip(numbers[::2], numbers[1::2], strict=True))
    ),
    "polysemantic_share": (
        "share of polysemantic units among those that move a declared attribute; the lower end counts the units that "
        "are shown to be polysemantic, the upper end also the undecided ones"
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
        "treatment and covariates explain up to {0:.3f} of the mediators' variance, and the other regressors {1:.3f} "
        "of the treatment's; condition number {2:.3g}"
    ),
    "too_few_pairs": "{0} pairs are too few to judge a claim by, {1} are needed",
    "nothing_to_judge": "the claim cannot be judged, because the treatment or the circuit has no effect",
    "outside_unproven": lambda run, p, alpha, needed=None: (
        f"an estimate lies clearly outside its bound, but on {run} pairs the evidence against the claim is too weak (p "
        f"= {p:.2g}, alpha = {alpha:g})"
        + ("" if needed is None else f"; about {needed:,} pairs would probably decide, {run:,} were run")
    ),
    "more_pairs": "about {0:,} pairs would probably decide, {1:,} were run",
    "just_short": "the evidence is only slightly too weak: a few more than the {0} pairs that were run would "
    "probably decide",
    "near_bound": "the estimate is too close to the bound: no reasonable number of pairs would decide",
    "inside_unproven": (
        "all estimates lie within their bounds, but on {0} pairs the evidence for the claim is too weak (p = {1:.2g}, "
        "alpha = {2:g})"
    ),
    "not_special": lambda p, pairs=None, run=None: (
        f"so it is not shown to be the only such circuit (p = {p:.2g})"
        + ("" if pairs is None else f"; circuits were compared on {pairs} of the {run} pairs (null.pairs)")
    ),
    "not_minimal": "so it is not shown to be minimal (p = {0:.2g})",
    "not_unique": (
        "so it is not shown to be the only minimal circuit (p = {0:.2g}); sets were run on {1} pairs, and a complete "
        "list takes about 384"
    ),
    "corrected": (
        "after correction for the number of hypotheses, the evidence for the claim is too weak (p = {0:.2g}, alpha = "
        "{1:g})"
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
