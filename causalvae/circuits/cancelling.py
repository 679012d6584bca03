"""Units that work against an effect: alone, each carries a negative share of it."""

from __future__ import annotations

from causalvae.circuits.table import CircuitTable, is_inside
from causalvae.circuits.types import UnitShare
from causalvae.effects.bootstrap import PairedBootstrap

# A share above this is not worth naming.
_LEAST = -0.05
_MOST_NAMED = 10


def find_cancelling(table: CircuitTable | None, bootstrap: PairedBootstrap | None) -> tuple[UnitShare, ...]:
    """The units of the circuit's sites whose own share is shown to be negative, the strongest first.

    Parameters
    ----------
    table : CircuitTable or None
    bootstrap : PairedBootstrap or None
        Over the table's pairs.
    """
    if table is None or bootstrap is None or not table.singles or "sufficiency" not in table.measures:
        return ()
    rows = [row for row, defined in enumerate(table.defined("sufficiency")) if defined and row in table.singles]
    if not rows:
        return ()
    products = table.measures["sufficiency"].products[rows]
    shares = bootstrap.ratio(products, table.total[None].repeat(len(rows), axis=0))
    found = []
    for k, row in enumerate(rows):
        lower, upper, _ = shares.ends(k)
        if shares.value[k] <= _LEAST and upper < 0:
            (unit,) = table.circuits[row]
            inside = is_inside(unit, table.units)
            found.append(UnitShare(unit, float(shares.value[k]), lower, upper, inside))
    return tuple(sorted(found, key=lambda share: share.share)[:_MOST_NAMED])
