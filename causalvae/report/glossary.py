"""The words of a report: what each quantity is called, its formula, and how to read it."""

# ruff: noqa: RUF001, RUF002  formulas are written with primes and minus signs

from __future__ import annotations

from dataclasses import dataclass

from causalvae.spec.quantity import QUANTITIES


@dataclass(frozen=True)
class Term:
    """A quantity as a reader meets it.

    Parameters
    ----------
    title, short : str
        Its name in full, and in a table.
    formula : str
        How it is computed; x is the base input, x′ the counterfactual one, c the patched components, Y the attribute.
    meaning : str
        What it says, in words.
    """

    title: str
    short: str
    formula: str
    meaning: str


TERMS: dict[str, Term] = {
    "natural_direct_effect": Term(
        "Natural direct effect (NDE)",
        "direct effect",
        "NDE = mean of Y(x′; c ← c(x)) − Y(x)",
        "The effect that remains when the mediators keep their value for the base input: the part that goes around "
        "them.",
    ),
    "controlled_direct_effect": Term(
        "Controlled direct effect (CDE)",
        "controlled direct effect",
        "CDE(m) = mean of Y(x′; c ← m) − Y(x; c ← m)",
        "The effect of the treatment while the mediators are held at the same value m for both inputs. It equals the "
        "natural direct effect if treatment and mediators do not interact.",
    ),
    "natural_indirect_effect": Term(
        "Natural indirect effect (NIE)",
        "indirect effect",
        "NIE = mean of Y(x; c ← c(x′)) − Y(x)",
        "The effect when only the mediators take their counterfactual value: the part that they carry alone.",
    ),
    "total_indirect_effect": Term(
        "Total indirect effect (TIE)",
        "total indirect effect",
        "TIE = mean of Y(x′) − Y(x′; c ← c(x)) = TE − NDE",
        "The part of the total effect that is lost when the mediators keep their base value.",
    ),
    "interaction": Term(
        "Interaction",
        "interaction",
        "interaction = TE − NDE − NIE = TIE − NIE",
        "The part that neither route carries alone. Zero if the effects of the two routes add up.",
    ),
    "path_specific_effect": Term(
        "Path-specific effect",
        "path-specific effect",
        "mean of Y(x; π ← x′) − Y(x), π the path: v₁ = c₁(x′), v₂ = c₂(x; c₁ ← v₁), ..., and Y(x; cₖ ← vₖ)",
        "The effect of the treatment along the path alone: each stage receives only the change of the stage before, "
        "and changes that leave the path are ignored (Avin, Shpitser & Pearl 2005; path patching).",
    ),
    "total_path_specific_effect": Term(
        "Total path-specific effect",
        "total path-specific effect",
        "mean of Y(x′) − Y(x′; π ← x) = TE − effect around the path",
        "The part of the total effect that is lost when only the path carries the base input's value.",
    ),
    "effect_around_path": Term(
        "Effect around the path",
        "effect around the path",
        "mean of Y(x′; π ← x) − Y(x)",
        "The effect of the treatment by all other routes, including routes that share stages with the path.",
    ),
    "path_share": Term(
        "Share of the path (sufficiency)",
        "share of the path",
        "Σᵢ PSEᵢ·TEᵢ / Σᵢ TEᵢ², over pairs i, PSE the path-specific effect",
        "The share of the total effect that goes along the path alone. 1 means all of it; it can be below 0 or above "
        "1.",
    ),
    "path_necessity": Term(
        "Necessity of the path",
        "necessity of the path",
        "Σᵢ TPSEᵢ·TEᵢ / Σᵢ TEᵢ², over pairs i, TPSE the total path-specific effect",
        "The share of the total effect that is lost when the path alone is cut. 1 means all of it.",
    ),
    "effect_size": Term(
        "Effect size",
        "effect size",
        "√(mean of Δᵢ²) / sd(Y), Δᵢ the change of the attribute that the patch causes in pair i",
        "How far an intervention moves the attribute, in standard deviations that the attribute has over the data. "
        "It has no sign: changes up and down do not cancel.",
    ),
    "causal_effect_strength": Term(
        "Causal effect strength (CES)",
        "causal effect strength",
        "CES = mean of ‖D(z) − D(z̃ᵢ)‖₂",
        "How far the whole decoded output moves when one latent is set to another value. It is larger for a sharper "
        "decoder, so read it together with the reconstruction error.",
    ),
    "specificity": Term(
        "Intervention specificity",
        "specificity",
        "S = 1 / (H(p) + ε), p the effect's normalised distribution over attributes",
        "High if an intervention moves few attributes. It has no upper bound.",
    ),
    "specificity_bounded": Term(
        "Bounded specificity",
        "bounded specificity",
        "1 − H(p) / log K, K the number of attributes",
        "1 if an intervention moves one attribute only, 0 if it moves all equally.",
    ),
    "causal_effect_strength_calibrated": Term(
        "Posterior-calibrated causal effect strength",
        "calibrated strength",
        "E over x and over v ~ q(zᵢ) of ‖D(z) − D(z with zᵢ = v)‖₂, q(zᵢ) the aggregate posterior",
        "The strength when a latent takes values with the frequency that they have over the data: each quantile is "
        "weighted by the probability mass that is nearest to it. It does not depend on which quantiles were declared.",
    ),
    "output_specificity": Term(
        "Specificity over the output",
        "output specificity",
        "S = 1 / (H + ε), H the mean over samples of the entropy of |change| over the numbers of an output",
        "High if a latent changes few numbers of the output. It has no upper bound.",
    ),
    "output_specificity_bounded": Term(
        "Bounded specificity over the output",
        "bounded output specificity",
        "1 − H / log P, P the numbers of an output",
        "1 if one number of the output changes, 0 if all change equally.",
    ),
    "modularity": Term(
        "Circuit modularity",
        "modularity",
        "M = 1 − mean over i < j of E|ρ(Δaᵢ, Δaⱼ)|, Δaᵢ the change that latent i causes at the layer, ρ the cosine",
        "1 if no two latents move the layer in the same direction, 0 if all move it along one line. Inert latents are "
        "excluded. Random weights give high values too, so compare with them.",
    ),
    "graph_modularity": Term(
        "Graph modularity (Newman)",
        "graph modularity",
        "Q = Σ (Aᵢⱼ − kᵢkⱼ / 2m)·[same community] / 2m, A the effect sizes of latents on attributes",
        "How far the effects fall into separate blocks, against the configuration model. A perfect code of K latents "
        "has 1 − 1/K.",
    ),
    "polysemantic_share": Term(
        "Share of polysemantic units",
        "polysemantic share",
        "#{lower end of exp(H) above 1.5} / #{units that move what is declared}; the upper end counts the undecided",
        "exp(H(p)) is the effective number of factors that a unit moves; p are its effect sizes over factors, "
        "normalised. Polysemantic: the interval lies above 1.5; monosemantic: below. A unit that moves the output and "
        "no declared attribute moves what is not declared; an inert one moves nothing.",
    ),
    "reconstruction_error": Term(
        "Reconstruction error",
        "reconstruction error",
        "mean of −log p(x | z) over the observed samples, in nats",
        "Effect strengths are larger if this error is smaller, so compare strengths of networks only together with it.",
    ),
    "mediated_share_ratio_of_means": Term(
        "Mediated share, ratio of means",
        "mediated share, ratio of means",
        "mean NIE / mean TE",
        "A variant of the mediated share. It needs a mean effect away from zero.",
    ),
    "mediated_share_mean_of_ratios": Term(
        "Mediated share, mean of ratios",
        "mediated share, mean of ratios",
        "mean of NIEᵢ / TEᵢ over pairs whose |TEᵢ| is not small",
        "A variant of the mediated share that gives every pair equal weight.",
    ),
    "necessity_ratio_of_means": Term(
        "Necessity, ratio of means",
        "necessity, ratio of means",
        "mean TIE / mean TE",
        "A variant of necessity. It needs a mean effect away from zero.",
    ),
    "necessity_mean_of_ratios": Term(
        "Necessity, mean of ratios",
        "necessity, mean of ratios",
        "mean of TIEᵢ / TEᵢ over pairs whose |TEᵢ| is not small",
        "A variant of necessity that gives every pair equal weight.",
    ),
    "indirect_effect_turned_away": Term(
        "Indirect effect, orthogonal part",
        "orthogonal part",
        "mean of ‖NIE − ⟨NIE, TE⟩·TE / ‖TE‖²‖",
        "For a vector: how far the mediators move the outcome in directions orthogonal to its total change, which no "
        "share shows. Zero if they move it along the change, in either direction.",
    ),
    "path_share_ratio_of_means": Term(
        "Share of the path, ratio of means",
        "share of the path, ratio of means",
        "mean PSE / mean TE",
        "A variant of the share of the path. It needs a mean effect away from zero.",
    ),
    "path_share_mean_of_ratios": Term(
        "Share of the path, mean of ratios",
        "share of the path, mean of ratios",
        "mean of PSEᵢ / TEᵢ over pairs whose |TEᵢ| is not small",
        "A variant of the share of the path that gives every pair equal weight.",
    ),
    "path_necessity_ratio_of_means": Term(
        "Necessity of the path, ratio of means",
        "necessity of the path, ratio of means",
        "mean TPSE / mean TE",
        "A variant of the necessity of the path. It needs a mean effect away from zero.",
    ),
    "path_necessity_mean_of_ratios": Term(
        "Necessity of the path, mean of ratios",
        "necessity of the path, mean of ratios",
        "mean of TPSEᵢ / TEᵢ over pairs whose |TEᵢ| is not small",
        "A variant of the necessity of the path that gives every pair equal weight.",
    ),
    "path_effect_turned_away": Term(
        "Effect of the path, orthogonal part",
        "orthogonal part",
        "mean of ‖PSE − ⟨PSE, TE⟩·TE / ‖TE‖²‖",
        "For a vector: how far the path moves the outcome in directions orthogonal to its total change, which no "
        "share shows.",
    ),
    "pairwise_fit": Term(
        "Pairwise fit",
        "pairwise fit",
        "A = 1 − D² with D² = Σ ‖TE − NIE‖² / Σ ‖TE‖²",
        "The share of the squared total effect that the circuit alone explains, pair by pair. A circuit that does "
        "twice too much in half of the pairs and nothing in the others has a share of 1 and a fit of 0.",
    ),
    "relative_error": Term(
        "Relative error",
        "relative error",
        "D = √(Σ ‖TE − NIE‖² / Σ ‖TE‖²)",
        "How far the circuit alone is from the effect, pair by pair: 0 if the circuit gives the total effect in every "
        "pair, 1 for a circuit that does nothing.",
    ),
    "relative_error_removed": Term(
        "Relative error without the circuit",
        "error without",
        "D = √(Σ ‖NDE‖² / Σ ‖TE‖²)",
        "What remains of the effect when only components outside the circuit carry it; 0 means nothing.",
    ),
    "special": Term(
        "Special",
        "special",
        "D(R) − D(C) > 0.05 for every other circuit R of at most C's size",
        "No other circuit of at most its size at the same sites does as well. p (column p best) is the largest of the "
        "one-sided p-values of a percentile bootstrap over pairs. If there are too many other circuits, random ones "
        "are drawn among the units that the treatment moves, and p = (1 + number that do as well) / (number drawn + "
        "1).",
    ),
    "minimal": Term(
        "Minimal",
        "minimal",
        "D(C without m) − D(C) > min(0.05, max(0.02, 1 / (3·|C|))) for every member m",
        "Every member is needed. Reported for every circuit with several members; part of the verdict if the claim "
        "says `minimal: true`.",
    ),
}

