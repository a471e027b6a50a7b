"""Conditional densities for a person's own data: `ebm.fit` and what it returns."""

from ebm.fitting.censored import Censored
from ebm.fitting.config import FitConfig
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.loading import load_fitted
from ebm.fitting.loop import History
from ebm.fitting.training import fit

__all__ = ["Censored", "FitConfig", "FittedEBM", "History", "fit", "load_fitted"]
