"""What circuits consist of: latents, channels or units of a network's sites; of edges, what they join."""

from __future__ import annotations

from collections.abc import Iterable

from causalvae.analyses.discoveries.section import CandidateKind
from causalvae.models.components import Component, ComponentMap, ComponentRef, Site
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import Resolver


def find_candidates(
    kind: CandidateKind, sites: Iterable[str], resolver: Resolver, owner: Owner
) -> tuple[ComponentRef, ...]:
    """The candidates, or the nodes that edges join, in network order.

    Parameters
    ----------
    kind : {"latents", "channels", "units", "edges"}
        ``latents``: of the latent. ``channels``: of values with positions. ``units``: channels of values with
        positions, and the entries of vectors. ``edges``: units and latents.
    sites : iterable of str
        Addresses; the hidden layers where there are none.
    resolver : Resolver
    owner : Owner
        Who asks, for messages.

    Raises
    ------
    CausalVAEError
        CV300 to CV304 for addresses, CV305 where two name the same value.
    """
    components = resolver.components
    named = tuple(sites)
    if named:
        found = [part for part in resolver.find(named, owner) if kind != "channels" or len(part.site.shape) > 1]
    elif kind == "latents":
        found = list(components.resolve("latent"))
    else:
        found = [Component(site, None) for site in components.sites if _is_hidden(site, components, kind)]
        found += components.resolve("latent") if kind == "edges" else ()
    order = {site.name: position for position, site in enumerate(components.sites)}
    singles = {
        ComponentRef(part.site.name, (unit,), part.window)
        for part in found
        for unit in part.units or range(part.site.units)
    }
    return tuple(sorted(singles, key=lambda ref: (order[ref.site], ref)))


def _is_hidden(site: Site, components: ComponentMap, kind: CandidateKind) -> bool:
    """Whether a site is a layer between input, latent and output, after its activation function."""
    if not site.is_leaf or site.stage == "latent" or site.name.endswith("@pre"):
        return False
    if not site.downstream and components.operations:
        return False
    # What the latent, or the output, is read from is that value itself and no layer before it.
    leaves = [other for other in components.sites if other.is_leaf]
    last = max(leaves, key=lambda other: len(other.before))
    head = [other.node for other in leaves if other.stage == "encoder"][-1:]
    return site.node not in (last.node, *head) and (kind != "channels" or len(site.shape) > 1)
