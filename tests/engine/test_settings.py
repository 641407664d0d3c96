import subprocess
import sys

import pytest

from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.settings import EngineSettings
from deepwell.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, 'Setting "epochs"'),
        ({"learning_rate": 0}, 'Setting "learning_rate": Input should be greater than 0'),
        ({"learning_rate": -0.1}, "Got: -0.1"),
        ({"learning_rate": float("inf")}, 'Setting "learning_rate"'),
        ({"batch_size": 0}, 'Setting "batch_size"'),
        ({"accumulate": 0}, 'Setting "accumulate"'),
        ({"weight_decay": -1}, 'Setting "weight_decay"'),
        ({"clip_norm": 0}, 'Setting "clip_norm"'),
        ({"patience": 0}, 'Setting "patience"'),
        ({"warmup": 1.0}, 'Setting "warmup"'),
        ({"betas": (0.9, 1.0)}, 'Setting "betas"'),
        ({"optimizer": "adamv"}, 'Did you mean "adam'),
        ({"schedule": "cosin"}, 'Did you mean "cosine"'),
        ({"device": "gpu"}, "A device is one of auto, cpu, cuda"),
        ({"precision": "fp8"}, 'Setting "precision"'),
        ({"epoch": 3}, 'Did you mean "epochs"'),
        ({"optimizer": "adam", "momentum": 0.9}, '"adam" does not use momentum'),
        ({"optimizer": "sgd", "betas": (0.9, 0.99)}, '"sgd" does not use betas'),
        ({"optimizer": "nesterov", "momentum": 0.0}, "needs a momentum above 0"),
    ],
)
def test_mistakes_are_named(changes: dict[str, object], words: str):
    with pytest.raises(ConfigError) as caught:
        EngineSettings.model_validate(changes)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_valid_with_defaults(name: str):
    assert EngineSettings(optimizer=name).optimizer == name


def test_settings_survive_json():
    settings = EngineSettings(optimizer="adam", betas=(0.8, 0.9), device="cuda:1")
    again = EngineSettings.model_validate_json(settings.model_dump_json())
    assert again == settings


def test_reading_the_settings_loads_no_torch():
    code = (
        "import sys; from deepwell.engine import EngineSettings; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
