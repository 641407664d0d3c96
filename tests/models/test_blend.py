"""A blend: each member reads its own columns, and answers are averaged, not outputs."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load, save

from deepwell.errors import ModelError
from deepwell.models import build
from deepwell.models.ensembles.blend import Blend, BlendSettings, MemberSettings
from deepwell.types import InputSpec

SPEC = InputSpec(num_numbers=5, cardinalities=(4, 3, 4))
MEMBERS = (
    MemberSettings(name="linear", numbers=(0, 2), weight=3.0),
    MemberSettings(name="mlp", numbers=(2, 5), categories=(0, 3), settings={"dropout": 0.5}),
)
ROWS = 7


def rows() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(ROWS, 5), torch.stack([torch.arange(ROWS) % n for n in (4, 3, 4)], dim=1)


def blend(link: str = "none", head_size: int = 3) -> Blend:
    settings = BlendSettings.model_validate({"members": MEMBERS, "link": link})
    return Blend(SPEC, head_size, settings).eval()


def test_members_read_their_own_columns() -> None:
    numbers, codes = rows()
    two = blend()
    outputs = two.outputs(numbers, codes)
    assert outputs.shape == (ROWS, 2, 3)
    assert torch.equal(outputs[:, 0], two.members[0](numbers[:, :2]))
    assert torch.equal(outputs[:, 1], two.members[1](numbers[:, 2:], codes))
    changed = numbers.clone()
    changed[:, 2:] += 1
    assert torch.equal(two.outputs(changed, codes)[:, 0], outputs[:, 0])


@pytest.mark.parametrize("link", ["none", "sigmoid", "softmax", "exp"])
def test_answers_are_averaged_by_weight(link: str) -> None:
    answer = {
        "none": lambda x: x,
        "sigmoid": torch.sigmoid,
        "softmax": lambda x: x.softmax(dim=-1),
        "exp": torch.exp,
    }[link]
    two = blend(link)
    outputs = two.outputs(*rows())
    expected = 0.75 * answer(outputs[:, 0]) + 0.25 * answer(outputs[:, 1])
    assert torch.allclose(answer(two(*rows())), expected, atol=1e-6)


def test_what_is_stored_comes_back() -> None:
    two = blend("softmax")
    settings = BlendSettings.model_validate_json(
        BlendSettings.model_validate({"members": MEMBERS, "link": "softmax"}).model_dump_json()
    )
    twin = build("blend", SPEC, 3, settings.model_dump()).eval()
    twin.load_state_dict(load(save(dict(two.state_dict()))))
    assert torch.equal(twin(*rows()), two(*rows()))


def test_misfits_are_explained() -> None:
    with pytest.raises(ModelError, match="at least one member"):
        Blend(SPEC, 1, BlendSettings())
    far = BlendSettings(members=(MemberSettings(name="linear", numbers=(3, 9)),))
    with pytest.raises(ModelError, match="linear reads the numbers 3 to 9, and there are 5"):
        Blend(SPEC, 1, far)
