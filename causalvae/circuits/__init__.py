"""Hypotheses about circuits, the circuits that they are compared with, and verdicts."""

from causalvae.circuits.types import ClaimTest, Failing, Minimality, Rivals, Verdict
from causalvae.circuits.verdict import judge

__all__ = ["ClaimTest", "Failing", "Minimality", "Rivals", "Verdict", "judge"]
