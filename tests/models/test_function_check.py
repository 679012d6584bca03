"""Networks that are no functions of each input alone are refused; those that only write on their input are handled."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.errors import CausalVAEError
from causalvae.models.batch_rows import ROWS, check_rows
from causalvae.models.capture import capture
from causalvae.models.check import check_model
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.kinds.python import PythonModel
from causalvae.models.latent_shape import fit_latent
from causalvae.models.loading import Model, assemble
from causalvae.models.network import AnalysedNetwork
from causalvae.models.own_network import read_own
from causalvae.models.self_patch import check_sites
from causalvae.models.vae import VAE

LATENTS, STEPS, FEATURES = 2, 3, 4
WIDTH = STEPS * FEATURES
X = torch.rand((40, WIDTH), generator=torch.Generator().manual_seed(7))
NOISE = torch.randn((40, LATENTS), generator=torch.Generator().manual_seed(8))
ROUTES = {"export": capture, "hooks": capture_by_hooks}


class Between(nn.Module):
    """Two linear layers, and a function of the whole batch between them."""

    def __init__(self, between: Callable[[Tensor], Tensor], first: int = WIDTH, last: int = 2 * LATENTS) -> None:
        super().__init__()
        self.first = nn.Linear(first, WIDTH)
        self.last = nn.Linear(WIDTH, last)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.between(self.first(x)))


class Recurrent(nn.Module):
    """A recurrent layer over steps; without `batch_first` it takes the samples for steps."""

    def __init__(self, kind: type[nn.RNNBase], batch_first: bool) -> None:
        super().__init__()
        self.layer = kind(FEATURES, 5, batch_first=batch_first)
        self.last = nn.Linear(5, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x.view(-1, STEPS, FEATURES))[0][:, -1])


class StepsFirst(nn.Module):
    """A recurrent layer without `batch_first`, given what it wants."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(FEATURES, 5)
        self.last = nn.Linear(5, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x.view(-1, STEPS, FEATURES).transpose(0, 1))[0][-1])


class Attention(nn.Module):
    """Attention over steps, or over the batch where `batch_first` is left out."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(FEATURES, 2, batch_first=batch_first)
        self.last = nn.Linear(WIDTH, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(-1, STEPS, FEATURES)
        return self.last(self.layer(x, x, x)[0].flatten(1))


class Transformer(nn.Module):
    """Torch's own encoder layers over steps."""

    def __init__(self, batch_first: bool = True, layers: int = 1, heads: int = 2) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(FEATURES, heads, 8, batch_first=batch_first)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False) if layers > 1 else layer
        self.last = nn.Linear(WIDTH, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layers(x.view(-1, STEPS, FEATURES)).flatten(1))


def batch_normed(**options: bool) -> nn.Module:
    return nn.Sequential(nn.Linear(WIDTH, 8), nn.BatchNorm1d(8, **options), nn.Linear(8, 2 * LATENTS))


def only_row(row: int, share: float, x: Tensor) -> Tensor:
    """Every row depends on one of them, which is itself what it would be alone."""
    weights = torch.ones(len(x), 1)
    weights[row] = 0.0
    return x + share * x[row] * weights if -len(x) <= row < len(x) else x


MIXING: dict[str, Callable[[], nn.Module]] = {
    "mean over the batch": lambda: Between(lambda x: x - x.mean(0)),
    "a little of the mean": lambda: Between(lambda x: x + 1e-4 * x.mean(0)),
    "largest of the batch": lambda: Between(lambda x: x / x.abs().max()),
    "cumulative sum": lambda: Between(lambda x: x.cumsum(0)),
    "cumulative sum from the end": lambda: Between(lambda x: x.flip(0).cumsum(0).flip(0)),
    "sorted": lambda: Between(lambda x: x.sort(0).values),
    "rolled": lambda: Between(lambda x: x.roll(1, 0)),
    "turned over": lambda: Between(lambda x: x.flip(0)),
    "last row": lambda: Between(partial(only_row, -1, 1e-3)),
    "attention by hand": lambda: Between(lambda x: torch.softmax(x @ x.T, 1) @ x),
    "softmax over the batch": lambda: Between(lambda x: torch.softmax(x, 0)),
    "counted": lambda: Between(lambda x: x / len(x)),
    "place in the batch": lambda: Between(lambda x: x + 0.1 * torch.arange(len(x))[:, None]),
    "standardised beyond 16 rows": lambda: Between(lambda x: x - x.mean(0) if len(x) > 16 else x),
    "batch norm in training behaviour": lambda: Between(lambda x: F.batch_norm(x, None, None, training=True)),
    "batch norm without statistics": lambda: batch_normed(track_running_stats=False),
    "gru": lambda: Recurrent(nn.GRU, False),
    "lstm": lambda: Recurrent(nn.LSTM, False),
    "rnn": lambda: Recurrent(nn.RNN, False),
    "attention": lambda: Attention(False),
    "transformer": lambda: Transformer(False),
}


