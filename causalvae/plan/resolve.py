"""From what a spec writes to what a plan holds: components and patches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from causalvae.errors import CausalVAEError
from causalvae.models.components import Component, ComponentMap
from causalvae.plan.owner import Owner
from causalvae.plan.types import Patch
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import ValueSource


@dataclass(frozen=True)
class Resolver:
    """Finds the components that a spec's references name.

    Parameters
    ----------
    spec : Spec
    components : ComponentMap
    """

    spec: Spec
    components: ComponentMap

    def find(self, references: str | Iterable[str], place: str | Owner) -> tuple[Component, ...]:
        """The components behind addresses and ``$FACTOR`` references, in the order written.

        Raises
        ------
        CausalVAEError
            CV304 where a ``$NAME`` is not mapped; CV300 to CV302 for addresses.
        """
        found: list[Component] = []
        for reference in [references] if isinstance(references, str) else references:
            if reference.startswith("$"):
                name = reference[1:]
                if name not in self.spec.mapping:
                    raise CausalVAEError(
                        "CV304",
                        f"{reference} does not name a mapped node.",
                        f"Mapped are: {', '.join(self.spec.mapping) or 'none'}.",
                        place,
                    )
                found += self.find(self.spec.mapping[name].components or (), f"mapping.{name}")
            else:
                try:
                    found += self.components.resolve(reference)
                except CausalVAEError as error:
                    raise CausalVAEError(
                        error.code, error.message, error.remedy, f"{place}: {error.place or reference}"
                    ) from error
        return tuple(found)

    def mapped_latents(self) -> dict[int, str]:
        """For each latent that a factor is mapped to, the factor's name."""
        names: dict[int, str] = {}
        for factor in self.spec.mapping:
            for component in self.find(f"${factor}", f"mapping.{factor}"):
                first = self.components.first_latent(component.site.name)
                if first is not None:
                    for unit in component.units or range(component.site.units):
                        names.setdefault(first + unit, factor)
        return names


def patch_of(component: Component, source: ValueSource) -> Patch:
    """A patch of one component."""
    return Patch(component.site.name, component.units, source, component.window)


def joint_patches(found: tuple[Component, ...], source: ValueSource, place: str | Owner) -> tuple[Patch, ...]:
    """Patches of several components at once, one a site, in network order.

    Raises
    ------
    CausalVAEError
        CV305 where components of one site cannot be joined: different windows, or the same value under two names.
    """
    by_site: dict[str, list[Component]] = {}
    for component in found:
        by_site.setdefault(component.site.name, []).append(component)
    nodes: dict[str, str] = {}
    patches = []
    for name, members in by_site.items():
        node = members[0].site.node
        if nodes.setdefault(node, name) != name:
            raise CausalVAEError(
                "CV305", f"{nodes[node]} and {name} are the same value here.", "Name only one of them.", place
            )
        if len({member.window for member in members}) > 1:
            raise CausalVAEError(
                "CV305",
                f"{name} appears with different windows.",
                "Give all parts of one site the same window.",
                place,
            )
        units: tuple[int, ...] | None = None
        if all(member.units is not None for member in members):
            units = tuple(sorted({unit for member in members for unit in member.units or ()}))
            units = None if len(units) == members[0].site.units else units
        patches.append(Patch(name, units, source, members[0].window))
    return tuple(patches)


def in_network_order(patches: tuple[Patch, ...], components: ComponentMap) -> tuple[Patch, ...]:
    """The same patches, most upstream site first."""
    order = {site.name: position for position, site in enumerate(components.sites)}
    return tuple(sorted(patches, key=lambda patch: order[patch.site]))


def label_of(found: tuple[Component, ...]) -> str:
    """Several components as a reader would write them."""
    return " + ".join(component.label for component in found)


def single_components(component: Component, by: str) -> tuple[Component, ...]:
    """The parts of a component at a granularity: each unit or channel, or the whole.

    A unit of an image-shaped value is one position of one channel; of a vector, one entry.
    """
    if by in ("layer", "set"):
        return (component,)
    units = component.units or tuple(range(component.site.units))
    axes = component.site.shape[1:]
    if by == "channel" or not axes:
        return tuple(Component(component.site, (unit,), component.window) for unit in units)
    if len(axes) != 2:
        raise CausalVAEError(
            "CV306", f"{component.site.name} has {len(axes)} further axes.", "Use `by: channel`.", component.site.name
        )
    rows, columns = component.window or tuple((0, size) for size in axes)
    return tuple(
        Component(component.site, (unit,), ((row, row + 1), (column, column + 1)))
        for unit in units
        for row in range(*rows)
        for column in range(*columns)
    )
