"""Familiar faces: estimators of scikit-learn, and a network in layers as the lectures write it."""

from deepwell.estimators.classifier import DeepClassifier
from deepwell.estimators.regressor import DeepRegressor
from deepwell.estimators.sequential import Sequential

__all__ = ["DeepClassifier", "DeepRegressor", "Sequential"]
