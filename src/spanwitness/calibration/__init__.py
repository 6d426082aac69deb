"""The calibrated mode of TaskCompletion: fitted on a tenant's own labels, let in by its own cross-validation."""

from spanwitness.calibration.fitting import BAR, TooFewError, fit, reaches_the_bar
from spanwitness.calibration.labels import Labels, read_labels

__all__ = ["BAR", "Labels", "TooFewError", "fit", "reaches_the_bar", "read_labels"]
