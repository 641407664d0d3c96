"""Members: the finished models of a race or of folds, kept in the run folder until its end."""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict
from pathlib import Path

import torch

from deepwell.artifact import load
from deepwell.data import Table
from deepwell.engine import FitResult
from deepwell.errors import ArtifactError
from deepwell.files import read_json, write_json
from deepwell.workflows.learn import Learned


class Members:
    """Finished models as model folders; a resumed training reads them instead of training anew.

    Args:
        folder: `members/` of a run; made with the first model. None keeps nothing.

    Example:
        >>> Members(None).load("mlp", 0) is None
        True
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def load(self, name: str, number: int, device: str | torch.device = "cpu") -> Learned | None:
        """Return a model that was finished before, or None; a damaged one counts as none."""
        path = self._path(name, number)
        if path is None or not path.is_dir():
            return None
        try:
            fit = FitResult(**read_json(path.with_suffix(".json")))
            return Learned(load(path, device=device), fit)
        except (ArtifactError, OSError, ValueError, TypeError):
            return None

    def save(self, name: str, number: int, learned: Learned, golden: Table) -> None:
        """Keep a finished model.

        Args:
            name: Of the model.
            number: Of the fold.
            learned: The model and its training.
            golden: Training rows; see `Predictor.save`.

        Raises:
            ArtifactError: The model answers with NaN.
            OutputError: The folder cannot be written.
        """
        path = self._path(name, number)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # the model folder comes last: what it stands for is then complete
        write_json(path.with_suffix(".json"), asdict(learned.fit))
        learned.predictor.save(path, golden=golden)

    def inside(self, name: str) -> Members:
        """Return those of a part of the work, in a folder of their own."""
        return Members(None if self.folder is None else self.folder / name)

    def remove(self) -> None:
        """Delete all of them: the run has its model."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str, number: int) -> Path | None:
        if self.folder is None:
            return None
        return self.folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{number}"
