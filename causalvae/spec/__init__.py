"""The spec language: YAML text to a checked spec, or to diagnostics."""
