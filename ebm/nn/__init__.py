"""Networks: layers that project inputs once, energy heads and their composition, the papers' 1-D networks."""

from ebm.nn.energy import ConditionalEBM, EnergyHead, MLPEnergyHead
from ebm.nn.layers import SplitLinear, SplitMLP, mlp
from ebm.nn.toy import ToyEnergyNet, ToyEnergyNetP1, ToyGaussianNet

__all__ = [
    "ConditionalEBM",
    "EnergyHead",
    "MLPEnergyHead",
    "SplitLinear",
    "SplitMLP",
    "ToyEnergyNet",
    "ToyEnergyNetP1",
    "ToyGaussianNet",
    "mlp",
]
