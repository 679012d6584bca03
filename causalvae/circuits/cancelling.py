"""Units that work against an effect: alone, each carries a negative share of it."""

from __future__ import annotations

from causalvae.circuits.table import CircuitTable, is_inside
from causalvae.circuits.types import UnitShare
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.significance import t_test
from causalvae.statistics.multiplicity import adjust

# A share above this is not worth naming.
_LEAST = -0.05
_MOST_NAMED = 10


def find_cancelling(table: CircuitTable | None, bootstrap: PairedBootstrap | None) -> tuple[UnitShare, ...]:
    """The units of the circuit's sites whose own share is shown to be negative, the strongest first.

    Shown by the interval, and by a t-test with Holm's correction over all units: at one level for each, one of twenty
    units that carry nothing would be named in a third of runs.

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
    p_values = adjust(t_test(products).p_less, "holm")
    found = []
    for k, row in enumerate(rows):
        lower, upper, _ = shares.ends(k)
        if shares.value[k] <= _LEAST and upper < 0 and p_values[k] <= 1 - bootstrap.confidence:
            (unit,) = table.circuits[row]
            inside = is_inside(unit, table.units)
            found.append(UnitShare(unit, float(shares.value[k]), lower, upper, inside))
    return tuple(sorted(found, key=lambda share: share.share)[:_MOST_NAMED])
