"""Finds the addressable sites of a network that is run by hooks."""

from __future__ import annotations

from causalvae.models.components import ComponentMap, OperationCost, Site, Stage
from causalvae.models.hooked import Call, HookedNetwork

_LATENT_SITES = (
    ("latent.mean", "latent.mean#1", "posterior mean"),
    ("latent.logvar", "latent.logvar#1", "posterior log-variance"),
    ("latent", "latent#1", "latent"),
)
_STAGES: dict[str, Stage] = {"encoder": "encoder", "decoder": "decoder"}


def find_hooked_sites(network: HookedNetwork, latent_dim: int, model_digest: str) -> ComponentMap:
    """Every module's output that hooks reach, and the latent's parts, as sites in the order of computation.

    Named as the sites of a captured graph are: a module that is followed by a functional activation gives ``name`` and
    ``name@pre``, a module that is called again a site for each call. A patch anywhere re-runs everything, so the
    network is one operation.

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
    for call in network.calls:
        stage = _STAGES.get(call.path.split(".")[0])
        if stage is not None:
            places.append((_name(call, order), stage, call))
    stages = {"encoder": 0, "latent": 1, "decoder": 2}
    places.sort(key=lambda place: (stages[place[1]], order[place[2].node]))
    sites = [_site(name, stage, call.kind, call.shape, call.node, call.is_leaf) for name, stage, call in places]
    first_of_decoder = next((place for place, site in enumerate(sites) if site.stage == "decoder"), len(sites))
    latent = []
    noise = network.inputs[1]
    if noise not in network.unused:
        latent.append(_site("latent.noise", "latent", "noise", network.shape(noise), noise, True))
    for name, node, kind in _LATENT_SITES:
        # A posterior mean that is passed on is the latent.
        held = node if node in order else "latent.mean#1"
        latent.append(_site(name, "latent", kind, network.shape(held), held, True))
    sites[first_of_decoder:first_of_decoder] = latent
    everything = OperationCost("forward pass", network.flops, network.bytes)
    return ComponentMap(tuple(sites), latent_dim, model_digest, (everything,), frozenset((0,)))


def _name(call: Call, order: dict[str, int]) -> str:
    name = call.path if call.number == 1 else f"{call.path}#{call.number}"
    return name + "@pre" if f"{call.node}+activation" in order else name


def _site(name: str, stage: Stage, kind: str, shape: tuple[int, ...], node: str, is_leaf: bool) -> Site:
    return Site(name, stage, kind, shape, node, is_leaf, 1.0, frozenset((0,)))
