"""Contract tests for losses, proposals, samplers and densities of your own.

Each check raises an AssertionError that says in words which promise is not kept, and returns None where all
are. They need no test framework, and are what this project's own parts are tested with.
"""

from ebm.testing.densities import check_density
from ebm.testing.losses import check_loss
from ebm.testing.proposals import check_proposal
from ebm.testing.samplers import check_sampler

__all__ = ["check_density", "check_loss", "check_proposal", "check_sampler"]
