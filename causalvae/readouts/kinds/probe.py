"""The probability that a probe of this package gives to one level of a factor of dSprites."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from causalvae.spec.columns import Columns
from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import ReadoutSection
from causalvae.spec.section import Name

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class ProbeReadout(ReadoutSection):
    """The probability that a probe of this package gives to one level of a factor of dSprites.

    It reads images of 64 x 64 with one channel. For labels of other data write a readout of your own.
    """

    kind: ClassVar[str] = "probe"

    readout: Literal["probe"]
    target: Name = Field(description="The categorical factor that it was trained to read.")
    label: str = Field(description="The level whose probability is the attribute.")

    def findings(self, name: str, path: Path, source: DataEntry | None) -> list[Finding]:
        """A finding if the target is not a categorical factor or the label is not a level."""
        known_factors = None if source is None else source.factors
        target = None if source is None or known_factors is None else source.factor(self.target)
        if known_factors is not None and (target is None or target.kind != "categorical"):
            categorical = [factor.name for factor in known_factors if factor.kind == "categorical"]
            reason = "the data have no such factor" if target is None else f"it is {target.kind}"
            return [
                Finding(
                    "CV040",
                    (*path, "target"),
                    f"a probe cannot read {show_text(self.target)}: {reason}",
                    f"Name a categorical factor: {list_choices(categorical)}.",
                    nearest(self.target, categorical),
                )
            ]
        known = _shipped()
        if self.target not in known:
            return [
                Finding(
                    "CV040",
                    (*path, "target"),
                    f"there is no probe for {show_text(self.target)}: this package has probes for factors of dSprites",
                    f"Probes are there for: {list_choices(known, 'and')}. Measure something else, such as area or "
                    "mean, or write a readout of your own (docs/extending.md).",
                    nearest(self.target, known),
                )
            ]
        if target is None or self.label in target.labels:
            return []
        return [
            Finding(
                "CV041",
                (*path, "label"),
                f"'{target.name}' has no level {show_text(self.label)}",
                f"Its levels are {list_choices(target.labels, 'and')}.",
                nearest(self.label, target.labels),
                related=((*path, "target"),),
            )
        ]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout.

        Raises
        ------
        CausalVAEError
            CV214 or CV215 if there is no probe for the target or it does not have the label.
        """
        from causalvae.readouts.readout import ProbeOutput

        return ProbeOutput.shipped(attribute, self.target, self.label)


def _shipped() -> tuple[str, ...]:
    """Factors that there is a probe for, by the names of files."""
    files = (resources.files("causalvae.readouts") / "weights").iterdir()
    names = [file.name.removesuffix(".safetensors") for file in files if file.name.endswith(".safetensors")]
    return tuple(sorted(name.removeprefix("dsprites-") for name in names if name.startswith("dsprites-")))