SUPPORT = Term(
    "p for and p against",
    "p",
    "p_support: data this favourable if the bound were broken; p_refute: data this unfavourable if it were met",
    "Small p for: the bound is met. Small p against: it is broken. Neither: inconclusive. The p-values of a verdict "
    "are corrected across the hypotheses of the spec (Holm).",
)
VERDICT = Term(
    "Verdict",
    "verdict",
    "refuted: a bound or claimed property shown to be false; supported: all of them shown to be true; unspecific: the "
    "bounds shown to be met, but another circuit meets them and is not shown to be worse; else inconclusive",
    "A claim that a circuit carries at least half of an effect says that it is special, unless it says otherwise. "
    "Inconclusive is not refuted: the data allow both answers, and the report gives the number of pairs that would "
    "probably decide.",
)
INTERVAL = Term(
    "Interval",
    "interval",
    "bootstrap over pairs, seeded",
    "Pairs of inputs are resampled, never single numbers of an output. n is the number of pairs.",
)
DOWHY = Term(
    "DoWhy's value",
    "DoWhy",
    "ordinary least squares on the crossed patch design: each pair in every arm",
    "An independent computation of the same quantity from the same table. It should agree with the exact value up to "
    "rounding errors; the intervals and p-values are those of the exact, paired computation.",
)
CAUSAL_MODEL = Term(
    "DoWhy's graphical causal model",
    "causal model",
    "Y = f(unit, treatment, mediators), f the network; effects by do(treatment = t, mediators = m)",
    "A second independent computation: DoWhy intervenes on a structural model whose mechanism is the network. Pair by "
    "pair it must agree up to rounding errors; by sampling it must agree within four standard errors.",
)
ARROW = Term(
    "Arrow strength",
    "arrow strength",
    "mean over pairs and mediators (or treatments) of the variance of Y when the arrow's start is randomised",
    "The part of the outcome's variance that one arrow carries alone, with everything else unchanged (Janzing et al. "
    "2013).",
)
OBSERVATIONAL = Term(
    "Effects without patching",
    "regression",
    "M = a·T + …, Y = c·T + Σ b·M + …; NDE = c·Δ, NIE = Σ a·b·Δ, Δ the treatment's mean change over the pairs",
    "The estimate from observations, without interventions on the network. For comparison only.",
)
EDGE = Term(
    "Edge of the recovered graph",
    "edge",
    "data: √(mean of Δᵢ²) / sd(B) under do(A), all other declared factors held; network and mapping: the share "
    "⟨Δ, Δ before⟩ / ⟨Δ before, Δ before⟩, or √(mean of Δᵢ²) / sd(B) where there should be no effect",
    "Supported: declared, present in the data, kept by network and mapping. Missing: declared but absent in the data, "
    "or lost by network or mapping. Spurious: present but not declared, or invented by network or mapping. Undecided: "
    "neither is shown.",
)
FISHER = Term(
    "Fisher's C",
    "Fisher's C",
    "C = −2 Σ ln pₖ over the k implied independencies, χ² with 2k degrees of freedom",
    "Tests all independencies that the declared graph implies at once. A small p means that the graph misses a "
    "dependence.",
)
INTERCHANGE = Term(
    "Interchange accuracy of the mapping",
    "interchange accuracy",
    "share of pairs with |Y(x; c ← c(s)) − Y(x′)| ≤ sd(Y) / 4 for every attribute Y, s another sample with A = A(x′)",
    "How often the components mapped to a factor have the effect that the network shows when the factor itself is set.",
)
VECTOR = Term(
    "Vector outcome",
    "vector",
    "each effect e is its component along the total change: ⟨e, TE⟩ / ‖TE‖, TE = Y(x′) − Y(x)",
    "Several attributes as one outcome. Unless declared raw, each change is first divided by the attribute's standard "
    "deviation over the observed reconstructions, and wrapped if the attribute has a period. The effects still add "
    "up, the total effect is the mean size of the change, and the mediated share is Σ⟨NIE, TE⟩ / Σ⟨TE, TE⟩. A ratio "
    "of means is ⟨mean NIE, mean TE⟩ / ⟨mean TE, mean TE⟩.",
)
KL = Term(
    "KL of a latent",
    "KL",
    "KL(q(zᵢ|x) ‖ N(0, 1)), mean over the observed samples, in nats",
    "The information of a latent about the input. Near zero, the latent is unused.",
)

