"""The draft of a plan: what the levels of a spec have asked for so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from causalvae.data.factors import FactorSpace
from causalvae.errors import CausalVAEError
from causalvae.models.components import Component, ComponentMap
from causalvae.plan.active import FindActive
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import Resolver, in_network_order, joint_patches
from causalvae.plan.targets import NOTHING, Target, set_of
from causalvae.plan.types import (
    OBSERVED,
    Arm,
    ClaimDesign,
    Cohort,
    Contrast,
    Patch,
    Role,
    Screen,
    Side,
    Use,
)
from causalvae.spec.intervention_section import InputLevel
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import make_source

INTERCHANGE = make_source("interchange")
# From a cohort to how many samples or pairs the data have for it.
Supply = Callable[[Cohort], int]


def as_asked(cohort: Cohort) -> int:
    """Data without end: as many samples as a cohort asks for."""
    return cohort.samples


class Draft:
    """Collects the cohorts, arms and uses of a plan, in the order in which they are asked for.

    Parameters
    ----------
    spec : Spec
    components : ComponentMap
        Of the spec's network.
    space : FactorSpace
        Of the spec's data.
    supply : callable
        How many samples or pairs the data have for a cohort.
    units : FindActive, optional
        Tells which units of a circuit's sites do something; None takes all of them.

    Attributes
    ----------
    resolver : Resolver
    cohorts : dict
        Name -> cohort.
    asked : dict
        As `Plan.asked`.
    arms, uses, screens, contrasts : list
    compared, claims : dict
        As `Plan.compared` and `Plan.claims`.
    """

    def __init__(
        self,
        spec: Spec,
        components: ComponentMap,
        space: FactorSpace,
        supply: Supply = as_asked,
        units: FindActive | None = None,
    ) -> None:
        self._supply = supply
        self.spec = spec
        self.components = components
        self.space = space
        self.resolver = Resolver(spec, components)
        self.cohorts: dict[str, Cohort] = {}
        self.asked: dict[str, int] = {}
        self.arms: list[Arm] = []
        self.uses: list[Use] = []
        self.screens: list[Screen] = []
        self.contrasts: list[Contrast] = []
        self.compared: dict[str, tuple[str, ...]] = {}
        self.claims: dict[str, ClaimDesign] = {}
        self.units = units

    def use(
        self,
        owner: Owner,
        role: Role,
        cohort: str,
        side: Side,
        patches: tuple[Patch, ...],
        *,
        pairs: int | None = None,
        component: Target = NOTHING,
        granularity: str = "",
        index: int = 0,
    ) -> None:
        """An arm of a cohort, on its first `pairs` pairs, and what it is for."""
        samples = self.cohorts[cohort].samples
        ordered = in_network_order(patches, self.components)
        arm = Arm(cohort, side, ordered, samples if pairs is None else min(pairs, samples))
        self.arms.append(arm)
        self.uses.append(Use(owner, role, arm.id, component, granularity, index))

    def clean_pair(self, owner: Owner, cohort: str) -> None:
        """The runs of both sides without patches."""
        self.use(owner, "base", cohort, "base", ())
        self.use(owner, "counterfactual", cohort, "counterfactual", ())

    def cohort(self, name: str) -> str:
        """The cohort of the input intervention called `name`, made when first asked for."""
        if name == OBSERVED:
            raise CausalVAEError(
                "CV310",
                f"an intervention cannot be called {OBSERVED!r}: that is the cohort of untreated samples.",
                "Give it another name.",
                "interventions",
            )
        if name not in self.cohorts:
            treatment = self._input(name).treatment(name, self.space)
            self.add_cohort(Cohort(name, self.spec.data.samples, self.spec.data.seed, treatment))
        return name

    def own_cohort(self, owner: Owner, samples: int, seed: int) -> str:
        """The name of a cohort of untreated samples that `owner` alone uses, added with the run of its inputs."""
        # No intervention, whose cohort has its name, has a dot in it.
        name = f"{owner.kind}.{owner.name}"
        self.add_cohort(Cohort(name, samples, seed))
        self.use(owner, "base", name, "base", ())
        return name

    def add_cohort(self, cohort: Cohort) -> None:
        """Add a cohort, with as many samples as the data have for it."""
        self.asked[cohort.name] = cohort.samples
        self.cohorts[cohort.name] = replace(cohort, samples=self._supply(cohort))

    def _input(self, name: str) -> InputLevel:
        try:
            section = self.spec.intervention(name).input_level
        except KeyError:
            section = None
        if section is None:
            inputs = [item.name for item in self.spec.interventions if item.input_level is not None]
            raise CausalVAEError(
                "CV307",
                f"{name!r} is no input intervention.",
                f"Input interventions are: {', '.join(inputs) or 'none'}.",
                "interventions",
            )
        return section

    def both_directions(
        self, owner: Owner, cohort: str, found: tuple[Component, ...], granularity: str, pairs: int | None, index: int
    ) -> None:
        """The components patched from the other side, on each side."""
        patches = joint_patches(found, INTERCHANGE, owner)
        directions: tuple[tuple[Role, Side], ...] = (("sufficiency", "base"), ("necessity", "counterfactual"))
        for role, side in directions:
            self.use(
                owner,
                role,
                cohort,
                side,
                patches,
                pairs=pairs,
                component=set_of(found),
                granularity=granularity,
                index=index,
            )
