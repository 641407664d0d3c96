"""Leakage: columns that give the answer away, found before training on the training rows."""

from deepwell.evaluation.leakage.finding import Leak
from deepwell.evaluation.leakage.search import find_leaks

__all__ = ["Leak", "find_leaks"]
