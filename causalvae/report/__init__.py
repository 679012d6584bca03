"""Results as HTML, Markdown and JSON. Nothing here computes a statistic: it formats and lays out."""

from causalvae.report.json_report import load_results
from causalvae.report.write import write_report

__all__ = ["load_results", "write_report"]
