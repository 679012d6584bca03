"""Which guides hit one programme, and which programmes come first: what a screen's means alone can tell.

A guide moves the genes of its target and of all that descends from it. So guides of one target move genes alike, and
a guide of a cause moves the genes of its effects, while guides of the effects leave the cause's genes alone (where
effects along several paths do not cancel: the faithfulness that Zhang et al. 2023 assume). Counting whose genes a
target moves, less who moves its own, therefore puts targets in a causal order: a cause has more descendants and fewer
ancestors than its effect. It tells no edges and no latents; it is where the training of targets starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalvae_neighbours.grace.simulation import FloatArray, IntArray

# Genes that move at least so much of what the most moved gene does are the target's own.
_OWN = 0.5


@dataclass(frozen=True)
class Reach:
    """What a screen's means tell of its guides.

    Parameters
    ----------
    places : int array, shape (guides,)
        Each guide's place in the causal order of targets, from 0.
    moved : int array, shape (guides,)
        How many genes it moves.
    share : float array, shape (targets, targets)
        Of the own genes of the target at the second place, the share that the target at the first place moves.
    """

    places: IntArray
    moved: IntArray
    share: FloatArray


def measure_reach(control: FloatArray, perturbed: FloatArray, targets: int, alpha: float = 0.01) -> Reach:
    """Group guides by the genes that they move, and order the groups by whose genes they move.

    Parameters
    ----------
    control : float array, shape (cells, genes)
    perturbed : float array, shape (guides, cells, genes)
        Cells of each guide.
    targets : int
        How many groups to make; at most the number of guides.
    alpha : float
        Level of the two-sample z tests that say which genes moved, divided by the number of genes (Bonferroni).

    Returns
    -------
    Reach
        Groups are made by average linkage on the absolute cosine of the guides' standardised mean changes.
    """
    from scipy.stats import norm

    change = perturbed.mean(axis=1) - control.mean(axis=0)
    error = np.sqrt(perturbed.var(axis=1) / perturbed.shape[1] + control.var(axis=0) / len(control))
    moved = np.abs(change / error) > norm.isf(alpha / (2 * control.shape[1]))
    change = change / control.std(axis=0)
    groups = _group(change, targets)
    members = [groups == group for group in range(targets)]
    # A group moves what any of its guides moves; the genes that it moves most are its target's own.
    reached = np.stack([moved[member].any(axis=0) for member in members])
    strength = np.stack([np.abs(change[member]).mean(axis=0) for member in members])
    own = strength > _OWN * strength.max(axis=1, keepdims=True)
    share = (reached[:, None, :] & own[None, :, :]).sum(axis=2) / own.sum(axis=1)
    lead = share.sum(axis=1) - share.sum(axis=0)
    order = np.argsort(-lead, kind="stable")
    place_of = np.empty(targets, dtype=np.int64)
    place_of[order] = np.arange(targets)
    return Reach(place_of[groups], moved.sum(axis=1), share[np.ix_(order, order)])


def _group(change: FloatArray, targets: int) -> IntArray:
    """Average linkage on the absolute cosine, down to this many groups: int array, (guides,)."""
    direction = change / np.linalg.norm(change, axis=1, keepdims=True)
    likeness = np.abs(direction @ direction.T)
    members = [[guide] for guide in range(len(change))]
    while len(members) > targets:
        pairs = [(a, b) for a in range(len(members)) for b in range(a + 1, len(members))]
        first, second = max(pairs, key=lambda pair: likeness[np.ix_(members[pair[0]], members[pair[1]])].mean())
        members[first] += members.pop(second)
    groups = np.empty(len(change), dtype=np.int64)
    for group, guides in enumerate(members):
        groups[guides] = group
    return groups
