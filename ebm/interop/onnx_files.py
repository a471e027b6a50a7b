"""A fit as an ONNX file, which needs no EBMTrack: its density on a grid, or its energy, in raw units."""

import copy
import importlib.util
import io
import math
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ebm.checks import require_count
from ebm.density.axes import Axis
from ebm.exceptions import InputError, ShapeError
from ebm.extras import explain_missing
from ebm.files import expanded, write_atomic
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.grids import COARSE_POINTS, GRID_POINTS, NEGLIGIBLE
from ebm.lookup import unknown_name

__all__ = ["Output", "export_onnx"]

Output = Literal["density", "energy"]
MODULES = ("onnx", "onnxscript", "onnxruntime")
# By how much the file may differ from the fit, relative to the largest value: scores are float32, and summed
# up in another order.
AGREEMENT = 1e-4


class EnergyGraph(nn.Module):
    """f of raw inputs ``(N, ...)`` and raw targets ``(N, M, D)``, all float64, ``(N, M)``."""

    def __init__(self, fitted: FittedEBM) -> None:
        super().__init__()
        self.model, self.scaling = copy.deepcopy(fitted.model).cpu().eval(), fitted.scaling

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores."""
        return self.score(self.features(x), y)

    def features(self, x: Tensor) -> Tensor:
        """What the network makes of raw inputs."""
        return self.model.extract(self.scaling.inputs(x, torch.device("cpu")))

    def score(self, features: Tensor, y: Tensor) -> Tensor:
        """Scores of raw targets given features."""
        return self.model.score(features, self.scaling.standardised(y).float()).double()


class DensityGraph(EnergyGraph):
    """Grid and log-density of raw inputs, ``(N, ...) -> (N, G), (N, G)``, for one target.

    The search for each row's mass is that of `ebm.fitting.grids.line_grid`, with its loop unrolled: a graph
    has none that ends by what it sees.

    Args:
        fitted: the fit.
        points: G.
        widenings: how often the search goes beyond the range of the training targets.
    """

    places: Tensor

    def __init__(self, fitted: FittedEBM, points: int, widenings: int) -> None:
        super().__init__(fitted)
        self.points, self.widenings, self.coarse = points, widenings, COARSE_POINTS[1]
        low, high = fitted.scaling.z_low.item(), fitted.scaling.z_high.item()
        parts, step = [torch.linspace(low, high, self.coarse)], high - low
        for _ in range(widenings):
            below = torch.linspace(low - step, low, self.coarse + 1)[:-1]
            above = torch.linspace(high, high + step, self.coarse + 1)[1:]
            parts = [below, *parts, above]
            low, high, step = low - step, high + step, 2 * step
        self.register_buffer("places", torch.cat(parts))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Raw targets in increasing order, and nats."""
        features = self.features(x)
        everywhere = self.places[None, :, None].expand(x.shape[0], -1, -1)
        ends = self._ends(self.model.score(features, everywhere))
        t = torch.linspace(0, 1, self.points)
        z = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * t
        grid = self.scaling.raw(z[..., None].double())
        scores = self.score(features, grid)
        widths = Axis(grid[..., 0]).widths
        return grid[..., 0], scores - (scores + widths.log()).logsumexp(1, keepdim=True)

    def _ends(self, scores: Tensor) -> Tensor:
        """Where the mass of each row begins and ends, standardised, of scores at all places, ``(N, 2)``."""
        first, last = self.widenings * self.coarse, (self.widenings + 1) * self.coarse
        known = scores[:, first:last]
        for _ in range(self.widenings):
            mass = known > known.amax(1, keepdim=True) + math.log(NEGLIGIBLE)
            below = scores[:, first - self.coarse : first].where(mass[:, :1], -math.inf)
            above = scores[:, last : last + self.coarse].where(mass[:, -1:], -math.inf)
            known = torch.cat((below, known, above), 1)
            first, last = first - self.coarse, last + self.coarse
        mass = known > known.amax(1, keepdim=True) + math.log(NEGLIGIBLE)
        index, count = torch.arange(len(self.places)), len(self.places)
        low = torch.where(mass, index, count).amin(1) - 1  # one place further on either side
        high = torch.where(mass, index, -1).amax(1) + 1
        return self.places[torch.stack((low, high), 1).clamp(0, count - 1)]


