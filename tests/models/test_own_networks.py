"""VAEs as tutorials write them: read as they are, and every intervention against plain hooks on the network itself."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from causalvae.engine.shards import ShardInputs
from causalvae.models.capturing import find_components
from causalvae.models.components import Site
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked import HookedNetwork
from causalvae.models.latent_shape import fit_latent
from causalvae.models.loading import Model, assemble
from causalvae.models.network import AnalysedNetwork
from causalvae.models.own_network import OwnNetwork, read_own
from causalvae.models.vae import deviation_of
from causalvae.plan.types import Patch, Source
from causalvae.spec.schema import PythonModel
from tests.models.test_variants import by_engine, put
from tests.models.tutorial_networks import LATENTS, TUTORIALS, Tutorial, samples

ROWS = 9


@cache
def network_of(name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = TUTORIALS[name].make().eval()
        with torch.no_grad():
            for parameter in network.parameters():
                # Large enough for patches to move the output visibly.
                parameter.mul_(2.0)
    return network


def section(**keys: Any) -> PythonModel:
    return PythonModel.model_validate({"source": "python", "factory": "a:b", "latent_dim": LATENTS, **keys})


def read(network: nn.Module, tutorial: Tutorial, **keys: Any) -> OwnNetwork:
    x = samples(tutorial.shape, 12)
    found = read_own(
        network,
        section(**{**(tutorial.keys or {}), **keys}),
        x,
        max(0, tutorial.shape[0] - 1) * (len(tutorial.shape) > 1),
    )
    fit_latent(found.vae, x)
    return found


@cache
def model_of(name: str, hooks: bool = False) -> Model:
    tutorial = TUTORIALS[name]
    vae = read(network_of(name), tutorial, output={"activation": "none"}).vae
    x = samples(tutorial.shape, 12)
    if not hooks:
        return assemble(vae, False, name, {}, x)
    network = AnalysedNetwork(vae, False)
    program = capture_by_hooks(network, (x[:4], torch.zeros(4, *vae.latent_shape)), network.outputs)
    return Model(vae, network, program, find_components(program, vae.latent_dim, name), False, {}, x)


@pytest.mark.parametrize("name", TUTORIALS)
def test_the_reading_is_the_networks_own(name: str) -> None:
    tutorial, network = TUTORIALS[name], network_of(name)
    found = read(network, tutorial, output={"activation": "none"})
    vae = found.vae
    x = samples(tutorial.shape, ROWS, seed=3)
    with torch.no_grad():
        mean, second, latent, output = tutorial.run(network, x)
        posterior = vae.encode(x)
        assert torch.equal(posterior.mean, mean)
        assert torch.equal(vae.pass_on(posterior.mean), latent)
        assert torch.equal(vae(x), output)
        if second is None:
            assert posterior.is_point
        else:
            sd = deviation_of(second, tutorial.second)  # type: ignore[arg-type]
            torch.testing.assert_close((0.5 * posterior.logvar).exp(), sd)
    assert (vae.layout, vae.second) == (tutorial.layout, "logvar" if second is None else tutorial.second)
    assert found.unused == tutorial.unused
    assert not network.training


@pytest.mark.parametrize("hooks", [False, True])
@pytest.mark.parametrize("name", TUTORIALS)
def test_every_parameter_has_a_site_and_patches_are_those_of_plain_hooks(name: str, hooks: bool) -> None:
    model, tutorial, network = model_of(name, hooks), TUTORIALS[name], network_of(name)
    assert hooks or isinstance(model.graph, HookedNetwork) == (name == "branches"), model.facts["captured by"]
    sides = {side: samples(tutorial.shape, ROWS, seed) for seed, side in enumerate(("base", "counterfactual"), start=5)}
    inputs = ShardInputs("c", 0, sides, torch.zeros(ROWS, *model.vae.latent_shape))
    _check_addresses(model, network, tutorial)
    moved = 0
    with torch.no_grad():
        clean = tutorial.run(network, sides["base"])[3]
        names = {site.name for site in model.components.sites}
        for site in model.components.sites:
            place = _place(site, names, network)
            if place is None:
                continue
            seen: list[Tensor] = []
            _hooked(tutorial, network, sides["counterfactual"], place, seen, None)
            unit = site.units // 2
            expected = _hooked(tutorial, network, sides["base"], place, [], (unit, seen[0]))
            found = by_engine(model, Patch(site.name, (unit,), Source("interchange")), inputs)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5, msg=lambda m, at=site.name: f"{at}: {m}")
            moved += bool((expected - clean).abs().amax() > 1e-4)
    assert moved > 2, "changes must arrive for agreement to mean anything"


def _check_addresses(model: Model, network: nn.Module, tutorial: Tutorial) -> None:
    """Every module with parameters that are used is a site; the parts' patterns take all of their leaves."""
    names = {site.name.removesuffix("@pre") for site in model.components.sites}
    for path, module in network.named_modules():
        own = [f"{path}.{name}" if path else name for name, _ in module.named_parameters(recurse=False)]
        is_used = path and own and not set(own) <= set(tutorial.unused)
        if is_used and not isinstance(module, nn.Embedding):
            assert names & {path, f"decoder.{path}"}, path
    for part in ("encoder", "decoder"):
        taken = {component.site.name for component in model.components.resolve(f"{part}.**")}
        leaves = {
            s.name for s in model.components.sites if s.stage == part and s.is_leaf and not s.name.endswith("@pre")
        }
        assert taken == leaves
        assert taken


def _place(site: Site, names: Collection[str], network: nn.Module) -> tuple[str, int] | None:
    """The module and the number of its call whose output is a site's value; None after an activation function."""
    if f"{site.name}@pre" in names or site.stage == "latent":
        return None
    path, _, call = site.name.removesuffix("@pre").partition("#")
    for part in ("encoder", "decoder"):
        # A name that already means something stands behind its part.
        if path.startswith(f"{part}.latent"):
            path = path.removeprefix(f"{part}.")
    try:
        network.get_submodule(path)
    except AttributeError:
        return None
    return path, int(call or 1)


def _hooked(
    tutorial: Tutorial,
    network: nn.Module,
    x: Tensor,
    place: tuple[str, int],
    seen: list[Tensor],
    patch: tuple[int, Tensor] | None,
) -> Tensor:
    """The network's output, run by its own methods, with one unit of a module's output replaced by a plain hook."""
    calls = 0

    def after(module: nn.Module, given: Any, output: Tensor) -> Tensor | None:
        nonlocal calls
        calls += 1
        if calls != place[1]:
            return None
        seen.append(output.clone())
        return None if patch is None else put(output.clone(), *patch)

    handle = network.get_submodule(place[0]).register_forward_hook(after)
    try:
        return tutorial.run(network, x)[3]
    finally:
        handle.remove()
