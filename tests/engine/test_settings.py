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
        ({"optimizer": "lbfgs", "accumulate": 2}, "one step an epoch over all batches"),
        ({"optimizer": "gradient_descent", "accumulate": 2}, "leave accumulate out"),
        ({"optimizer": "lbfgs", "sharpness": 0.1}, "where sharpness has no meaning"),
        ({"optimizer": "lbfgs", "clip_norm": 1.0}, "where clip_norm has no meaning"),
        ({"optimizer": "lbfgs", "on_nan": "skip"}, "where on_nan has no meaning"),
        ({"optimizer": "lbfgs", "precision": "fp16"}, "needs the true gradient"),
        ({"optimizer": "lbfgs", "regularisation": {"max_norm": 1.0}}, "max_norm has no meaning"),
        ({"optimizer": "lbfgs", "betas": (0.9, 0.99)}, "it has no such option"),
        ({"schedule_options": {"power": 2.0}}, '"cosine" does not use power, which is for poly'),
        ({"schedule": "step", "schedule_options": {"factor": 1.0}}, "schedule_options.factor"),
        ({"averaging": {"ema_decay": 0.9, "last_epochs": 2}}, "set one of the two"),
        ({"betas": [0.9]}, '"betas": There are too few values in the list. Got: [0.9]'),
        ({"averaging": {"last_epochs": 30}}, "there are fewer epochs: 20"),
        ({"averaging": {"ema_decay": 1.0}}, 'Setting "averaging.ema_decay"'),
        ({"regularisation": {"l1": -1}}, 'Setting "regularisation.l1"'),
        ({"regularisation": {"mixupp": 0.2}}, 'Did you mean "mixup"'),
        ({"layer_decay": 1.5}, 'Setting "layer_decay"'),
        ({"on_nan": "ignore"}, 'Setting "on_nan"'),
        ({"sharpness": 0.1, "precision": "fp16"}, "sharpness does not go with precision=fp16"),
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
