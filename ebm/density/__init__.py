"""The whole density p(y | x) of a model: on a grid of up to three dimensions, or by importance sampling."""

from ebm.density.base import Density
from ebm.density.credible import CredibleSet, GridCredibleSet
from ebm.density.grid import GridDensity
from ebm.density.importance import ImportanceDensity

__all__ = ["CredibleSet", "Density", "GridCredibleSet", "GridDensity", "ImportanceDensity"]
