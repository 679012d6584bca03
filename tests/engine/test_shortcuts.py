"""Low-rank entry and windows against a whole forward pass, on networks that stretch their rules."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from causalvae.engine.lowering import TransposedGeometry, interleave, lower, pack
from causalvae.engine.memory import BatchSize
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.suffix import Suffix
from causalvae.engine.workers import single_threaded_kernels
from causalvae.models.burgess import burgess
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE
from causalvae.plan.types import Arm, Patch, Subspace
from causalvae.spec.value_source import make_source

ROWS = 20
SIDE = 16


class Flat(nn.Module):
    """An encoder that is not what is tested."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(SIDE * SIDE, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin(x.flatten(1))


class Residual(nn.Module):
    """Batch norm, a skip past two convolutions, a product of two images, an upsampling, a dilated convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.grow = nn.Linear(4, 6 * 4 * 4)
        self.first = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 6, (3, 1), padding=(1, 0))
        self.wide = nn.Conv2d(6, 5, 3, padding=2, dilation=2)
        self.last = nn.Conv2d(5, 1, 1)
        self.norm.running_mean.uniform_(-1, 1)
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.nn.functional.silu(self.grow(z)).unflatten(1, (6, 4, 4))
        x = x + self.second(torch.relu(self.norm(self.first(x))))
        x = torch.nn.functional.interpolate(x, scale_factor=4, mode="nearest")
        x = self.wide(x) * 0.5
        return self.last(x * torch.sigmoid(x))


class Strided(nn.Module):
    """Transposed convolutions of unequal kernels, strides and paddings, one with groups; a strided one on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.grow = nn.Linear(4, 8 * 3 * 3)
        self.up1 = nn.ConvTranspose2d(8, 6, 3, stride=2, padding=1, output_padding=1)
        self.up2 = nn.ConvTranspose2d(6, 6, 4, stride=2, padding=1, groups=2)
        self.down = nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=3)
        self.up3 = nn.ConvTranspose2d(6, 4, (5, 3), stride=(3, 2), padding=(2, 0))
        self.up4 = nn.ConvTranspose2d(4, 1, 2, stride=1)
        self.even = nn.AdaptiveAvgPool2d((SIDE, SIDE))

    def forward(self, z: Tensor) -> Tensor:
        x = torch.tanh(self.grow(z)).view(-1, 8, 3, 3)
        x = torch.relu(self.up1(x))
        x = self.down(torch.relu(self.up2(x)))
        return self.even(self.up4(torch.relu(self.up3(x))))


def small(decoder: nn.Module) -> Model:
    torch.manual_seed(1)
    vae = VAE(Flat(), decoder, latent_dim=4, input_shape=(1, SIDE, SIDE), layout="chunk", activation="none")
    return assemble(vae, False, "small", {})


def make(name: str) -> Model:
    torch.manual_seed(0)
    if name == "burgess":
        vae = burgess()
        with torch.no_grad():
            for parameter in vae.parameters():
                # Freshly drawn weights damp every signal; these let it through.
                parameter *= 2.5 if parameter.ndim > 1 else 1.0
        return assemble(vae, False, "burgess", {})
    return small({"residual": Residual, "strided": Strided}[name]())


def shard(model: Model) -> ShardInputs:
    generator = torch.Generator().manual_seed(2)
    shape = (ROWS, *model.vae.input_shape)
    sides = {side: torch.rand(shape, generator=generator) for side in ("base", "counterfactual")}
    return ShardInputs("c", 0, sides, torch.zeros(ROWS, model.vae.latent_dim))


