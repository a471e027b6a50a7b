"""How a network of the 1D study begins and how its weights move: the published way, and others to test it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError
from ebm.lookup import lookup
from ebm.nn import ToyEnergyNet

__all__ = ["INITIALISATIONS", "OPTIMISERS", "PUBLISHED", "SCHEDULES", "Optimisation"]


def _of_matrices(fill: Callable[[Tensor], object]) -> Callable[[nn.Module], None]:
    """An initialisation that fills the weights and sets biases to 0."""

    def initialise(net: nn.Module) -> None:
        for parameter in net.parameters():
            fill(parameter) if parameter.ndim == 2 else nn.init.zeros_(parameter)

    return initialise


INITIALISATIONS: Mapping[str, Callable[[nn.Module], None]] = MappingProxyType(
    {
        "torch": lambda net: None,
        "xavier": _of_matrices(nn.init.xavier_uniform_),
        "orthogonal": _of_matrices(nn.init.orthogonal_),
    }
)
OPTIMISERS: Mapping[str, Callable[[Tensor, float], torch.optim.Optimizer]] = MappingProxyType(
    {
        "adam": lambda weights, rate: torch.optim.Adam([weights], lr=rate, fused=True),
        "amsgrad": lambda weights, rate: torch.optim.Adam([weights], lr=rate, amsgrad=True),
        "rmsprop": lambda weights, rate: torch.optim.RMSprop([weights], lr=rate),
    }
)
# The share of the learning rate, from the share of the epochs that are over.
SCHEDULES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {"constant": lambda over: 1.0, "cosine": lambda over: 0.5 * (1 + math.cos(math.pi * over))}
)


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """First weights, optimiser, learning rate and its course.

    Attributes:
        learning_rate: at the beginning.
        init: of `INITIALISATIONS`; ``"torch"`` is what its layers do by themselves.
        optimiser: of `OPTIMISERS`.
        schedule: of `SCHEDULES`; the rate is constant within an epoch.

    Raises:
        UnknownNameError: if there is none of that name.
        DomainError: if the learning rate is not positive and finite.
    """

    learning_rate: float = 1e-3
    init: str = "torch"
    optimiser: str = "adam"
    schedule: str = "constant"

    def __post_init__(self) -> None:
        """Check names and number."""
        lookup("init", self.init, INITIALISATIONS)
        lookup("optimiser", self.optimiser, OPTIMISERS)
        lookup("schedule", self.schedule, SCHEDULES)
        if not 0 < self.learning_rate < math.inf:
            raise DomainError(f"learning_rate must be > 0 and finite, got {self.learning_rate!r}.")

    def first_weights(self, seed: int) -> Tensor:
        """Flat weights ``(591,)`` of a `ToyEnergyNet`, without a trace in the global generator."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = ToyEnergyNet()
            INITIALISATIONS[self.init](net)
            return nn.utils.parameters_to_vector(net.parameters()).detach()

    def optimise(self, weights: Tensor) -> torch.optim.Optimizer:
        """The optimiser of some weights."""
        return OPTIMISERS[self.optimiser](weights, self.learning_rate)

    def rate(self, over: float) -> float:
        """The learning rate when this share of the epochs, 0 to 1, is over."""
        return self.learning_rate * SCHEDULES[self.schedule](over)


PUBLISHED = Optimisation()
