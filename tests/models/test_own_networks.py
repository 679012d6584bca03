"""VAEs as tutorials write them: read as they are, and every intervention against plain hooks on the network itself."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from causalvae.engine.shards import ShardInputs
from causalvae.errors import CausalVAEError
from causalvae.models.capturing import find_components
from causalvae.models.components import Site
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked import HookedNetwork
from causalvae.models.kinds.checkpoint import CheckpointModel
from causalvae.models.kinds.python import PythonModel
from causalvae.models.latent_shape import fit_latent
from causalvae.models.loading import Model, assemble, load_model, randomise
from causalvae.models.network import AnalysedNetwork
from causalvae.models.opened import Opened
from causalvae.models.own_network import read_own
from causalvae.models.python_source import make_network
from causalvae.models.vae import deviation_of
from causalvae.plan.types import Patch
from causalvae.spec.model_section import OutputSection
from causalvae.spec.value_source import make_source
from causalvae.trust import allow_code
from tests.models.test_variants import by_engine, put
from tests.models.tutorial_networks import (
    IMAGE,
    LATENTS,
    TUTORIALS,
    LinearVAE,
    PlainListVAE,
    Tutorial,
    by_methods,
    draw,
    draw_std,
    samples,
)

CASES = Path(__file__).parents[3] / "shared" / "cases" / "networks"
ROWS = 9
# Modules that a network does not register, by the addresses that they have.
UNREGISTERED: dict[type, Callable[[Any], Iterable[tuple[str, nn.Module]]]] = {
    PlainListVAE: lambda net: (
        ("layers.0", net.layers[0]),
        ("layers.1", net.layers[1]),
        ("last", inspect.getclosurevars(net.finish).nonlocals["last"]),
    )
}


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


def read(network: nn.Module, tutorial: Tutorial, **keys: Any) -> Opened:
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
            found = by_engine(model, Patch(site.name, (unit,), make_source("interchange")), inputs)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5, msg=lambda m, at=site.name: f"{at}: {m}")
            moved += bool((expected - clean).abs().amax() > 1e-4)
    assert moved > 1, "changes must arrive for agreement to mean anything"


def _check_addresses(model: Model, network: nn.Module, tutorial: Tutorial) -> None:
    """Every module with parameters that are used is a site; the parts' patterns take all of their leaves."""
    names = {site.name.removesuffix("@pre") for site in model.components.sites}
    for path, module in (*network.named_modules(), *UNREGISTERED.get(type(network), lambda _: ())(network)):
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
    return None if _module_at(network, path) is None else (path, int(call or 1))


def _module_at(network: nn.Module, path: str) -> nn.Module | None:
    further = dict(UNREGISTERED.get(type(network), lambda _: ())(network))
    return dict(network.named_modules()).get(path) or further.get(path)


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

    module = _module_at(network, place[0])
    assert module is not None
    handle = module.register_forward_hook(after)
    try:
        return tutorial.run(network, x)[3]
    finally:
        handle.remove()


class Wide(nn.Module):
    """A module `encoder` twice as wide as the latent, and heads behind it that only a forward() with labels uses."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 2 * LATENTS))
        self.fc_mu = nn.Linear(2 * LATENTS, LATENTS)
        self.fc_var = nn.Linear(2 * LATENTS, LATENTS)
        self.decoder = nn.Sequential(nn.Linear(LATENTS, 64), nn.Unflatten(1, IMAGE))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.decoder(self.fc_mu(self.encoder(x)))


class Glued(Wide):
    """Heads behind an operation that belongs to no module."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        h = self.encoder(x) * 2
        return self.decoder(draw(self.fc_mu(h), self.fc_var(h)))


class Softplus(LinearVAE):
    """A standard deviation that is no known function of what `encode` returns."""

    def forward(self, x: Tensor) -> Tensor:
        mean, second = self.encode(x)
        return self.decode(draw_std(mean, nn.functional.softplus(second)))


class Extra(LinearVAE):
    def decode(self, z: Tensor, skip: Tensor) -> Tensor:
        return super().decode(z) + skip


class Nothing(LinearVAE):
    def encode(self, x: Tensor) -> dict[str, float]:
        return {"loss": 1.0}


