"""Runs: the folder that remembers all of one training."""

from deepwell.runs.folder import RunFolder
from deepwell.runs.manifest import describe_hardware, describe_versions
from deepwell.runs.recorder import Recorder

__all__ = ["Recorder", "RunFolder", "describe_hardware", "describe_versions"]
