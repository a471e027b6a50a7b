"""The papers' networks for one-dimensional regression."""

from typing import Any, cast

from torch import Tensor, nn

from ebm.baselines.functional import gaussian_nll
from ebm.checks import require_last_dim
from ebm.models import EnergyModel, Features
from ebm.nn.energy import ConditionalEBM, MLPEnergyHead
from ebm.nn.layers import SplitLinear, as_network, mlp, require_candidates

__all__ = ["ToyEnergyNet", "ToyEnergyNetP1", "ToyGaussianNet"]


class ToyEnergyNet(EnergyModel):
    """The papers' 1-D network as released: 591 parameters, smooth in y, two residual additions.

    x: 1-10-10 with ReLU; y: 1-10 with tanh; joint: 20-10, 10-10, 10-10 with tanh, the second and third added
    to their inputs; 10-1.

    Args:
        hidden: width of every layer.

    Source: Gustafsson et al., BMVC 2020, supplement A.
    """

    target_dim = 1

    def __init__(self, hidden: int = 10) -> None:
        super().__init__()
        self.x_net = mlp((1, hidden, hidden))
        self.y_net = mlp((1, hidden), nn.Tanh)
        self.joint = nn.ModuleList(
            [
                SplitLinear(hidden, hidden, hidden),
                nn.Linear(hidden, hidden),
                nn.Linear(hidden, hidden),
                nn.Linear(hidden, 1),
            ]
        )

    def extract(self, x: Any) -> Tensor:
        """First joint layer's share of the inputs, ``(B, 1) -> (B, hidden)``."""
        require_last_dim("x", x, 1, "(B, 1)", rank=2)
        return cast(SplitLinear, self.joint[0]).project(self.x_net(x))

    def score(self, features: Features, y: Tensor) -> Tensor:
        """f(x, y), ``(B, M, 1) -> (B, M)``."""
        require_candidates(features, y, 1)
        u = cast(SplitLinear, self.joint[0]).join(features, self.y_net(as_network(self.y_net, y))).tanh()
        u = self.joint[1](u).tanh() + u
        u = self.joint[2](u).tanh() + u
        return cast(Tensor, self.joint[3](u))[..., 0]


class ToyEnergyNetP1(ConditionalEBM):
    """The first paper's 1-D network: x and y 1-10-10, joint 20-10-10-1.

    Args:
        hidden: width of every layer.

    Source: Gustafsson et al., ECCV 2020, figure 2; it names no activation, ReLU is our choice.
    """

    def __init__(self, hidden: int = 10) -> None:
        head = MLPEnergyHead(hidden, y_dims=(hidden, hidden), joint_dims=(hidden, hidden))
        super().__init__(mlp((1, hidden, hidden)), head, target_dim=1)

    def extract(self, x: Any) -> Features:
        """First joint layer's share of the inputs, ``(B, 1) -> (B, hidden)``."""
        require_last_dim("x", x, 1, "(B, 1)", rank=2)
        return super().extract(x)


class ToyGaussianNet(EnergyModel):
    """The first paper's Gaussian baseline on 1-D data: x 1-10-10, heads 10-10-10-1 for mean and log-variance.

    It is an energy model whose scores are normalised log-densities: what works on energies works on it.

    Args:
        hidden: width of every layer.

    Source: Gustafsson et al., ECCV 2020, figure 2; it names no activation, ReLU is our choice.
    """

    target_dim = 1

    def __init__(self, hidden: int = 10) -> None:
        super().__init__()
        sizes = (hidden, hidden, hidden, 1)
        self.x_net = mlp((1, hidden, hidden))
        self.mean_net = mlp(sizes, activate_last=False)
        self.log_var_net = mlp(sizes, activate_last=False)

    def extract(self, x: Any) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of y, ``(B, 1)`` each."""
        require_last_dim("x", x, 1, "(B, 1)", rank=2)
        features = self.x_net(x)
        return self.mean_net(features), self.log_var_net(features)

    def score(self, features: Features, y: Tensor) -> Tensor:
        """log p(y|x), nats, ``(B, M, 1) -> (B, M)``."""
        mean, log_var = features
        require_candidates(features, y, 1)
        return -gaussian_nll(mean[:, None].expand_as(y), log_var[:, None].expand_as(y), y, reduction="none")
