"""KL and maximum-likelihood regression under the published names; the mathematics is `ebm.losses`."""

from ebm.losses.ltr import KLRegression, KLRegressionGrid, MLRegression, NCERegression

__all__ = ["KLRegression", "KLRegressionGrid", "MLRegression", "NCERegression"]
