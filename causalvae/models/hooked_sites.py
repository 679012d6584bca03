"""Finds the addressable sites of a network that is run with hooks."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from causalvae.models.components import ComponentMap, OperationCost, Site, Stage
from causalvae.models.hooked import Call, HookedNetwork
from causalvae.models.sites import NETWORK, address_of, kind_of, latent_sites, stage_of


def find_hooked_sites(network: HookedNetwork, latent_dim: int, model_digest: str) -> ComponentMap:
    """The outputs of modules and the parts of the latent, as sites in the order of computation.

    Sites have the same names as those of a captured graph: a module followed by a functional activation gives ``name``
    and ``name@pre``; each further call of a module gives a site of its own. Every patch re-runs the whole network, so
    the last operation, the forward pass, has all the cost; the others are values to store.

    Parameters
    ----------
    network : HookedNetwork
        Of an `AnalysedNetwork`.
    latent_dim : int
    model_digest : str
        Content hash of the weights.
    """
    order = {call.node: position for position, call in enumerate(network.calls)}
    places: list[tuple[str, Stage, Call]] = []
    taken = {address_of(call.path, None) for call in network.calls if call.path.startswith(NETWORK)}
    for call in network.calls:
        stage = stage_of((*call.outer, call.path)[0])
        if stage is not None and (call.path.startswith(NETWORK) or call.path not in taken):
            places.append((_name(call, order, stage), stage, call))
    stages = {"encoder": 0, "latent": 1, "decoder": 2}
    places.sort(key=lambda place: (stages[place[1]], order[place[2].node]))
    sites = [
        Site(name, stage, kind_of(call.kind), call.shape, call.node, call.is_leaf, 1.0) for name, stage, call in places
    ]
    in_layer = [site for site in sites if site.stage == "latent"]
    sites = [site for site in sites if site.stage != "latent"]
    first_of_decoder = next((place for place, site in enumerate(sites) if site.stage == "decoder"), len(sites))
    latent = []
    noise = network.inputs[1]
    if noise not in network.unused:
        latent.append(Site("latent.noise", "latent", "noise", network.shape(noise), noise, True, 1.0))
    for name, _, kind in latent_sites(network.outputs):
        # If the posterior mean is decoded, it is the latent.
        held = f"{name}#1" if f"{name}#1" in order else "latent.mean#1"
        if name == "latent":
            latent += in_layer
        latent.append(Site(name, "latent", kind, network.shape(held), held, True, 1.0))
    sites[first_of_decoder:first_of_decoder] = latent
    return _priced(network, sites, latent_dim, model_digest)


def _priced(network: HookedNetwork, sites: list[Site], latent_dim: int, model_digest: str) -> ComponentMap:
    """The sites with the cost of a re-run (a full pass) and what it reads (the inputs and the site's value)."""
    kept = list(dict.fromkeys([*network.inputs, *(site.node for site in sites)]))
    place = {node: position for position, node in enumerate(kept)}
    whole = len(kept)
    inputs = frozenset(place[name] for name in network.inputs)
    priced = []
    before = frozenset((whole,))
    for site in sites:
        own = place[site.node]
        # The dependencies of a value are not known, so all earlier values count.
        before |= {own}
        priced.append(
            replace(site, rerun_cost=1.0, downstream=frozenset((whole,)), reads=inputs | {own}, before=before)
        )
    costs = [OperationCost(node, 0.0, 0.0, _size(network, node)) for node in kept]
    output = _size(network, network.outputs["output"])
    costs.append(OperationCost("forward pass", network.flops, network.bytes, output))
    return ComponentMap(tuple(priced), latent_dim, model_digest, tuple(costs), frozenset((whole,)))


def _size(network: HookedNetwork, node: str) -> float:
    """Bytes of a value of one row, in float32."""
    return 4.0 * prod(network.shape(node))


def _name(call: Call, order: dict[str, int], stage: Stage) -> str:
    address = address_of(call.path, stage)
    name = address if call.number == 1 else f"{address}#{call.number}"
    return name + "@pre" if f"{call.node}+activation" in order else name
