"""A fit as an ONNX file, which needs no EBMTrack: its density on a grid, or its energy, in raw units."""

import copy
import importlib.util
import io
import math
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import torch
from torch import Tensor, nn

from ebm.checks import require_count
from ebm.density.axes import Axis
from ebm.exceptions import InputError, ShapeError
from ebm.extras import explain_missing
from ebm.files import expanded, write_atomic
from ebm.fitting.data import Scaling
from ebm.fitting.grids import COARSE_POINTS, GRID_POINTS, NEGLIGIBLE
from ebm.fitting.members import MemberMixture, member_of
from ebm.fitting.modes import Score
from ebm.fitting.network import AnchoredEBM
from ebm.interop.carried import KEY, thresholds
from ebm.lookup import unknown_name

if TYPE_CHECKING:
    from ebm.fitting.fitted import FittedEBM

__all__ = ["Output", "export_onnx"]

Output = Literal["density", "energy"]
MODULES = ("onnx", "onnxscript", "onnxruntime")
# By how much the file may differ from the fit, relative to the largest value: scores are float32, and summed
# up in another order.
AGREEMENT = 1e-4


class Line(nn.Module):
    """Grids over the mass of densities of one target, as `ebm.fitting.grids.line_grid` finds them.

    Its loop is unrolled: a graph has none that ends by what it sees.

    Args:
        scaling: between raw and standardised targets.
        points: G.
        widenings: how often the search goes beyond the range of the training targets.
    """

    places: Tensor

    def __init__(self, scaling: Scaling, points: int, widenings: int) -> None:
        super().__init__()
        self.scaling, self.points, self.widenings, self.coarse = scaling, points, widenings, COARSE_POINTS[1]
        low, high = scaling.z_low[0].item(), scaling.z_high[0].item()
        parts, step = [torch.linspace(low, high, self.coarse)], high - low
        for _ in range(widenings):
            below = torch.linspace(low - step, low, self.coarse + 1)[:-1]
            above = torch.linspace(high, high + step, self.coarse + 1)[1:]
            parts = [below, *parts, above]
            low, high, step = low - step, high + step, 2 * step
        self.register_buffer("places", torch.cat(parts))

    def forward(self, score: Score, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Grid, log-density and log Z over raw targets, ``(N, G), (N, G), (N, 1)``, of N = `count` rows."""
        ends = self._ends(score(self.places[None, :, None].expand(count, -1, -1)))
        t = torch.linspace(0, 1, self.points)
        z = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * t
        grid = self.scaling.raw(z[..., None].double())
        scores = score(self.scaling.standardised(grid).float()).double()
        widths = Axis(grid[..., 0]).widths
        log_z = (scores + widths.log()).logsumexp(1, keepdim=True)
        return grid[..., 0], scores - log_z, log_z

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


class DensityGraph(nn.Module):
    """Grid and log-density of raw inputs, ``(N, ...) -> (N, G), (N, G)``, for one target.

    Args:
        fitted: the fit.
        points: G.
        widenings: see `Line`.
    """

    def __init__(self, fitted: "FittedEBM", points: int, widenings: int) -> None:
        super().__init__()
        model, self.scaling = copy.deepcopy(fitted.model).cpu().eval(), fitted.scaling
        members = model.members if isinstance(model, MemberMixture) else 1
        self.members = nn.ModuleList(member_of(model, k) for k in range(members))
        self.line = Line(fitted.scaling, points, widenings) if fitted.target_dim == 1 else None

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Raw targets in increasing order, and nats."""
        found: tuple[Tensor, ...] = self.searched()(self.score_of(x), x.shape[0])
        return found[:2]

    def searched(self) -> Line:
        """The search, which only one target has."""
        if self.line is None:
            raise ShapeError("only densities of one target are laid out on a line.")
        return self.line

    def score_of(self, x: Tensor) -> Score:
        """The score of standardised targets given raw inputs; that of members is a log-density."""
        inputs, rows = self.scaling.inputs(x, torch.device("cpu")), x.shape[0]
        members = [cast(AnchoredEBM, member) for member in self.members]
        each = [partial(member.score, member.extract(inputs)) for member in members]
        if len(each) == 1:
            return each[0]
        log_z = [self.searched()(score, rows)[2].float() for score in each]

        def mixed(z: Tensor) -> Tensor:
            normalised = [score(z) - own for score, own in zip(each, log_z, strict=True)]
            return torch.stack(normalised).logsumexp(0) - math.log(len(each))

        return mixed


class EnergyGraph(DensityGraph):
    """f of raw inputs ``(N, ...)`` and raw targets ``(N, M, D)``, all float64, ``(N, M)``."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """Scores."""
        return self.score_of(x)(self.scaling.standardised(y).float()).double()


def export_onnx(
    fitted: "FittedEBM",
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

    A calibration goes along with the density, as numbers that intervals and sets are cut by: the entry
    ``ebmtrack.calibration`` of the file's metadata, see `ebm.interop.carried.thresholds`. With the energy
    alone there is nothing that they could be applied to.

    Before it is written, the file is run by onnxruntime and compared with the fit.

    Args:
        fitted: the fit.
        path: of the file, replaced if it exists.
        output: see above.
        points: of the grid; of several members, also of the grids that their log Z are summed up on.
        widenings: how often the search for mass goes beyond the range of the training targets, twice as far
            each time: 4 reach 31 times that range. The fit itself takes up to 12, one by one as a row needs
            them; in a file every one costs 512 scores per row.

    Raises:
        MissingPackageError: without the extra ``onnx``.
        ShapeError: for a density of several targets, or members of such a fit.
        UnknownNameError: (a ValueError) for another `output`.
        InputError: if the network cannot be exported, the file does not agree with it or cannot be written.

    Warns:
        UserWarning: if the fit is calibrated, and the output is the energy.
    """
    _require_possible(fitted, output)
    x = torch.randn(3, *fitted.scaling.x_shape, generator=torch.Generator().manual_seed(0)).double()
    if fitted.scaling.x_mean is not None and fitted.scaling.x_scale is not None:
        x = x * fitted.scaling.x_scale + fitted.scaling.x_mean
    points, widenings = require_count("points", points, least=2), require_count("widenings", widenings, 0)
    if output == "density":
        carried = {} if fitted.calibration is None else {KEY: thresholds(fitted.calibration)}
        graph: DensityGraph = DensityGraph(fitted, points, widenings)
        content = _exported(graph, (x,), ("y", "log_density"), carried)
    else:
        if fitted.calibration is not None:
            warnings.warn(
                "the calibration is of densities and does not go into a file of the energy alone; intervals "
                "made from it guarantee nothing. For one target, output='density' carries it.",
                stacklevel=2,
            )
        y = fitted.scaling.raw(
            torch.linspace(-1, 1, 4).double()[None, :, None].expand(3, -1, fitted.target_dim)
        )
        content = _exported(EnergyGraph(fitted, points, widenings), (x, y), ("f",), {})
    write_atomic(expanded(path), content)


def _require_possible(fitted: "FittedEBM", output: str) -> None:
    if output not in get_args(Output):
        raise unknown_name("output of export_onnx", str(output), get_args(Output))
    if not fitted.config.model.endswith("energy"):
        raise InputError(f"model={fitted.config.model!r} is no energy; an ONNX file takes model='energy'.")
    if fitted.base is not None:
        raise InputError(
            "the density is one of the errors of a predictor of your own, which a file cannot hold; "
            "export it your own way, and fit without a base."
        )
    if fitted.target_dim > 1 and output == "density":
        raise ShapeError(
            f"a grid in an ONNX file has one target, the fit D={fitted.target_dim}: "
            "output='energy' gives f(x, y)."
        )
    if fitted.target_dim > 1 and isinstance(fitted.model, MemberMixture):
        raise ShapeError(
            f"members are averaged by their log Z, which a file finds for one target, and the fit has "
            f"D={fitted.target_dim}: fit with members=1."
        )
    if fitted.scaling.circle is not None:
        raise InputError(
            "an ONNX file has no place for a circle; fit sine and cosine of the angle as two targets without "
            "a support, and export f with output='energy'."
        )
    if fitted.scaling.support is not None:
        raise InputError(
            "an ONNX file has no place for a support; fit the logarithm of y, say, without one, and add its "
            "slope where the file is used."
        )
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise explain_missing("ONNX files", *missing)


def _exported(
    graph: DensityGraph, inputs: tuple[Tensor, ...], names: tuple[str, ...], carried: Mapping[str, str]
) -> bytes:
    """The content of the file, with entries of its metadata, after it has been run on the inputs.

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
    model = program.model_proto
    for key, value in carried.items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString()
    _require_agreement(graph, inputs, content)
    return content


def _require_agreement(graph: DensityGraph, inputs: tuple[Tensor, ...], content: bytes) -> None:
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
