"""Finds the addressable sites of a captured network."""

from __future__ import annotations

from collections.abc import Collection
from math import prod

from causalvae.models.components import ComponentMap, OperationCost, Site, Stage
from causalvae.models.network_part import NetworkPart, ReadCondition
from causalvae.models.operators import ACTIVATIONS, OperatorGraph

_PARTS = {"mean": "posterior mean", "logvar": "posterior log-variance", "exogenous": "before the latent layer"}
_STAGES: dict[str, Stage] = {"encoder": "encoder", "latent_layer": "latent", "decoder": "decoder"}
# Attributes of an `AnalysedNetwork` that hold a network whose methods are its parts, and unregistered modules.
NETWORK = ("network.", "beside.")
PART = "part of the network"
# Names that have a meaning of their own at the start of an address.
_RESERVED = ("latent", "latent_layer", "code", "input", "output")


def find_sites(graph: OperatorGraph, latent_dim: int, model_digest: str) -> ComponentMap:
    """The outputs of modules and the parts of the latent, as sites in the order of computation.

    The value of a site has one row per input. A module whose output has not (a view merged the batch axis with another
    one), or that returns several values, is not a site.

    A module that is followed by a functional activation gives two sites: its name stands for the value after the
    activation, ``name@pre`` for the value before. A module that is called again gives a site for each call.

    Parameters
    ----------
    graph : OperatorGraph
        Captured from an `AnalysedNetwork`.
    latent_dim : int
    model_digest : str
        Content hash of the weights.
    """
    order = {operation.name: position for position, operation in enumerate(graph.operations)}
    kinds: dict[tuple[str, int], str] = {}
    outer: dict[tuple[str, int], tuple[str, ...]] = {}
    inside: dict[tuple[str, int], set[str]] = {}
    paths: set[str] = set()
    for operation in graph.operations:
        stack = tuple(path for path, _, _ in operation.calls)
        paths.update(stack)
        for depth, (path, call, kind) in enumerate(operation.calls):
            outer[path, call] = stack[:depth]
            if operation.batched:
                kinds[path, call] = kind
                inside.setdefault((path, call), set()).add(operation.name)
    # A method of the network may call any of its modules, so callers are found from the calls, not only from paths.
    callers = {path for stack in outer.values() for path in stack}
    leaves = {path for path in paths - callers if not any(other.startswith(path + ".") for other in paths)}

    places: list[tuple[str, Stage, str, str, bool]] = []
    taken = {address_of(path, None) for path in paths if path.startswith(NETWORK)}
    without_value: set[str] = set()
    for (path, call), kind in kinds.items():
        stage = stage_of((*outer[path, call], path)[0])
        if stage is None or (path in taken and not path.startswith(NETWORK)):
            continue
        ends = _ends(graph, inside[path, call])
        # A module that returns several values has no single value to patch; its children may have one.
        if len(ends) != 1 or not graph.by_name[ends[0]].shape:
            without_value.add(address_of(path, stage))
            continue
        node = ends[0]
        name = address_of(path, stage) if call == 1 else f"{address_of(path, stage)}#{call}"
        after = _activation_after(graph, node, outer[path, call]) if path in leaves else None
        if after is None:
            places.append((name, stage, kind_of(kind), node, path in leaves))
        else:
            places.append((name + "@pre", stage, kind, node, True))
            places.append((name, stage, kind, after, True))
    for name, output, kind in latent_sites(graph.outputs):
        places.append((name, "latent", kind, graph.outputs[output], True))
    if graph.users[graph.inputs[1]]:
        places.append(("latent.noise", "latent", "noise", graph.inputs[1], True))

    stages = {"encoder": 0, "latent": 1, "decoder": 2}
    places.sort(key=lambda place: (stages[place[1]], order[place[3]], place[0]))
    sites = []
    for name, stage, kind, node, is_leaf in places:
        shape = graph.by_name[node].shape
        rerun = sum(operation.flops for operation in graph.between([node], graph.outputs.values()))
        needed = graph.between([node], [graph.outputs["output"]])
        downstream = frozenset(order[operation.name] for operation in needed)
        reads = frozenset(order[name] for name in graph.reads([node], [graph.outputs["output"]]))
        upstream = frozenset(order[name] for name in graph.ancestors([node]))
        sites.append(Site(name, stage, kind, shape, node, is_leaf, rerun / graph.flops, downstream, reads, upstream))
    before = frozenset(order[name] for name in graph.ancestors([graph.outputs["latent"]]))
    return ComponentMap(
        tuple(sites),
        latent_dim,
        model_digest,
        operation_costs(graph),
        before,
        peak_bytes(graph),
        without_value=frozenset(without_value - {name for name, *_ in places}),
    )


