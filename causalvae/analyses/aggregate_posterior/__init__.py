"""Which latents are active, and how many dimensions the posterior means of the data fill."""

from causalvae.analyses.aggregate_posterior.section import AggregatePosteriorAnalysis

__all__ = ["AggregatePosteriorAnalysis"]
