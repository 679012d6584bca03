"""The addressable components of a network, and how an address is resolved.

This module does not import torch, so that a plan can be compiled and read without it.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal

from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.spec.address import Address, parse_address

Stage = Literal["encoder", "latent", "decoder"]
# `code[17]`, an entry of a codebook, is short for unit 17 of the site that holds the assignment of codes.
_PARTS = ("encoder", "decoder")
CODE = "code"
CODE_SITE = "latent_layer.code"


@dataclass(frozen=True)
class Site:
    """A place in the network whose value can be read and replaced.

    Parameters
    ----------
    name : str
        Canonical name: dotted module path, ``#k`` for the k-th call (k > 1) of a reused module, ``@pre`` for the value
        before the activation function that follows the module.
    stage : {"encoder", "latent", "decoder"}
    kind : str
        Class of the module, or ``posterior mean`` and the like.
    shape : tuple of int
        Shape of the value without the batch axis; the first axis counts units (channels of an image-shaped value).
    node : str
        Name of the operator-graph node that holds the value.
    is_leaf : bool
        Whether the module has no children; wildcards match only leaves.
    rerun_cost : float
        FLOPs of the nodes downstream of this one, as a share of a full forward pass.
    downstream : frozenset of int
        The operations that a patch here re-runs for the output, as positions in `ComponentMap.operations`.
    reads : frozenset of int
        The operations whose clean values such a re-run reads, including its own.
    before : frozenset of int
        The operations that the value depends on, including its own; without an operator graph, all earlier ones.
    """

    name: str
    stage: Stage
    kind: str
    shape: tuple[int, ...]
    node: str
    is_leaf: bool
    rerun_cost: float
    downstream: frozenset[int] = frozenset()
    reads: frozenset[int] = frozenset()
    before: frozenset[int] = frozenset()

    @property
    def units(self) -> int:
        """Number of units along the first axis."""
        return self.shape[0]


@dataclass(frozen=True, order=True)
class ComponentRef:
    """Units of a site by name: a component without its network, as stored in plans and results.

    Parameters
    ----------
    site : str
        Canonical name.
    units : tuple of int or None
        Positions along the first axis, increasing; None means all.
    window : tuple of (int, int)
        Half-open ranges along the further axes; empty means all.
    """

    site: str
    units: tuple[int, ...] | None = None
    window: tuple[tuple[int, int], ...] = ()

    @property
    def whole(self) -> ComponentRef:
        """All units of the same site and window."""
        return replace(self, units=None)

    @property
    def label(self) -> str:
        """The component as an address."""
        parts = []
        if self.units is not None:
            parts.append(_ranges(self.units))
        if self.window:
            spans = ", ".join(f"{start}:{stop}" for start, stop in self.window)
            parts.append(spans if parts else f":, {spans}")
        return self.site + (f"[{'; '.join(parts)}]" if parts else "")


@dataclass(frozen=True)
class EdgeRef:
    """A connection of two components: what the second reads directly from the first.

    Parameters
    ----------
    source : ComponentRef or None
        None means the input.
    target : ComponentRef or None
        None means the output.
    """

    source: ComponentRef | None
    target: ComponentRef | None

    # Read as a component is: all of what it names.
    units: ClassVar[tuple[int, ...] | None] = None
    window: ClassVar[tuple[tuple[int, int], ...]] = ()

    @property
    def label(self) -> str:
        """The edge as a mediation names it."""
        return self._written("label")

    @property
    def site(self) -> str:
        """The sites that it joins."""
        return self._written("site")

    @property
    def whole(self) -> EdgeRef:
        """The edge itself; see `ComponentRef.whole`."""
        return self

    def _written(self, field: Literal["label", "site"]) -> str:
        source = "input" if self.source is None else getattr(self.source, field)
        return f"{source} -> {'output' if self.target is None else getattr(self.target, field)}"


@dataclass(frozen=True)
class Component:
    """Units of a site: what an address resolves to.

    Parameters
    ----------
    site : Site
    units : tuple of int or None
        Positions along the first axis, increasing; None means all.
    window : tuple of (int, int)
        Half-open ranges along the further axes; empty means all.
    """

    site: Site
    units: tuple[int, ...] | None
    window: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        """Number of units."""
        return self.site.units if self.units is None else len(self.units)

    @property
    def ref(self) -> ComponentRef:
        """The component by name."""
        return ComponentRef(self.site.name, self.units, self.window)

    @property
    def label(self) -> str:
        """The component as an address."""
        return self.ref.label


def _ranges(units: tuple[int, ...]) -> str:
    """Units as a selector; runs of three or more become ranges: (0, 1, 2, 5) -> ``0:3, 5``."""
    runs: list[list[int]] = []
    for unit in units:
        if runs and unit == runs[-1][-1] + 1:
            runs[-1].append(unit)
        else:
            runs.append([unit])
    items: list[str] = []
    for run in runs:
        items += [f"{run[0]}:{run[-1] + 1}"] if len(run) > 2 else [str(unit) for unit in run]
    return ", ".join(items)


@dataclass(frozen=True)
class OperationCost:
    """Cost of one operation of the network, per row.

    Parameters
    ----------
    name : str
    flops : float
    bytes : float
        Activations read and written, in float32, without parameters.
    size : float
        Bytes of its value.
    """

    name: str
    flops: float
    bytes: float
    size: float = 0.0


@dataclass(frozen=True)
class ComponentMap:
    """All sites of a network, in the order in which they are computed.

    Parameters
    ----------
    sites : tuple of Site
    latent_dim : int
    model_digest : str
        Content hash of the weights and of how they are read.
    operations : tuple of OperationCost
        All operations, in the order of computation; empty if the operations are not known.
    before_latent : frozenset of int
        Positions of the operations that the latent depends on.
    row_bytes : float
        Peak bytes of activations per row of a full forward pass; 0 if unknown.
    captured_by : str
        Method of capture, and why `torch.export` failed if hooks are used.
    groups : tuple of (str, int, int)
        (name, start, stop) of each group of latents; the site ``latent.NAME`` holds latents start to stop - 1.
    without_value : frozenset of str
        Addresses of modules that return no single tensor with a row for each input, and so are no sites.
    """

    sites: tuple[Site, ...]
    latent_dim: int
    model_digest: str
    operations: tuple[OperationCost, ...] = ()
    before_latent: frozenset[int] = frozenset()
    row_bytes: float = 0.0
    captured_by: str = "torch.export"
    groups: tuple[tuple[str, int, int], ...] = ()
    without_value: frozenset[str] = frozenset()

    @cached_property
    def flops(self) -> float:
        """FLOPs of a full forward pass, per row; 0 without an operator graph."""
        return sum(operation.flops for operation in self.operations)

    def first_latent(self, site: str) -> int | None:
        """The latent that is the first unit of a site; None if its units are not latents."""
        starts = {f"latent.{name}": start for name, start, _ in self.groups}
        return starts.get(site, 0 if site in ("latent", "latent.mean", "latent.exogenous") else None)

    @cached_property
    def _by_name(self) -> dict[str, Site]:
        return {site.name: site for site in self.sites}

    @property
    def digest(self) -> str:
        """Content hash of names and shapes."""
        return digest([(site.name, site.shape) for site in self.sites])

    def site(self, name: str) -> Site:
        """The site called `name`; raises CV301 with the nearest names where there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            if self.without_value & {name, name.partition(".")[2]}:
                raise CausalVAEError(
                    "CV301",
                    f"{name} is a module of the network, and no component: what is read of it is not one tensor with "
                    "a row for each input.",
                    "Name the layer that reads it, or a module inside it. `causalvae components SPEC` lists all.",
                    name,
                ) from None
            raise _no_such_site(name, tuple(self._by_name)) from None

    @cached_property
    def _places(self) -> dict[str, int]:
        return {operation.name: place for place, operation in enumerate(self.operations)}

    def leads_to(self, first: Site, second: Site) -> bool:
        """Whether `second` is computed from `first`; judged by their order if there is no operator graph."""
        if first.node == second.node:
            return False
        place = self._places.get(first.node)
        if place is None:
            order = [site.name for site in self.sites]
            return order.index(first.name) < order.index(second.name)
        return place in second.before

    def resolve(self, address: str | Address) -> tuple[Component, ...]:
        """The components that an address names, in network order.

        The prefixes ``encoder.`` and ``decoder.`` restrict an address to the sites that this part uses:
        ``encoder.trunk`` is the site ``trunk`` if the encoder uses it.

        Raises
        ------
        CausalVAEError
            CV301 if no site matches, CV302 if a selector exceeds the site's shape, CV312 if it is ambiguous between
            units and a window, CV300 for invalid syntax.
        """
        if isinstance(address, str):
            try:
                parsed = parse_address(address)
            except ValueError as error:
                raise CausalVAEError(
                    "CV300", f"{error}.", "Write path[selector], as `causalvae components` lists paths.", address
                ) from None
        else:
            parsed = address
        return tuple(_select(site, parsed) for site in self._matching(parsed))

    def _matching(self, address: Address) -> tuple[Site, ...]:
        stage, _, rest = address.path.partition(".")
        part = replace(address, path=rest) if stage in _PARTS and rest else None
        if not address.is_pattern:
            if part is not None and _site_name(address) not in self._by_name:
                inside = self._by_name.get(_site_name(part))
                if inside is not None and inside.stage == stage:
                    return (inside,)
            return (self.site(_site_name(address)),) if address.path != CODE else (self.site(CODE_SITE),)
        patterns = [_pattern(address), *([] if part is None else [_pattern(part)])]
        found = tuple(
            site
            for site in self.sites
            if site.is_leaf
            and (part is None or site.stage == stage)
            and site.name.endswith("@pre") == address.pre
            and any(pattern.match(site.name.removesuffix("@pre")) for pattern in patterns)
        )
        if not found:
            raise _no_such_site(address.path, tuple(self._by_name))
        return found


