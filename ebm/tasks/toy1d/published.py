"""What the paper prints for the 1D study, and what a repetition should come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["PUBLISHED", "Published"]


@dataclass(frozen=True)
class Published:
    """One row of the paper's table 1.

    Attributes:
        kl: divergence, nats: mean of the best 5 of 20 runs, averaged over the two data sets.
        cost: seconds an epoch on the authors' machine.
        band: where the average of our best 5 should lie, from an independent repetition; None where that
            was never run.
    """

    kl: float
    cost: float
    band: tuple[float, float] | None


# Source: Gustafsson et al., BMVC 2020, table 1.
PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "ml-is": Published(0.062, 0.44, (0.0, 0.085)),
        "kld-is": Published(0.088, 0.44, (0.0, 0.14)),
        "nce": Published(0.068, 0.45, (0.0, 0.085)),
        "nce+": Published(0.066, 0.46, (0.0, 0.115)),
        "dsm": Published(0.395, 0.47, (0.30, 0.50)),
        "sm": Published(0.781, 0.60, (0.5, 1.0)),
        "ml-mcmc-1": Published(0.865, 0.54, (0.5, 1.1)),
        "ml-mcmc-16": Published(0.449, 2.41, None),
        "ml-mcmc-256": Published(0.106, 30.8, None),
    }
)
