"""Margins of constraints: their calibration in closed loop and the slack of recorded episodes."""

from tacit.margins.calibration import MarginCalibration, MarginTest, calibrate, try_margins, with_margins
from tacit.margins.violations import allowed_tasks, nonconformity, realised_slacks

__all__ = [
    "MarginCalibration",
    "MarginTest",
    "allowed_tasks",
    "calibrate",
    "nonconformity",
    "realised_slacks",
    "try_margins",
    "with_margins",
]