def stage_of(outermost: str) -> Stage | None:
    """The stage that a call belongs to, from the path of its outermost enclosing call."""
    return _STAGES.get(outermost.split(".")[0])


def kind_of(kind: str) -> str:
    """The displayed class of a call, in words for a class of this package."""
    return {NetworkPart.__name__: PART, ReadCondition.__name__: "condition"}.get(kind, kind)


def address_of(path: str, stage: Stage | None) -> str:
    """The address of a module: its path in the user's network, prefixed by its stage if it begins with a reserved name.

    Parameters
    ----------
    path : str
        In the `AnalysedNetwork`.
    stage : {"encoder", "latent", "decoder"} or None
    """
    own = path.partition(".")[2] if path.startswith(NETWORK) else path
    return f"{stage}.{own}" if own != path and stage and own.split(".")[0] in _RESERVED else own


def latent_sites(outputs: Collection[str]) -> list[tuple[str, str, str]]:
    """(site name, output name, site kind) of each output of an `AnalysedNetwork` that belongs to the latent."""
    found = []
    for output in outputs:
        if output in _PARTS:
            found.append((f"latent.{output}", output, _PARTS[output]))
        elif output == "latent" or output.startswith("latent."):
            found.append((output, output, "latent" if output == "latent" else "group of latents"))
    if "logvar" not in outputs:
        found = [(name, output, kind.replace("posterior mean", "encoder's point")) for name, output, kind in found]
    return found


def operation_costs(graph: OperatorGraph) -> tuple[OperationCost, ...]:
    """FLOPs and bytes of every operation, per row."""
    sizes = {operation.name: 4.0 * prod(operation.shape) if operation.shape else 0.0 for operation in graph.operations}
    return tuple(
        OperationCost(
            operation.name,
            operation.flops,
            sizes[operation.name] + sum(sizes[name] for name in operation.inputs) if operation.function else 0.0,
            sizes[operation.name],
        )
        for operation in graph.operations
    )


def peak_bytes(graph: OperatorGraph) -> float:
    """Peak bytes of activations per row of a full forward pass in which each value is freed after its last use."""
    last: dict[str, str] = {}
    for operation in graph.operations:
        for name in operation.inputs:
            last[name] = operation.name
    ends = set(graph.outputs.values())
    held, most = 0.0, 0.0
    for operation in graph.operations:
        held += 4.0 * prod(operation.shape) if operation.shape else 0.0
        most = max(most, held)
        for name in dict.fromkeys(operation.inputs):
            if last[name] == operation.name and name not in ends and graph.by_name[name].shape:
                held -= 4.0 * prod(graph.by_name[name].shape)
    return most


def _ends(graph: OperatorGraph, inside: set[str]) -> list[str]:
    """The nodes among `inside` that are read outside, which are the values that the module returns."""
    returned = set(graph.outputs.values())
    return [name for name in inside if name in returned or any(user not in inside for user in graph.users[name])]


def _activation_after(graph: OperatorGraph, node: str, outer: tuple[str, ...]) -> str | None:
    """The functional activation that is the only reader of `node` and is applied by an enclosing call in `outer`."""
    users = graph.users[node]
    if len(users) != 1:
        return None
    user = graph.by_name[users[0]]
    stack = tuple(path for path, _, _ in user.calls)
    is_around = bool(stack) and outer[: len(stack)] == stack
    return user.name if user.function in ACTIVATIONS and is_around else None