FIRST_ORDER = Term(
    "First-order effect (attribution)",
    "first-order effect",
    "mean over pairs of |Σₑ ∂Y/∂aₑ · Δaₑ|, Δa the change of the value; of the whole output, the mean length of J·Δa",
    "The effect of patching the component if the outcome were linear in it, computed from gradients for all "
    "components at once. It misses saturated units, such as a unit that is off in the clean run.",
)
SCREEN_RECALL = Term(
    "Recall of a screen",
    "screen recall",
    "share of the k components with the largest exact effects that are among the k that were kept",
    "Estimated from the kept components and a random sample of the others; each sampled one represents an equal "
    "number of the others. The interval is exact for this sampling (hypergeometric), for any distribution of the "
    "effects.",
)


def term_of(estimand: str) -> Term:
    """The term of an estimand or a quantity; one that is not known here is called by its own name."""
    known = TERMS.get(estimand)
    if known is not None:
        return known
    quantity = QUANTITIES.find(estimand)
    if quantity is not None:
        return Term(quantity.title, quantity.short, quantity.formula, quantity.meaning)
    words = estimand.replace("_", " ")
    return Term(words.capitalize(), words, "", "")


SYMBOLS: dict[str, str] = {
    "supported": "✓",
    "refuted": "✗",
    "unspecific": "~",
    "inconclusive": "?",
    "missing": "✗",
    "spurious": "+",
    "absent": "·",
    "undecided": "?",
}


def status_words(status: str) -> str:
    """A status with its symbol, so that colour is never the only sign."""
    symbol = SYMBOLS.get(status)
    return f"{symbol} {status}" if symbol else status


def passed_words(passed: bool) -> str:
    """Whether a check passed, with a symbol."""
    return "✓ passed" if passed else "✗ failed"
