"""Parts of the test rows: where the network is worst, and how groups of people fare."""

from deepwell.evaluation.slicing.fairness import check_columns, fairness
from deepwell.evaluation.slicing.find import find_slices

__all__ = ["check_columns", "fairness", "find_slices"]