class LastState(nn.Module):
    """The last state of a recurrent layer that takes samples for steps: as many rows as there are steps."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(FEATURES, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.view(-1, STEPS, FEATURES))[1][0]


def vae_of(encoder: nn.Module, decoder: nn.Module | None = None) -> VAE:
    return VAE(encoder, decoder or nn.Linear(LATENTS, WIDTH), LATENTS, (WIDTH,))


def loaded(vae: VAE, sample: bool = False) -> Model:
    """The network, through all that a run does to load one."""
    return assemble(fit_latent(vae, X), sample, "", {}, X)


def refused(vae: VAE) -> CausalVAEError:
    with pytest.raises(CausalVAEError) as caught:
        loaded(vae)
    assert caught.value.code == "CV110"
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("name", MIXING)
@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_rows_that_depend_on_each_other_are_refused(name: str, part: str) -> None:
    torch.manual_seed(0)
    mixing = MIXING[name]()
    if part == "encoder":
        vae = vae_of(mixing)
    else:
        vae = vae_of(
            nn.Linear(WIDTH, 2 * LATENTS), nn.Sequential(nn.Linear(LATENTS, WIDTH), mixing, nn.Linear(4, WIDTH))
        )
    message = refused(vae).message
    assert "its batch" in message


@pytest.mark.parametrize("row", range(ROWS))
@pytest.mark.parametrize("end", ["start", "end"])
def test_a_dependence_on_one_row_is_seen_at_every_place(row: int, end: str) -> None:
    torch.manual_seed(0)
    network = Between(partial(only_row, row if end == "start" else row - ROWS, 1e-3))
    network.forward = lambda x, run=network.forward: (run(x),)  # type: ignore[method-assign]
    with pytest.raises(CausalVAEError, match="depends on"):
        check_rows(network, (X[:ROWS],), ("y",))
    # No row depends on another here, and nothing is said.
    alone = nn.Linear(WIDTH, 2)
    alone.forward = lambda x, run=alone.forward: (run(x),)  # type: ignore[method-assign]
    check_rows(alone, (X[:ROWS],), ("y",), (X,))


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("how", ROUTES)
def test_no_route_of_capture_takes_rows_that_mix(how: str, row: int) -> None:
    torch.manual_seed(0)
    network = AnalysedNetwork(vae_of(Between(partial(only_row, row, 0.1))), True)
    with pytest.raises(CausalVAEError):
        ROUTES[how](network, (X[:3], NOISE[:3]), network.outputs)
    network = AnalysedNetwork(vae_of(nn.Linear(WIDTH, 2 * LATENTS)), True)
    ROUTES[how](network, (X[:3], NOISE[:3]), network.outputs)


@pytest.mark.parametrize(
    ("make", "where", "remedy"),
    [
        (MIXING["gru"], "encoder.layer (GRU)", "batch_first=True"),
        (MIXING["attention"], "encoder.layer (MultiheadAttention)", "batch_first=True"),
        (MIXING["batch norm without statistics"], "encoder.1 (BatchNorm1d)", "track_running_stats=True"),
        (MIXING["mean over the batch"], "encoder (Between)", "torch.where"),
    ],
)
def test_the_module_that_mixes_is_named(make: Callable[[], nn.Module], where: str, remedy: str) -> None:
    torch.manual_seed(0)
    error = refused(vae_of(make()))
    assert where in error.message
    assert remedy in error.remedy


def test_rows_that_are_not_one_an_input_are_refused() -> None:
    """Three steps look like three inputs, which is how many a first pass is given."""
    torch.manual_seed(0)
    assert "batch_first=True" in refused(vae_of(LastState())).remedy


RIGHT: dict[str, Callable[[], nn.Module]] = {
    "gru": lambda: Recurrent(nn.GRU, True),
    "gru over steps on the first axis": lambda: StepsFirst(),
    "attention": lambda: Attention(True),
    "batch norm": batch_normed,
    "transformer": Transformer,
    "two layers": lambda: Transformer(layers=2),
    "an odd number of heads": lambda: Transformer(heads=1),
    "layer norm": lambda: Between(lambda x: F.layer_norm(x, (WIDTH,))),
    "a row's own softmax": lambda: Between(lambda x: torch.softmax(x, 1)),
    "counts, by a distribution": lambda: Between(lambda x: torch.distributions.Poisson(x.exp()).mean.log()),
}


@pytest.mark.parametrize("name", RIGHT)
def test_networks_whose_rows_are_their_own_load_and_give_their_values(name: str) -> None:
    torch.manual_seed(0)
    vae = vae_of(RIGHT[name]())
    model = loaded(vae, True)
    with torch.inference_mode():
        found = model.graph.run(X, NOISE, keep=[])
        assert torch.equal(found[model.graph.outputs["output"]], model.network(X, NOISE)[-1])
        assert check_sites(model.graph, model.components, X, vae.latent_shape) == len(model.components.sites)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("how", ["export", "hooks"])
def test_the_modules_inside_a_transformer_can_be_patched(how: str, layers: int) -> None:
    """In evaluation mode torch would run one fused kernel in their place."""
    torch.manual_seed(0)
    vae = vae_of(Transformer(layers=layers)).requires_grad_(False)
    model = loaded(vae)
    graph = (
        model.graph if how == "export" else capture_by_hooks(model.network, (X[:3], NOISE[:3]), model.network.outputs)
    )
    prefix = "encoder.layers" if layers == 1 else "encoder.layers.layers.1"
    names = {site.name.removesuffix("@pre") for site in model.components.sites}
    assert {f"{prefix}.{name}" for name in ("self_attn", "linear1", "linear2", "norm1", "norm2")} <= names
    seen: list[Tensor] = []
    handle = vae.get_submodule(f"{prefix}.linear1").register_forward_hook(lambda module, given, out: seen.append(out))
    with torch.inference_mode():
        expected = model.network(X, NOISE)[-1]
    handle.remove()
    with torch.inference_mode():
        # With hooks and without, captured and not: the same numbers.
        assert torch.equal(model.network(X, NOISE)[-1], expected)
        found = graph.run(X, NOISE)
    assert torch.equal(found[graph.outputs["output"]], expected)
    node = f"{prefix}.linear1#1" if how == "hooks" else model.components.site(f"{prefix}.linear1@pre").node
    assert torch.equal(found[node], seen[0])


class Keeps(nn.Module):
    """A layer that keeps something from one pass to the next."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.layer = nn.Linear(WIDTH, 2 * LATENTS)
        self.register_buffer("seen", torch.zeros(WIDTH))
        self.count = 0
        self.cache: Tensor | None = None
        self.scratch = torch.zeros(64, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        if self.what == "running statistics":
            self.seen.mul_(0.9).add_(0.1 * x.mean(0))
        elif self.what == "buffer assigned":
            self.seen = 0.9 * self.seen + 0.1 * x[0]
        elif self.what == "count":
            self.count += 1
            x = x + self.count
        elif self.what == "count of no number":
            # NaN in the first pass, zeros in those that follow.
            self.count += 1
            return self.layer(x) * (float("nan") if self.count == 1 else 0.0)
        elif self.what == "weights that shrink":
            self.layer.weight.data.mul_(0.99)
        elif self.what == "first inputs":
            if self.cache is None:
                self.cache = x.mean(0)
            x = x - self.cache
        elif self.what == "last inputs":
            before = self.cache
            self.cache = x.mean(0)
            x = x if before is None else x - before
        y: Tensor = self.layer(x)
        if self.what == "returned memory":
            self.scratch[: len(y)] = y
            return self.scratch[: len(y)]
        return y


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("running statistics", "changes encoder.seen"),
        ("buffer assigned", "changes encoder.seen"),
        ("count", "differ"),
        ("count of no number", "differ"),
        ("weights that shrink", "changes encoder.layer.weight"),
        ("first inputs", "depends on earlier inputs"),
        ("last inputs", "differ"),
        ("returned memory", "writes on"),
    ],
)
def test_what_a_network_keeps_between_passes_is_refused(what: str, said: str) -> None:
    torch.manual_seed(0)
    assert said in refused(vae_of(Keeps(what))).message


