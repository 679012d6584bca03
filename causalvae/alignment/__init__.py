"""Agreement of declared graph, data, network and mapping; pgmpy stands behind one adapter here.

`causalvae.alignment.assess.assess` does the work; it loads pandas and is not handed on here, so that readers of results
need not pay for it.
"""

from causalvae.alignment.types import Alignment, IndependenceCheck, PairCheck

__all__ = ["Alignment", "IndependenceCheck", "PairCheck"]
