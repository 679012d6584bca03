"""Finds the addressable sites of a captured network."""

from __future__ import annotations

from collections.abc import Collection
from math import prod

from causalvae.models.components import ComponentMap, OperationCost, Site, Stage
from causalvae.models.network_part import NetworkPart
from causalvae.models.operators import ACTIVATIONS, OperatorGraph

_PARTS = {"mean": "posterior mean", "logvar": "posterior log-variance", "exogenous": "before the latent layer"}
_STAGES: dict[str, Stage] = {"encoder": "encoder", "latent_layer": "latent", "decoder": "decoder"}
# Where an `AnalysedNetwork` holds a network whose methods are its parts, and modules that it does not register itself.
NETWORK = ("network.", "beside.")
PART = "part of the network"
# What an address that begins with these names already means.
_RESERVED = ("latent", "latent_layer", "code", "input", "output")


def find_sites(graph: OperatorGraph, latent_dim: int, model_digest: str) -> ComponentMap:
    """Every module's output, and the latent's parts, as sites in the order of computation.

    A site's value has one row an input; a module whose output has not (a view merged the batch axis with another) or
    that returns several values is no site.

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
    # A method of the network may call any of its modules, so what calls others is told by the calls as well.
    callers = {path for stack in outer.values() for path in stack}
    leaves = {path for path in paths - callers if not any(other.startswith(path + ".") for other in paths)}

    places: list[tuple[str, Stage, str, str, bool]] = []
    taken = {address_of(path, None) for path in paths if path.startswith(NETWORK)}
    for (path, call), kind in kinds.items():
        stage = stage_of((*outer[path, call], path)[0])
        if stage is None or (path in taken and not path.startswith(NETWORK)):
            continue
        ends = _ends(graph, inside[path, call])
        # A module that returns several values has no single one to patch; its children do.
        if len(ends) != 1 or not graph.by_name[ends[0]].shape:
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
    return ComponentMap(tuple(sites), latent_dim, model_digest, operation_costs(graph), before, peak_bytes(graph))


def stage_of(outermost: str) -> Stage | None:
    """The part of the network that a call belongs to, by the path of the outermost call around it."""
    return _STAGES.get(outermost.split(".")[0])


def kind_of(kind: str) -> str:
    """What is said of a call of a class: a part of a network that it calls by its methods has no class of its own."""
    return PART if kind == NetworkPart.__name__ else kind


def address_of(path: str, stage: Stage | None) -> str:
    """The address of a module: its path in the user's network, after its stage if the path begins with a reserved name.

    Parameters
    ----------
    path : str
        In the `AnalysedNetwork`.
    stage : {"encoder", "latent", "decoder"} or None
    """
    own = path.partition(".")[2] if path.startswith(NETWORK) else path
    return f"{stage}.{own}" if own != path and stage and own.split(".")[0] in _RESERVED else own


def latent_sites(outputs: Collection[str]) -> list[tuple[str, str, str]]:
    """For each output of an `AnalysedNetwork` that is of the latent: the site's name, the output's, the site's kind."""
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
    """FLOPs and bytes of every operation, a row."""
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
    """The most bytes of activations that a row of a whole forward pass holds at once, each freed once read."""
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
    """The nodes among `inside` that are read outside: what the module returns."""
    returned = set(graph.outputs.values())
    return [name for name in inside if name in returned or any(user not in inside for user in graph.users[name])]


def _activation_after(graph: OperatorGraph, node: str, outer: tuple[str, ...]) -> str | None:
    """The functional activation that alone reads `node` and is applied by one of the calls around it, `outer`."""
    users = graph.users[node]
    if len(users) != 1:
        return None
    user = graph.by_name[users[0]]
    stack = tuple(path for path, _, _ in user.calls)
    is_around = bool(stack) and outer[: len(stack)] == stack
    return user.name if user.function in ACTIVATIONS and is_around else None
