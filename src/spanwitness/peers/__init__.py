"""Evaluators of other projects as ours: a thin file each, each an optional extra."""