def _site_name(address: Address) -> str:
    call = f"#{address.call}" if address.call > 1 else ""
    return address.path + call + ("@pre" if address.pre else "")


def _pattern(address: Address) -> re.Pattern[str]:
    parts = []
    for part in address.path.split("."):
        if part == "**":
            parts.append(r"[^.]+(?:\.[^.]+)*")
        else:
            parts.append(re.escape(part).replace(r"\*", "[^.]*"))
    # A pattern without a call number matches every call of a reused module.
    call = rf"#{address.call}" if address.call > 1 else r"(?:#\d+)?"
    return re.compile("^" + r"\.".join(parts) + call + "$")


def _no_such_site(name: str, names: tuple[str, ...]) -> CausalVAEError:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    below = [other for other in names if other.startswith(name.rstrip("*.") + ".")][:3]
    choices = near or below
    hint = f"Did you mean {', '.join(choices)}? " if choices else ""
    return CausalVAEError(
        "CV301",
        f"no component of the network is called {name!r}.",
        f"{hint}`causalvae components SPEC` lists all.",
        name,
    )


def _select(site: Site, address: Address) -> Component:
    ranges = sum(span.stop is None or span.start is None or span.stop - span.start > 1 for span in address.units)
    if len(site.shape) > 1 and ranges > 1 and len(address.units) == len(site.shape):
        raise CausalVAEError(
            "CV312",
            f"{len(address.units)} ranges for {site.name} could name units or a spatial window.",
            "Part units from the window by a semicolon, as in [0:8; 8:24, 8:24].",
            site.name,
        )
    try:
        chosen = sorted({unit for span in address.units for unit in span.indices(site.units)})
        if len(address.window) > len(site.shape) - 1:
            raise IndexError(f"{len(address.window)} ranges for {len(site.shape) - 1} further axes")
        window = []
        for span, size in zip(address.window, site.shape[1:], strict=False):
            positions = span.indices(size)
            window.append((positions[0], positions[-1] + 1))
    except IndexError as error:
        shape = " x ".join(map(str, site.shape))
        raise CausalVAEError(
            "CV302",
            f"the selector of {site.name} leaves its shape ({shape}): {error}.",
            f"Units of {site.name} are 0 to {site.units - 1}.",
            site.name,
        ) from None
    units = tuple(chosen) if chosen and len(chosen) < site.units else None
    if not chosen and address.units:
        raise AssertionError("a span is never empty")
    return Component(site, units, tuple(window))
