"""What every test shares: one thread, fixed seeds, the folder of real data sets."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _quiet_and_seeded(request: pytest.FixtureRequest) -> None:
    import random

    import numpy as np
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)


@pytest.fixture
def data_dir() -> Path:
    """Folder of the real data sets, or skip."""
    value = os.environ.get("DEEPWELL_DATA")
    if not value or not Path(value).is_dir():
        pytest.skip("the environment variable DEEPWELL_DATA does not name a folder of data sets")
    return Path(value)
