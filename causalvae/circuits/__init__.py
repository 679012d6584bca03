"""Hypotheses about circuits, the circuits that they are compared with, and verdicts."""

from causalvae.circuits.types import ClaimTest, Minimality, Rivals, Verdict
from causalvae.circuits.verdict import judge

__all__ = ["ClaimTest", "Minimality", "Rivals", "Verdict", "judge"]
