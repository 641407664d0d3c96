"""Exploring rows without a target: groups by k-means, directions by principal components."""

from deepwell.evaluation.exploring.explore import Exploration, explore_matrix
from deepwell.evaluation.exploring.matrix import Matrix

__all__ = ["Exploration", "Matrix", "explore_matrix"]