@pytest.mark.parametrize(
    ("network", "keys", "code", "told"),
    [
        (Wide, {}, "CV140", "neither part uses fc_mu and fc_var"),
        (Glued, {}, "CV140", "passes another value to decoder"),
        (Glued, {"posterior": {"layout": "chunk"}}, "CV140", "passes another value to decoder"),
        (Softplus, {}, "CV140", "not a known function"),
        (LinearVAE, {"posterior": {"second": "std"}}, "CV140", "another standard deviation"),
        (Extra, {}, "CV142", "decode takes skip in addition to its first argument"),
        (Nothing, {}, "CV141", "encode returns a dict without tensors"),
        (LinearVAE, {"encoder": "inference"}, "CV119", "no module or method 'inference'"),
        (nn.Sequential, {}, "CV119", "no method encode and no module encoder"),
        (LinearVAE, {"between": ["vq"]}, "CV119", "'vq'"),
        (LinearVAE, {"latent_dim": 5}, "CV130", "Write latent_dim: 3"),
    ],
)
def test_what_cannot_be_read_is_refused(network: type[nn.Module], keys: dict[str, Any], code: str, told: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(CausalVAEError) as caught:
        read(network(), Tutorial(network, TUTORIALS["linear"].run), **keys)
    assert caught.value.code == code
    assert told in f"{caught.value.message} {caught.value.remedy}"
    assert (caught.value.place or "").startswith("model")


def test_a_missing_part_lists_what_there_is() -> None:
    with pytest.raises(CausalVAEError) as caught:
        read(TUTORIALS["shared block"].make(), Tutorial(nn.Module, by_methods))
    assert "Its methods: inference, generate." in caught.value.remedy
    assert "Its modules: into, block, heads, latent, out, classifier." in caught.value.remedy


def test_a_reading_that_the_spec_declares_is_taken() -> None:
    torch.manual_seed(0)
    found = read(Wide(), Tutorial(Wide, by_methods), posterior={"layout": "chunk"})
    assert found.vae.layout == "chunk"
    assert found.unused == ("fc_mu.weight", "fc_mu.bias", "fc_var.weight", "fc_var.bias")


def test_a_forward_of_several_samples_is_no_contradiction() -> None:
    class Several(LinearVAE):
        def forward(self, x: Tensor) -> Tensor:
            mean, logvar = (value[:, None].expand(-1, 5, -1) for value in self.encode(x))
            return self.decode(draw(mean, logvar).flatten(0, 1))

    torch.manual_seed(0)
    network = Several()
    vae = read(network, Tutorial(Several, by_methods)).vae
    x = samples(IMAGE, 4)
    with torch.no_grad():
        assert torch.equal(vae.encode(x).mean, network.encode(x)[0])


@pytest.mark.parametrize("in_place", [False, True])
def test_a_decoder_that_writes_into_what_it_is_given_is_read_as_its_twin(in_place: bool) -> None:
    class Shifted(LinearVAE):
        def decode(self, z: Tensor) -> Tensor:
            return super().decode(z.add_(1.0) if in_place else z + 1.0)

    torch.manual_seed(0)
    network = Shifted()
    vae = read(network, Tutorial(Shifted, by_methods), output={"activation": "none"}).vae
    x = samples(IMAGE, 4)
    with torch.no_grad():
        mean, logvar = network.encode(x)
        found = vae.encode(x)
        assert torch.equal(found.mean, mean)
        assert torch.equal(found.logvar, logvar)
        assert torch.equal(vae.decode(mean.clone(), x), network.decode(mean.clone()))


def test_a_declared_codebook_is_the_latent_layer() -> None:
    tutorial = TUTORIALS["codebook, loss first"]
    network = network_of("codebook, loss first")
    vae = read(network, tutorial, between=["vq"], output={"activation": "none"}).vae
    x = samples(IMAGE, 5)
    with torch.no_grad():
        assert torch.equal(vae.pass_on(vae.encode(x).mean), tutorial.run(network, x)[2])


def test_a_compiled_network_is_read_as_it_was_before() -> None:
    network = network_of("linear")
    found = read(torch.compile(network), TUTORIALS["linear"])  # type: ignore[arg-type]
    assert found.vae.network is network
    assert "torch.compile" in found.facts["compiled"]


@pytest.mark.parametrize("name", ["bound methods", "plain list", "linear"])
@pytest.mark.parametrize("hooks", [False, True])
def test_a_random_copy_is_random_throughout(name: str, hooks: bool) -> None:
    """A closure goes on calling the modules that it was made with; their weights are drawn anew all the same."""
    model = model_of(name, hooks)
    x, noise = samples(TUTORIALS[name].shape, 4), torch.zeros(4, LATENTS)
    before = {name: tensor.clone() for name, tensor in model.vae.state_dict().items()}
    copied = randomise(model, 3)
    fresh = {name: tensor for name, tensor in copied.vae.state_dict().items() if tensor.ndim > 1}
    with torch.inference_mode():
        clean, output = model.graph.run(x, noise), model.graph.outputs["output"]
        drawn = copied.graph.run(x, noise)
        assert torch.equal(model.graph.run(x, noise)[output], clean[output])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.vae.state_dict().items())
    assert all(not torch.equal(tensor, before[name]) for name, tensor in fresh.items())
    for site in model.components.sites:
        if site.kind == "Linear":
            assert not torch.allclose(clean[site.node], drawn[site.node], atol=1e-3), site.name


