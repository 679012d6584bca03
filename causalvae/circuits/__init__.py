"""Hypotheses about circuits, null circuits, and verdicts."""

from causalvae.circuits.types import ClaimTest, NullCircuits, Verdict
from causalvae.circuits.verdict import holm, judge

__all__ = ["ClaimTest", "NullCircuits", "Verdict", "holm", "judge"]
