"""How latents were chosen for a factor, and how stable the choice is, in words."""

from __future__ import annotations

from causalvae.selection import FoundLatents


def found_words(found: FoundLatents) -> str:
    """The chosen latents, what they were chosen by, and on how many pairs."""
    what = "of the movement"
    if found.by == "effect":
        what = f"of the effect on {' and '.join(found.outcomes) or 'the output'}"
    listed = " and ".join(f"latent[{i}] ({found.shares[i]:.0%} {what})" for i in found.latents)
    return f"{listed}, on {found.pairs} pairs that are used for nothing else{_stability_words(found)}"


def _stability_words(found: FoundLatents) -> str:
    stability = found.stability
    if stability is None:
        return ""
    words = f"; the same choice in {stability.same:.0%} of {stability.redraws} halves of these pairs"
    if len(found.latents) > 1 and stability.same < 1:
        each = zip(found.latents, stability.frequencies, strict=True)
        words += f" ({', '.join(f'latent[{i}] in {share:.0%}' for i, share in each)})"
    return words


def selection_words(found: FoundLatents) -> str:
    """That intervals are given the choice, with the interval over choosing again next to it."""
    words = f"{found.factor} was placed by what its latents do: " if found.by == "effect" else f"{found.factor}: "
    words += f"{found_words(found)}. The intervals of this claim are given the choice"
    stability = found.stability
    if stability is None or stability.share is None or stability.lower is None or stability.upper is None:
        return f"{words}."
    interval = f"{stability.lower:.0%} to {stability.upper:.0%}"
    return (
        f"{words}; chosen on one half of those pairs and measured on the other, the latents carry "
        f"{stability.share:.0%} of the effect alone ({stability.confidence:.0%} of the halves: {interval})."
    )
