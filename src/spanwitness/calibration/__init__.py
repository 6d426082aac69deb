"""The calibrated mode of TaskCompletion: fitted on a tenant's own labels, let in by its own cross-validation."""
