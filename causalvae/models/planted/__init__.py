"""Networks with hand-set weights, whose circuits are known; see docs/circuits.md."""

from causalvae.models.planted.circuits import CIRCUITS, LEAK
from causalvae.models.planted.codes import CODES
from causalvae.models.planted.truth import CodeTruth, Truth, code_truth, truth
from causalvae.models.planted.worlds import WORLDS

__all__ = ["CIRCUITS", "CODES", "LEAK", "WORLDS", "CodeTruth", "Truth", "code_truth", "truth"]
