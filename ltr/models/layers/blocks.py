"""Blocks of a convolution or a linear map with batch norm and rectifier."""

from torch import Tensor, nn

from ebm.exceptions import ShapeError

__all__ = ["LinearBlock", "conv_block"]


def conv_block(
    in_planes: int,
    out_planes: int,
    kernel_size: int = 3,
    *,
    stride: int = 1,
    padding: int = 1,
    dilation: int = 1,
    bias: bool = True,
    batch_norm: bool = True,
    relu: bool = True,
) -> nn.Sequential:
    """A convolution, then (each optional) batch norm and rectifier; keys ``0.*`` and ``1.*``."""
    layers: list[nn.Module] = [
        nn.Conv2d(in_planes, out_planes, kernel_size, stride, padding, dilation, bias=bias)
    ]
    if batch_norm:
        layers.append(nn.BatchNorm2d(out_planes))
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class LinearBlock(nn.Module):
    """A linear map of a whole small feature map, then batch norm and rectifier.

    Args:
        in_planes: channels of the input map.
        out_planes: outputs.
        input_sz: height and width of the input map.
        bias: whether the linear map has a bias.
        batch_norm: whether a batch norm follows.
        relu: whether a rectifier follows.
    """

    def __init__(
        self,
        in_planes: int,
        out_planes: int,
        input_sz: int,
        bias: bool = True,
        batch_norm: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_planes * input_sz * input_sz, out_planes, bias=bias)
        # Two-dimensional by the published layout, whose keys and numbers a 1-d batch norm shares.
        self.bn = nn.BatchNorm1d(out_planes) if batch_norm else None
        self.relu = nn.ReLU(inplace=True) if relu else None

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(N, out_planes)`` of maps ``(N, in_planes, input_sz, input_sz)``.

        Raises:
            ShapeError: if a map has another size than the block was built for.
        """
        flat = x.flatten(1)
        if flat.shape[1] != self.linear.in_features:
            raise ShapeError(
                f"LinearBlock takes maps of {self.linear.in_features} values, not {tuple(x.shape[1:])}."
            )
        y = self.linear(flat)
        if self.bn is not None:
            y = self.bn(y)
        return y if self.relu is None else self.relu(y)