def arms_of(model: Model) -> dict[str, list[Arm]]:
    """For each site: single units, a pair of units, single positions, a subspace, the whole."""
    found = {}
    swap = make_source("interchange")
    for site in model.components.sites:
        if site.name == "latent.noise":
            continue
        last = site.units - 1
        patches = [Patch(site.name, (unit,), swap) for unit in sorted({0, site.units // 2, last})]
        patches += [Patch(site.name, (0, last), swap), Patch(site.name, (last,), make_source("zero"))]
        patches += [Patch(site.name, None, swap, subspace=Subspace(1, 3)), Patch(site.name, None, swap)]
        if len(site.shape) == 3:
            ends = [((0, 1), (0, 1)), tuple((size // 2, size // 2 + 1) for size in site.shape[1:])]
            ends += [((0, 2), (site.shape[2] - 1, site.shape[2]))]
            patches += [Patch(site.name, (unit,), swap, window) for unit in (0, last) for window in ends]
            patches += [Patch(site.name, None, swap, ends[1])]
        found[site.name] = [Arm("c", side, (patch,), ROWS) for side in ("base",) for patch in patches]
    return found


def some_arms(model: Model) -> dict[str, list[Arm]]:
    """Of a large network the arms of every second site, so that each kind of operation is met a few times."""
    found = arms_of(model)
    return dict(list(found.items())[:: 2 if len(found) > 20 else 1])


def outputs(model: Model, arms: list[Arm], inputs: ShardInputs, shortcuts: Shortcuts, rows: int = 64) -> Tensor:
    """(arms, rows, *output shape); rows that are not run keep the clean output."""
    graph = lower(model.graph)
    clean = run_clean(graph, inputs)
    group = Group(graph, model.components, arms, clean, {}, [ROWS] * len(arms), shortcuts)
    result = clean.sides["base"][graph.outputs["output"]].expand(len(arms), *[-1] * 4).clone()
    for batch in group.batches(group.live(), BatchSize(rows)):
        result[batch.arms, batch.pairs] = batch.output
    return result


@cache
def whole_passes(name: str) -> tuple[Model, ShardInputs, Tensor, dict[str, Tensor]]:
    """A network, its inputs, its clean outputs, and each site's arms by whole forward passes."""
    model = make(name)
    inputs = shard(model)
    with torch.inference_mode():
        clean = run_clean(lower(model.graph), inputs).sides["base"][model.graph.outputs["output"]]
        wanted = {site: outputs(model, arms, inputs, PLAIN) for site, arms in some_arms(model).items()}
    return model, inputs, clean, wanted


PLAIN = Shortcuts(suffix=False, dead_rows=False, low_rank=False, windows=False)


@pytest.mark.parametrize("name", ["burgess", "residual", "strided"])
@pytest.mark.parametrize(
    "shortcuts",
    [Shortcuts(), Shortcuts(dead_rows=False), Shortcuts(windows=False), Shortcuts(low_rank=False, windows=False)],
    ids=["all", "dead rows run", "no windows", "suffix and dead rows"],
)
def test_shortcuts_give_what_a_whole_pass_gives(name: str, shortcuts: Shortcuts) -> None:
    model, inputs, clean, wanted = whole_passes(name)
    changed = 0
    scale = float(clean.abs().max())
    for site, arms in some_arms(model).items():
        with torch.inference_mode():
            found = outputs(model, arms, inputs, shortcuts)
        torch.testing.assert_close(found, wanted[site], rtol=0, atol=2e-6 * scale, msg=lambda m, s=site: f"{s}: {m}")
        changed += int((wanted[site] - clean).abs().amax((2, 3, 4)).gt(1e-4 * scale).sum())
    assert changed > 1000, "the patches must change something for agreement to mean anything"


@pytest.mark.parametrize("name", ["burgess", "residual", "strided"])
def test_a_patch_with_its_own_value_changes_nothing_bit_for_bit(name: str) -> None:
    model = make(name)
    inputs = shard(model)
    same = replace(inputs, sides={"base": inputs.sides["base"], "counterfactual": inputs.sides["base"]})
    with torch.inference_mode():
        clean = run_clean(lower(model.graph), same).sides["base"][model.graph.outputs["output"]]
        for site, arms in some_arms(model).items():
            own = [arm for arm in arms if arm.patches[0].source.kind == "interchange"]
            found = outputs(model, own, same, Shortcuts(dead_rows=False))
            assert torch.equal(found, clean.expand_as(found)), site


def test_a_row_does_not_depend_on_the_rows_that_it_is_run_with() -> None:
    model = make("burgess")
    inputs = shard(model)
    # As the engine runs them: a kernel that is split over threads may get fewer than sixteen rows at a time.
    with torch.inference_mode(), single_threaded_kernels():
        for site, arms in some_arms(model).items():
            together = outputs(model, arms, inputs, Shortcuts(), rows=512)
            apart = outputs(model, arms, inputs, Shortcuts(), rows=16)
            assert torch.equal(together, apart), site


def test_only_the_reach_of_a_patch_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions that convolutions compute for one unit of the layer before the image, counted by hand.

    A unit at (1, 1) of 4 x 4 reaches 4 x 4 of 8 x 8, 10 x 10 of 16 x 16, 22 x 22 of 32 x 32 and 46 x 46 of 64 x 64.
    """
    model = make("burgess")
    inputs = shard(model)
    site = model.components.site("decoder.lin3")
    seen: dict[str, tuple[int, ...]] = {}
    settle = Suffix._settle

    def watch(self: Suffix, change: object, name: str, *rest: object) -> object:
        seen[name] = tuple(change.value.shape[2:])  # type: ignore[attr-defined]
        return settle(self, change, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Suffix, "_settle", watch)
    with torch.inference_mode():
        outputs(model, [Arm("c", "base", (Patch(site.name, (16 * 5 + 5,), make_source("interchange")),), ROWS)], inputs,
                Shortcuts(dead_rows=False))  # fmt: skip
    convolutions = [name for name in seen if name.startswith("conv_transpose2d")]
    assert [seen[name] for name in convolutions] == [(4, 4), (10, 10), (22, 22), (46, 46)]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [((4, 4), (2, 2), (1, 1)), ((3, 5), (2, 3), (1, 2)), ((2, 2), (2, 2), (0, 0))]
)
def test_phases_are_the_transposed_convolution(
    kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn((3, 2, *kernel), generator=generator, dtype=torch.float64)
    x = torch.randn((4, 3, 5, 6), generator=generator, dtype=torch.float64)
    geometry = TransposedGeometry(stride, padding, (0, 0), kernel)
    rows, columns = geometry.taps
    together = nn.functional.conv2d(x, pack(weight, geometry), padding=(rows - 1, columns - 1))
    expected = nn.functional.conv_transpose2d(x, weight, stride=stride, padding=padding)
    top, left = padding
    found = interleave(together.permute(0, 2, 3, 1), geometry)
    found = found[:, :, top : top + expected.shape[2], left : left + expected.shape[3]]
    torch.testing.assert_close(found, expected)


def test_a_batch_that_does_not_fit_is_halved() -> None:
    # Halves are rounded down to a multiple of 32 rows.
    size = BatchSize(200)

    def run(rows: int) -> int:
        if rows > 40:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")
        return rows

    found = [size.attempt(lambda: run(size.rows)) for _ in range(3)]
    assert found == [None, None, 32]
    assert size.shrunk == [200, 96]


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def run() -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        BatchSize(64).attempt(run)


def test_group_norm_keeps_its_accuracy() -> None:
    """Summed over a channels-last image it would be some fifteen times less exact."""

    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grow = nn.Linear(4, 16 * SIDE * SIDE)
            self.conv = nn.Conv2d(16, 32, 3, padding=1)
            self.norm = nn.GroupNorm(4, 32)
            self.last = nn.Conv2d(32, 1, 1)

        def forward(self, z: Tensor) -> Tensor:
            return self.last(self.norm(self.conv(self.grow(z).view(-1, 16, SIDE, SIDE)) + 100.0))

    model = small(Normed())
    inputs = shard(model)
    with torch.inference_mode():
        clean = run_clean(lower(model.graph), inputs).sides["base"][model.graph.outputs["output"]]
        exact = model.vae.double()(inputs.sides["base"].double())
    plain = float(
        (model.graph.run(inputs.sides["base"], inputs.noise)[model.graph.outputs["output"]] - exact).abs().max()
    )
    assert float((clean - exact).abs().max()) < 3 * plain + 1e-7
