"""The portable model: one folder without pickle that predicts wherever it is copied to."""

from deepwell.artifact.loading import load
from deepwell.artifact.predictor import Predictor

__all__ = ["Predictor", "load"]