class FirstOfAll(nn.Module):
    """Subtracts what it was given first; parts are methods, so that reading it runs them."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, LATENTS)
        self.outer = nn.Linear(LATENTS, WIDTH)
        self.where = where
        self.entries: dict[str, Tensor] = {}

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.where == "attribute":
            if not hasattr(self, "seen"):
                self.seen = x.mean(0)
            x = x - self.seen
        elif self.where == "dictionary":
            x = x - self.entries.setdefault("seen", x.mean(0))
        return self.inner(x), torch.zeros(len(x), LATENTS)

    def decode(self, z: Tensor) -> Tensor:
        return self.outer(z)


def first_of_all(where: str) -> nn.Module:
    torch.manual_seed(0)
    return FirstOfAll(where)


@pytest.mark.parametrize("where", ["attribute", "dictionary", "nowhere"])
def test_reading_a_network_leaves_nothing_in_it(where: str) -> None:
    network = first_of_all(where)
    section = PythonModel.model_validate(
        {"source": "python", "factory": "nowhere:make", "latent_dim": LATENTS, "output": {"activation": "none"}}
    )
    vae = fit_latent(read_own(network, section, X).vae, X)
    assert not hasattr(network, "seen") and not network.entries
    if where == "nowhere":
        assemble(vae, False, "", {}, X)
    else:
        with pytest.raises(CausalVAEError, match="depends on earlier inputs"):
            assemble(vae, False, "", {}, X)


def test_a_cache_that_holds_nothing_of_the_inputs_is_no_state() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(WIDTH, 2 * LATENTS)
            self.cache: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            if self.cache is None:
                self.cache = torch.linspace(0, 1, WIDTH)
            return self.layer(x + self.cache)

    torch.manual_seed(0)
    vae = vae_of(Positions())
    twin = vae_of(nn.Linear(WIDTH, 2 * LATENTS), copy.deepcopy(vae.decoder))
    twin.encoder.load_state_dict(vae.encoder.layer.state_dict())
    with torch.inference_mode():
        found = loaded(vae).graph.run(X, NOISE)
        expected = twin(X + torch.linspace(0, 1, WIDTH))
    assert torch.equal(found[loaded(vae).graph.outputs["output"]], expected)


# Each adds, scales or cuts off what it is given; `in_place` decides where.
CHANGES: dict[str, Callable[[Tensor, bool], Tensor]] = {
    "adds": lambda x, in_place: x.add_(1.0) if in_place else x + 1.0,
    "cuts off": lambda x, in_place: F.relu(x, inplace=in_place),
    "a part, through a view": lambda x, in_place: _through_a_view(x, in_place),
    "past autograd": lambda x, in_place: _past_autograd(x, in_place),
    "by index": lambda x, in_place: _by_index(x, in_place),
}


def _through_a_view(x: Tensor, in_place: bool) -> Tensor:
    if in_place:
        x[:, :1].mul_(2.0)
        return x
    return torch.cat([x[:, :1] * 2.0, x[:, 1:]], 1)


def _past_autograd(x: Tensor, in_place: bool) -> Tensor:
    if in_place:
        x.data.add_(1.0)
        return x
    return x + 1.0


def _by_index(x: Tensor, in_place: bool) -> Tensor:
    x = x if in_place else x.clone()
    x[:, 1] = 0.5
    return x


class Writes(nn.Module):
    """Changes what it is given, or a copy of it."""

    def __init__(self, how: str, in_place: bool, inputs: int, outputs: int, after: bool = False) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)
        self.last = nn.Linear(outputs, outputs)
        self.how, self.in_place, self.after = how, in_place, after

    def forward(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        change = CHANGES[self.how]
        if given is not None:
            x = x + change(given, self.in_place).mean(1, keepdim=True)
        elif not self.after:
            x = change(x, self.in_place)
        y = self.layer(x)
        return self.last(change(y, self.in_place) if self.after else y)


def twins(make: Callable[[bool], VAE]) -> tuple[VAE, VAE]:
    """A network that writes in place and one of the same weights that does not."""
    torch.manual_seed(0)
    first, second = make(True), make(False)
    second.load_state_dict(first.state_dict())
    return first, second


PLACES: dict[str, Callable[[str, bool], VAE]] = {
    "decoder's input": lambda how, here: vae_of(nn.Linear(WIDTH, 2 * LATENTS), Writes(how, here, LATENTS, WIDTH)),
    "encoder's input": lambda how, here: vae_of(Writes(how, here, WIDTH, 2 * LATENTS)),
    "behind a site": lambda how, here: vae_of(Writes(how, here, WIDTH, 2 * LATENTS, after=True)),
    "behind a site of the decoder": lambda how, here: vae_of(
        nn.Linear(WIDTH, 2 * LATENTS), Writes(how, here, LATENTS, WIDTH, after=True)
    ),
    "latent layer's input": lambda how, here: VAE(
        nn.Linear(WIDTH, 2 * LATENTS),
        nn.Linear(LATENTS, WIDTH),
        LATENTS,
        (WIDTH,),
        latent_layer=Writes(how, here, LATENTS, LATENTS),
    ),
    "point that is decoded": lambda how, here: VAE(
        nn.Linear(WIDTH, LATENTS), Writes(how, here, LATENTS, WIDTH), LATENTS, (WIDTH,), layout="point"
    ),
    "input that the decoder reads": lambda how, here: VAE(
        nn.Linear(WIDTH, 2 * LATENTS), Writes(how, here, LATENTS, WIDTH), LATENTS, (WIDTH,), decoder_reads_input=True
    ),
}


# Every way of writing on the posterior mean itself, and every place.
IN_PLACE = [("decoder's input", how, False) for how in CHANGES] + [
    (place, "by index", sample)
    for place in PLACES
    for sample in (False, True)
    if place != "point that is decoded" or not sample
]


@pytest.mark.parametrize(("place", "how", "sample"), IN_PLACE)
def test_writing_in_place_gives_the_twins_numbers_bit_for_bit(place: str, how: str, sample: bool) -> None:
    mine, twin = (loaded(vae, sample) for vae in twins(partial(PLACES[place], how)))
    x = X.clone()
    with torch.inference_mode():
        found, expected = mine.graph.run(x, NOISE), twin.graph.run(x, NOISE)
        assert torch.equal(x, X)
        for name in mine.network.outputs:
            one, other = found[mine.graph.outputs[name]], expected[twin.graph.outputs[name]]
            assert torch.equal(one, other), name
        assert torch.equal(mine.vae(x), twin.vae(x))
        assert check_model(mine.vae, x, False) == check_model(twin.vae, x, False)
        assert torch.equal(x, X)
        # Sites that both have hold the same clean values, of the network before anything writes on them.
        values = []
        for model in (mine, twin):
            side = run_clean(model.graph, ShardInputs("c", 0, {"base": x, "counterfactual": x.flip(0)}, NOISE))
            values.append({site.name: side.sides["base"][site.node] for site in model.components.sites})
        common = values[0].keys() & values[1].keys()
        assert {"encoder", "latent"} <= common
        for name in common:
            assert torch.equal(values[0][name], values[1][name]), name
        check_sites(mine.graph, mine.components, x, mine.vae.latent_shape)


@pytest.mark.parametrize("how", ROUTES)
def test_every_route_gives_the_twins_numbers(how: str) -> None:
    models = [loaded(vae) for vae in twins(partial(PLACES["decoder's input"], "adds"))]
    found = []
    for model in models:
        graph = ROUTES[how](model.network, (X[:3], NOISE[:3]), model.network.outputs)
        with torch.inference_mode():
            values = graph.run(X, NOISE)
        found.append([values[graph.outputs[name]] for name in model.network.outputs])
    assert all(map(torch.equal, *found))


def test_what_is_refused_by_a_better_route_is_captured_by_the_next_with_the_same_numbers() -> None:
    """Control flow by value, and a decoder that writes on some inputs only: neither can be exported."""

    class Sometimes(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.layer = nn.Linear(LATENTS, WIDTH)
            self.in_place = in_place

        def forward(self, z: Tensor) -> Tensor:
            if float(z.max()) > 3.0:
                z = z.clamp_(-3.0, 3.0) if self.in_place else z.clamp(-3.0, 3.0)
            return self.layer(z)

    mine, twin = (loaded(vae) for vae in twins(lambda here: vae_of(nn.Linear(WIDTH, 2 * LATENTS), Sometimes(here))))
    assert mine.graph.how == "hooks"
    far = X * 100
    with torch.inference_mode():
        found, expected = mine.graph.run(far, NOISE), twin.graph.run(far, NOISE)
    assert float(expected[twin.graph.outputs["mean"]].max()) > 3.0
    for name in mine.network.outputs:
        assert torch.equal(found[mine.graph.outputs[name]], expected[twin.graph.outputs[name]]), name