def test_nothing_of_torch_reaches_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("branches", "counts"):
        tutorial = TUTORIALS[name]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            vae = read(network_of(name), tutorial).vae
            assemble(vae, False, name, {}, samples(tutorial.shape, 12))
        assert [str(warning.message) for warning in caught] == []
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_the_mean_of_a_distribution_is_activated_on_demand_alone() -> None:
    network, tutorial = network_of("distributions"), TUTORIALS["distributions"]
    found = [
        read(network, tutorial, output=output) for output in ({}, {"activation": "sigmoid"}, {"likelihood": "gaussian"})
    ]
    assert [one.vae.activation for one in found] == ["none", "sigmoid", "none"]
    # The sections are recorded alike, so what is measured is told apart by the network.
    assert found[0].identity == found[2].identity != found[1].identity
    default = OutputSection()
    assert default.model_dump() == OutputSection(activation="sigmoid").model_dump()
    assert OutputSection.model_validate(default.model_dump(exclude_none=True)) == default, "a resolved spec is the same"


def test_distributions_are_checked_again_afterwards() -> None:
    model_of("counts")
    with pytest.raises(ValueError, match="scale"):
        # torch.compile switches the default off, and not what is asked for.
        torch.distributions.Normal(torch.zeros(1), -torch.ones(1), validate_args=True)


@pytest.mark.parametrize("source", ["python", "checkpoint"])
def test_a_first_vae_is_loaded_as_it_is(source: str, tmp_path: Path) -> None:
    if not (CASES / "first_vae.py").is_file():
        pytest.skip("the case is not here")
    (tmp_path / "first_vae.py").write_bytes((CASES / "first_vae.py").read_bytes())
    keys = {"source": source, "factory": "first_vae:FirstVAE", "latent_dim": 6, "weights": "w.pt"}
    with allow_code():
        torch.manual_seed(0)
        network, _ = make_network("first_vae:FirstVAE", {}, tmp_path)
        torch.save(network.state_dict(), tmp_path / "w.pt")
        given = (PythonModel if source == "python" else CheckpointModel).model_validate(keys)
        x = samples(IMAGE, 12)
        model = load_model(given, tmp_path, IMAGE, x)  # type: ignore[arg-type]
    linear = {site.name.removesuffix("@pre") for site in model.components.sites if site.kind == "Linear"}
    assert linear == {"trunk.1", "fc_mu", "fc_var", "decoder_input", "final_layer"}
    assert [part.site.name for part in model.components.resolve("encoder.trunk.1")] == ["trunk.1"]
    with torch.no_grad():
        mean, logvar = network.encode(x)
        posterior = model.vae.encode(x)
    assert torch.equal(posterior.mean, mean) and torch.equal(posterior.logvar, logvar)
    assert model.unused == ()
    for address in ("decoder.trunk.1", "encoder.decoder_input", "decoder.fc_*"):
        with pytest.raises(CausalVAEError) as caught:
            model.components.resolve(address)
        assert caught.value.code == "CV301"


def test_two_folders_may_each_have_a_module_of_the_same_name(tmp_path: Path) -> None:
    found = []
    for name, width in (("one", 3), ("other", 5)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "blocks.py").write_text(f"WIDTH = {width}\n", encoding="utf-8")
        (folder / "networks.py").write_text(
            "from torch import nn\n\nfrom blocks import WIDTH\n\n\n"
            f"def make_{name}():\n    return nn.Linear(WIDTH, WIDTH)\n",
            encoding="utf-8",
        )
        with allow_code(True):
            network, _ = make_network(f"networks:make_{name}", {}, folder)
        found.append(network.in_features)
    assert found == [3, 5]


def test_what_is_installed_in_a_folder_is_imported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    installed = one / ".venv" / "lib" / "site-packages"
    installed.mkdir(parents=True)
    other.mkdir()
    (installed / "installed_blocks.py").write_text("WIDTH = 3\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(installed))
    for folder in (one, other):
        (folder / "networks.py").write_text(
            "from torch import nn\n\nimport installed_blocks\n\n\ndef make():\n    return nn.Identity()\n",
            encoding="utf-8",
        )
    kept = []
    for folder in (one, other):
        with allow_code(True):
            make_network("networks:make", {}, folder)
        kept.append(sys.modules["installed_blocks"])
    assert kept[0] is kept[1]