def export_onnx(
    fitted: FittedEBM,
    path: str | Path,
    *,
    output: Output = "density",
    points: int = GRID_POINTS[1],
    widenings: int = 4,
) -> None:
    """Write a fit as one ONNX file, with the scaling of inputs and targets inside.

    All inputs and outputs are float64, in the units of the data; N is free.

    - ``"density"``, for one target: ``x (N, F) -> y (N, points), log_density (N, points)``; `y` is a grid
      over each row's own mass, as that of ``fitted.density``, and `log_density` is normalised on it, nats.
    - ``"energy"``: ``x (N, F), y (N, M, D) -> f (N, M)``, the log-density but for a constant per row of `x`.

    Before it is written, the file is run by onnxruntime and compared with the fit.

    Args:
        fitted: the fit.
        path: of the file, replaced if it exists.
        output: see above.
        points: of the grid.
        widenings: how often the search for mass goes beyond the range of the training targets, twice as far
            each time: 4 reach 31 times that range. The fit itself takes up to 12, one by one as a row needs
            them; in a file every one costs 512 scores per row.

    Raises:
        MissingPackageError: without the extra ``onnx``.
        ShapeError: for a density of several targets.
        UnknownNameError: (a ValueError) for another `output`.
        InputError: if the network cannot be exported, the file does not agree with it or cannot be written.
    """
    if output not in get_args(Output):
        raise unknown_name("output of export_onnx", str(output), get_args(Output))
    if output == "density" and fitted.target_dim > 1:
        raise ShapeError(
            f"a grid in an ONNX file has one target, the fit D={fitted.target_dim}: "
            "output='energy' gives f(x, y)."
        )
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise explain_missing("ONNX files", *missing)
    x = torch.randn(3, *fitted.scaling.x_shape, generator=torch.Generator().manual_seed(0)).double()
    if fitted.scaling.x_mean is not None and fitted.scaling.x_scale is not None:
        x = x * fitted.scaling.x_scale + fitted.scaling.x_mean
    if output == "density":
        points, widenings = require_count("points", points, least=2), require_count("widenings", widenings, 0)
        content = _exported(DensityGraph(fitted, points, widenings), (x,), ("y", "log_density"))
    else:
        y = fitted.scaling.raw(
            torch.linspace(-1, 1, 4).double()[None, :, None].expand(3, -1, fitted.target_dim)
        )
        content = _exported(EnergyGraph(fitted), (x, y), ("f",))
    write_atomic(expanded(path), content)


def _exported(graph: EnergyGraph, inputs: tuple[Tensor, ...], names: tuple[str, ...]) -> bytes:
    """The content of the file, after it has been run on the inputs.

    Raises:
        InputError: if that fails, or the results differ.
    """
    free = torch.export.Dim.DYNAMIC
    shapes = ({0: free}, {0: free, 1: free})[: len(inputs)]
    try:
        with torch.no_grad(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                graph,
                inputs,
                dynamo=True,
                input_names=("x", "y")[: len(inputs)],
                output_names=names,
                dynamic_shapes=shapes,
                verbose=False,
            )
    except Exception as error:  # whatever an exporter raises about a network of the user's
        raise InputError(f"the network cannot be written as ONNX: {str(error).splitlines()[0]}") from error
    if program is None:
        raise InputError("the network cannot be written as ONNX: torch's exporter returned nothing.")
    content = program.model_proto.SerializeToString()
    _require_agreement(graph, inputs, content)
    return content


def _require_agreement(graph: EnergyGraph, inputs: tuple[Tensor, ...], content: bytes) -> None:
    import onnxruntime  # type: ignore[import-untyped, import-not-found, unused-ignore]

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    # One row less than was traced: N must be free.
    fed = {entry.name: value[1:].numpy() for entry, value in zip(session.get_inputs(), inputs, strict=True)}
    found = [torch.from_numpy(array) for array in session.run(None, fed)]
    with torch.no_grad():
        expected = graph(*(value[1:] for value in inputs))
    for got, wanted in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
        away = (got - wanted).abs().max()
        if not bool(away <= AGREEMENT * (1 + wanted.abs().max())):
            raise InputError(f"the ONNX file differs from the fit by {away.item():.3g}; it was not written.")
