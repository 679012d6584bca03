"""Names of the plugin's files and options."""

from __future__ import annotations

from typing import Final

SUFFIX: Final = ".causal.yaml"
STRICT: Final = "causalvae_strict"
RUNS: Final = "causalvae_runs"
ALLOW_CODE: Final = "causalvae_allow_code"
