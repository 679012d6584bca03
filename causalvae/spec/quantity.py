"""Base class of the quantities that a hypothesis may bound; each kind is a module of `causalvae.quantities`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.registry import Kind, Registry

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class Quantity(Kind):
    """A ratio of sums over pairs.

    Attributes
    ----------
    title, short : str
        Full name, and name in tables.
    symbol : str
        Symbol in formulas.
    formula : str
        Formula, with x the base input, x' the counterfactual one, c the patched components, Y the outcome.
    meaning : str
        Explanation in words.
    unit : str
        ``share``, ``sd`` (standard deviations of the outcome), or another.
    direction : {"", "denoising", "noising"}
        Direction of the patch.
    limits : tuple of float
        Values always shown in figures.
    of_circuit : bool
        Whether it depends on the patched circuit, or only on the treatment.
    always : bool
        Whether it is reported of every claim; others are computed where they are claimed.
    """

    must_define: ClassVar[tuple[str, ...]] = ("title", "short", "formula", "meaning", "columns", "sentence")

    title: ClassVar[str] = ""
    short: ClassVar[str] = ""
    symbol: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    meaning: ClassVar[str] = ""
    unit: ClassVar[str] = "share"
    direction: ClassVar[str] = ""
    limits: ClassVar[tuple[float, ...]] = (0.0,)
    of_circuit: ClassVar[bool] = True
    always: ClassVar[bool] = False

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """Findings on a bound on the quantity.

        Parameters
        ----------
        draft : Draft
        hypothesis : Hypothesis
        bound : Bound
        path : tuple
            Path of the bound in the spec.
        """
        return []

    # Static methods, as in each kind: `must_define` compares the definitions of base class and kind.
    @staticmethod
    def columns(data: ClaimData) -> RatioColumns | None:
        """The numerator and denominator of each pair; None if the quantity is neither defined nor claimed.

        Raises
        ------
        CausalVAEError
            If it is claimed and not defined.
        """
        raise NotImplementedError

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """The sentence of a verdict, without a full stop.

        Parameters
        ----------
        value, interval : str
            The estimate, and its interval in brackets after a space, or empty.
        asked : str
            What the claim requires.
        outcome : str
        """
        raise NotImplementedError


QUANTITIES: Final = Registry(Quantity, "causalvae.quantities", "causalvae.quantities", "quantity")
