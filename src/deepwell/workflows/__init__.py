"""The verbs: each joins the rooms for one purpose."""

from deepwell.workflows.evaluate import evaluate
from deepwell.workflows.finish import TrainResult
from deepwell.workflows.predict import predict
from deepwell.workflows.resume import resume
from deepwell.workflows.settings import TrainSettings
from deepwell.workflows.train import train

__all__ = ["TrainResult", "TrainSettings", "evaluate", "predict", "resume", "train"]
