"""Counterfactuals against a naive loop: one sample at a time, by plain forward hooks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from causalvae.analyses.counterfactuals.measure import measure_counterfactuals
from causalvae.analyses.counterfactuals.section import CounterfactualsAnalysis
from causalvae.data.factors import Rows
from causalvae.data.pairs import draw_pairs, draw_samples
from causalvae.engine.values import derangement
from causalvae.models.vae import VAE
from causalvae.session import Session
from tests.analyses.counterfactuals.linear_networks import open_linear

SECTION = CounterfactualsAnalysis(samples=24, cycles=3, seed=5)
# a by a latent and b by units of an inner layer, which are the latents' means.
MAPPING = {"a": (0, 4), "b": ("encoder[1]",)}


def swapped(vae: VAE, x: Tensor, donor: Tensor, factor: str) -> Tensor:
    """The output of one input with some values of a donor's run."""
    module: nn.Module = vae.encoder
    units: Sequence[int] = (0, 4) if factor == "a" else (1,)
    seen: list[Tensor] = []
    watch = module.register_forward_hook(lambda _, given, out: seen.append(out.clone()))
    vae(donor[None])
    watch.remove()

    def put(_: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
        changed = out.clone()
        changed[:, list(units)] = seen[0][:, list(units)]
        return changed

    patch = module.register_forward_hook(put)
    try:
        output: Tensor = vae(x[None])[0]
        return output
    finally:
        patch.remove()


class ByHand:
    """Samples, counterfactuals and donors of both factors, drawn as the analysis draws them."""

    def __init__(self, session: Session) -> None:
        self.session, self.vae, data = session, session.model.vae, session.dataset
        self.x: dict[str, Tensor] = {}
        self.data: dict[str, Tensor] = {}
        self.forth: dict[str, Tensor] = {}
        self.back: dict[str, Tensor] = {}
        for factor in MAPPING:
            pairs = draw_pairs(data, factor=factor, samples=24, seed=5)
            self.x[factor], self.data[factor] = data.inputs(pairs.base), data.inputs(pairs.counterfactual)
            donors = pairs.base[derangement(24, 5)]

            def imposed(side: Rows, factor: str = factor, donors: Rows = donors) -> Tensor:
                values = data.values(side)[:, data.space.position(factor)]
                return data.inputs(data.intervene(donors, factor, values, "hold"))

            self.forth[factor], self.back[factor] = imposed(pairs.counterfactual), imposed(pairs.base)

    def attributes(self, outputs: list[Tensor]) -> np.ndarray:
        return self.session.measure(torch.stack(outputs)).numpy()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[ByHand, pd.DataFrame]:
    session = open_linear("mixed", MAPPING)
    tables = measure_counterfactuals(session, SECTION, tmp_path_factory.mktemp("tables"))
    return ByHand(session), tables.values


def found(values: pd.DataFrame, factor: str, point: str, cycles: int = 0, other: str = "") -> np.ndarray:
    rows = values[
        (values["factor"] == factor)
        & (values["other"] == other)
        & (values["point"] == point)
        & (values["cycles"] == cycles)
    ]
    return rows.sort_values("sample")[[f"attribute:y{name}" for name in "abcd"]].to_numpy()


@torch.inference_mode()
def test_one_application(run: tuple[ByHand, pd.DataFrame]) -> None:
    hand, values = run
    for factor in MAPPING:
        outputs = [swapped(hand.vae, x, d, factor) for x, d in zip(hand.x[factor], hand.forth[factor], strict=True)]
        np.testing.assert_allclose(found(values, factor, "output"), hand.attributes(outputs), rtol=1e-5, atol=1e-6)
        for point, inputs in (("input", hand.x), ("data", hand.data)):
            read = hand.attributes(list(inputs[factor]))
            np.testing.assert_allclose(found(values, factor, point), read, rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_there_and_back(run: tuple[ByHand, pd.DataFrame]) -> None:
    hand, values = run
    for factor in MAPPING:
        ends: dict[int, list[Tensor]] = {1: [], 3: []}
        for x, forth, back in zip(hand.x[factor], hand.forth[factor], hand.back[factor], strict=True):
            now = x
            for cycle in (1, 2, 3):
                now = swapped(hand.vae, swapped(hand.vae, now, forth, factor), back, factor)
                if cycle in ends:
                    ends[cycle].append(now)
        for cycle, outputs in ends.items():
            read = hand.attributes(outputs)
            np.testing.assert_allclose(found(values, factor, "back", cycle), read, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_both_orders(run: tuple[ByHand, pd.DataFrame]) -> None:
    hand, values = run
    orders: dict[str, list[Tensor]] = {"output": [], "swapped": []}
    for x, first, second in zip(hand.x["a"], hand.forth["a"], hand.forth["b"], strict=True):
        orders["output"].append(swapped(hand.vae, swapped(hand.vae, x, first, "a"), second, "b"))
        orders["swapped"].append(swapped(hand.vae, swapped(hand.vae, x, second, "b"), first, "a"))
    for point, outputs in orders.items():
        read = hand.attributes(outputs)
        np.testing.assert_allclose(found(values, "a", point, other="b"), read, rtol=1e-5, atol=1e-6)
    assert np.abs(hand.attributes(orders["output"]) - hand.attributes(orders["swapped"])).max() > 1e-3


@torch.inference_mode()
def test_reconstructions_of_reconstructions(run: tuple[ByHand, pd.DataFrame]) -> None:
    hand, values = run
    now = hand.session.dataset.inputs(draw_samples(hand.session.dataset, 24, 5))
    for cycle in range(1, 7):
        now = torch.cat([hand.vae(x[None]) for x in now])
        if cycle in (1, 2, 3, 6):
            # The first samples alone: the analysis repeats up to 64 of those that it observes.
            read = hand.attributes(list(now))
            np.testing.assert_allclose(found(values, "", "repeated", cycle)[:24], read, rtol=1e-4, atol=1e-5)
