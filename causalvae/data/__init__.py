"""Factor-labelled samples and do(factor) counterfactual pairs."""
