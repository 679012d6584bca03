"""Agreement of declared graph, data, network and mapping; only one module here uses pgmpy.

`causalvae.alignment.assess.assess` does the work; it loads pandas and is not handed on here, so that readers of results
need not pay for it.
"""

from causalvae.alignment.types import Alignment, IndependenceCheck, PairCheck

__all__ = ["Alignment", "IndependenceCheck", "PairCheck"]
