"""Plans and measurements of tiny numpy networks, whose effects are known in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student_t

from causalvae.effects.context import EffectContext, open_context
from causalvae.engine.measurements import OUTPUT_GAP, Measurements
from causalvae.models.components import ComponentRef
from causalvae.plan.claims.members import MOST_SUBSETS_OF, parts_of, patches_of
from causalvae.plan.claims.rivals import draw_rivals
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, ClaimDesign, Cohort, Patch, Plan, Treatment, Use
from causalvae.spec.hypothesis_section import fewest_random
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import make_source
from causalvae.spec.whole_output import WholeOutput
from tests.targets import target

Array = npt.NDArray[np.float64]
Decode = Callable[[Array], Mapping[str, Array]]

RESIZE = {"name": "resize", "input": {"factor": "scale"}}


def make_spec(
    *,
    attributes: Sequence[str] = ("area", "place"),
    edges: Sequence[str] = ("scale -> area", "x -> place"),
    interventions: Sequence[Mapping[str, Any]] = (),
    hypotheses: Sequence[Mapping[str, Any]] = (),
    **estimation: Any,
) -> Spec:
    """A spec with factors scale and x, and the treatment `resize`."""
    return Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": "synthetic",
            "model": {"source": "zoo", "weights": "builtin://none"},
            "data": {"source": "dsprites"},
            "graph": {
                "factors": ["scale", "x"],
                "attributes": {name: {"readout": "area"} for name in attributes},
                "edges": list(edges),
            },
            "interventions": [RESIZE, *interventions],
            "hypotheses": list(hypotheses),
            "estimation": {"dowhy": False, **estimation},
        }
    )


def make_hypothesis(name: str = "claim", circuit: Sequence[str] = ("latent[0]",), **fields: Any) -> dict[str, Any]:
    """A hypothesis about area under `resize`."""
    expect = fields.pop("expect", {"mediated_share": {"at_least": 0.7}})
    return {
        "name": name,
        "treatment": "resize",
        "circuit": list(circuit),
        "outcome": "area",
        "expect": expect,
        **fields,
    }


def expanded_tail(n: int, confidence: float = 0.95) -> float:
    """The lower nominal level that intervals over `n` pairs are taken at (Hesterberg 2015)."""
    return float(norm.cdf(student_t.ppf((1 - confidence) / 2, n - 1) * np.sqrt(n / (n - 1))))


def naive_studentised(top: Array, bottom: Array, weights: Array, confidence: float = 0.95) -> tuple[float, float]:
    """Expanded bootstrap-t ends of one ratio of sums, each resample drawn out and its own standard error taken."""

    def ratio_and_error(chosen: npt.NDArray[np.int64]) -> tuple[float, float]:
        a, b = top[chosen], bottom[chosen]
        ratio = a.sum() / b.sum()
        return ratio, np.sqrt(((a - ratio * b) ** 2).sum()) / abs(b.sum())

    n = len(top)
    value, error = ratio_and_error(np.arange(n))
    drawn = [ratio_and_error(np.repeat(np.arange(n), counts.astype(int))) for counts in weights]
    tail = expanded_tail(n, confidence)
    low, high = np.quantile([(ratio - value) / own for ratio, own in drawn], [tail, 1 - tail])
    ends = np.array([value - high * error, value - low * error])
    if (bottom >= 0).all():
        ends = np.clip(ends, (top / bottom).min(), (top / bottom).max())
    return float(ends[0]), float(ends[1])


def naive_by_weights(
    value: Callable[[Array], float], weights: Array, pairs: int | None = None, confidence: float = 0.95
) -> tuple[float, float]:
    """Expanded bootstrap-t ends of any function of how often each pair counts.

    Each pair's influence is taken by differences of its weight; `pairs` is the number that the level goes by.
    """

    def error(counts: Array) -> float:
        step, each = 1e-5, np.eye(len(counts))
        slopes = np.array([(value(counts + step * e) - value(counts - step * e)) / (2 * step) for e in each])
        return float(np.sqrt((counts * slopes**2).sum()))

    ones = np.ones(weights.shape[1])
    whole, spread = value(ones), error(ones)
    tail = expanded_tail(pairs or len(ones), confidence)
    low, high = np.quantile([(value(counts) - whole) / error(counts) for counts in weights], [tail, 1 - tail])
    return float(whole - high * spread), float(whole - low * spread)


class Network:
    """Latents in, attributes and an image out; arms are run by hand and kept as rows.

    `z` and `z_cf` have shape (n, latents) and are the latents of the base and the counterfactual inputs; `observed`
    those of the samples that attribute standard deviations are taken over (`z` by default).
    """

    def __init__(
        self,
        spec: Spec,
        decode: Decode,
        z: Array,
        z_cf: Array | None = None,
        *,
        image: Callable[[Array], Array] | None = None,
        observed: Array | None = None,
        contrast: str = "increase",
    ) -> None:
        self.spec, self.decode, self.z, self.z_cf = spec, decode, z, z if z_cf is None else z_cf
        self.image = image or (lambda latents: latents)
        self.arms: dict[str, Arm] = {}
        self.uses: list[Use] = []
        self.claims: dict[str, ClaimDesign] = {}
        self.columns: list[dict[str, Any]] = []
        factor = None if z_cf is None else Treatment("resize", "scale", None, "hold", contrast)  # type: ignore[arg-type]
        self.cohorts = (Cohort("pairs", len(z), 0, factor),)
        self.observed = decode(z if observed is None else observed)
        self.base_image, self.cf_image = self.image(self.z), self.image(self.z_cf)

    def run(self, side: str, latents: Array, patches: tuple[Patch, ...] = (), *, cohort: str = "pairs") -> Arm:
        """Run an arm on the first ``len(latents)`` pairs."""
        n = len(latents)
        arm = Arm(cohort, side, patches, n)  # type: ignore[arg-type]
        if arm.id not in self.arms:
            self.arms[arm.id] = arm
            change = self.image(latents) - self.base_image[:n]
            columns = {
                "arm": np.full(n, arm.id, dtype=object),
                "pair": np.arange(n),
                **self.decode(latents),
                "image_sq": (change**2).sum(axis=1),
                "image_dot": (change * (self.cf_image - self.base_image)[:n]).sum(axis=1),
                "live": np.ones(n, dtype=bool),
            }
            self.columns.append(columns)
        return arm

    def use(self, owner: str, role: str, arm: Arm, component: str = "", granularity: str = "", index: int = 0) -> None:
        self.uses.append(Use(owner, role, arm.id, target(component), granularity, index))  # type: ignore[arg-type]

    def clean(self, owner: str) -> None:
        self.use(owner, "base", self.run("base", self.z))
        self.use(owner, "counterfactual", self.run("counterfactual", self.z_cf))

    def patched(self, side: str, units: Sequence[int], pairs: int | None = None) -> Arm:
        """The arm of `side` with latents `units` from the other side."""
        own, other = (self.z, self.z_cf) if side == "base" else (self.z_cf, self.z)
        latents = own[:pairs].copy()
        latents[:, list(units)] = other[:pairs, list(units)]
        return self.run(side, latents, (Patch("latent", tuple(units), make_source("interchange")),))

    def mediation(self, owner: str, *sets: Sequence[int], clean: bool = True) -> None:
        """Sufficiency and necessity arms of each set of latents; the first is the joint one."""
        if clean:
            self.clean(owner)
        for index, units in enumerate(sets):
            label = " + ".join(f"latent[{unit}]" for unit in units)
            self.use(owner, "sufficiency", self.patched("base", units), label, "set", index)
            self.use(owner, "necessity", self.patched("counterfactual", units), label, "set", index)

    def hypothesis(self, name: str, units: Sequence[int], *, moved: Array | None = None) -> None:
        """The arms of a hypothesis of the spec: the circuit is latents `units`, or the span of `moved`'s columns.

        The circuits that it is compared with are those that the planner chooses, all latents being active.
        """
        owner = Owner.hypothesis(name)
        claim = next(hypothesis for hypothesis in self.spec.hypotheses if hypothesis.name == name)
        circuit = tuple(ComponentRef("latent", (unit,)) for unit in units)
        self.claims[name] = ClaimDesign(circuit)
        if moved is not None:
            self.clean(owner)
            for side, role in (("base", "sufficiency"), ("counterfactual", "necessity")):
                patch = Patch("latent", tuple(units), make_source("interchange"))
                self.use(owner, role, self.run(side, self.moved(side, moved), (patch,)), name, "set")
            return
        self.mediation(owner, units)
        sides = [
            side
            for side, bound in (
                ("base", claim.expect.bound("mediated_share")),
                ("counterfactual", claim.expect.bound("necessity")),
            )
            if bound is not None
        ]
        whole = (Patch("latent", tuple(sorted(units)), make_source("interchange")),)
        latents, pairs = self.z.shape[1], min(claim.null.pairs, len(self.z))
        sets: list[tuple[str, tuple[int, ...]]] = []
        if claim.claims_a_share and len(units) > 1:
            sets += [("part", patches_of(part, whole)[0].units or ()) for part in parts_of(circuit)]
        kind, why = "none", "not_asked"
        if claim.compares:
            fewest = fewest_random(self.spec.hypotheses, claim.alpha)
            kind, why, rivals = draw_rivals(whole, [latents], claim.null, fewest, None, 0, owner)
            sets += [("rival", rival[0].units or ()) for rival in rivals]
        for index, (role, chosen) in enumerate(sets):
            for side in sides:
                self.use(owner, role, self.patched(side, chosen, pairs), "", "set", index)
        if claim.compares and "base" in sides:
            for index in range(latents):
                self.use(owner, "single", self.patched("base", (index,), pairs), "", "unit", index)
        self.claims[name] = ClaimDesign(circuit, circuit, 1 < len(units) <= MOST_SUBSETS_OF, kind, why)  # type: ignore[arg-type]

    def moved(self, side: str, directions: Array, pairs: int | None = None) -> Array:
        """Latents of `side` moved to the other side within the span of `directions`, orthonormal columns."""
        own, other = (self.z, self.z_cf) if side == "base" else (self.z_cf, self.z)
        return own[:pairs] + (other - own)[:pairs] @ directions @ directions.T

    def finish(self, shuffle: bool = False) -> tuple[Plan, Measurements]:
        """The plan and its measurements; rows in another order if `shuffle`."""
        attributes = tuple(self.spec.graph.attributes)
        plan = Plan(
            "synthetic", "spec", "model", self.cohorts, tuple(self.arms.values()), tuple(self.uses), attributes,
            claims=self.claims,
        )  # fmt: skip
        outcomes = pd.DataFrame(
            {name: np.concatenate([part[name] for part in self.columns]) for name in self.columns[0]}
        )
        if shuffle:
            outcomes = outcomes.sample(frac=1.0, random_state=1).reset_index(drop=True)
        observations = pd.DataFrame({f"attribute:{name}": self.observed[name] for name in attributes})
        # An output whose standard deviation is 1.
        observations[OUTPUT_GAP] = 2.0
        return plan, Measurements(plan, pd.DataFrame(), outcomes, observations)

    def context(self) -> EffectContext:
        """The finished measurements, indexed; the output is an image of one number."""
        return open_context(self.spec, self.finish()[1], WholeOutput.of((1, 1, 1)))
