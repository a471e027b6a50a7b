"""Pictures of fitted densities, each with its numbers, and a report of them all.

They need no display; matplotlib comes with the extra `eval` and is imported when something is drawn.
"""

from ebm.pictures.curves import Curves
from ebm.pictures.densities import density_curves, draw_densities
from ebm.pictures.dispatch import PICTURES, plot
from ebm.pictures.fans import draw_fan, fan_curves
from ebm.pictures.honesty import (
    calibration_curves,
    draw_reliability,
    reliability_curves,
)
from ebm.pictures.pit import draw_pit, pit_curves
from ebm.pictures.report import Report, make_report, write_report
from ebm.pictures.training import draw_history, history_curves

__all__ = [
    "PICTURES",
    "Curves",
    "Report",
    "calibration_curves",
    "density_curves",
    "draw_densities",
    "draw_fan",
    "draw_history",
    "draw_pit",
    "draw_reliability",
    "fan_curves",
    "history_curves",
    "make_report",
    "pit_curves",
    "plot",
    "reliability_curves",
    "write_report",
]
