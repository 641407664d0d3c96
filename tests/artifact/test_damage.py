"""What may be wrong with a model folder: each case is one clear sentence, and nothing is run."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deepwell.artifact import load
from deepwell.errors import ArtifactError, ConfigError
from deepwell.files import sha256


def reseal(folder: Path) -> None:
    """Correct the hashes, as an attacker would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: sha256(folder / name) for name in manifest["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def edit(folder: Path, name: str, change: Callable[[Any], object]) -> None:
    state = json.loads((folder / name).read_text())
    change(state)
    (folder / name).write_text(json.dumps(state))
    reseal(folder)


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.trace), "w"))


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("name", ["model.safetensors", "extra.pkl", "task.json", "notes.txt"])
def test_pickle_is_never_executed(folder: Path, name: str, protocol: int) -> None:
    trace = folder.parent / "executed"
    payload = pickle.dumps(Bomb(trace), protocol=protocol)
    pickle.loads(payload).close()
    assert trace.exists(), "the bomb must work, or the test proves nothing"
    trace.unlink()
    (folder / name).write_bytes(payload)
    reseal(folder)
    if (name, protocol) == ("notes.txt", 0):  # plain text by all marks: passed over, not opened
        load(folder)
    else:
        with pytest.raises(ArtifactError):
            load(folder)
    assert not trace.exists()


def test_torch_checkpoint_in_place_of_the_weights_is_never_executed(folder: Path) -> None:
    trace = folder.parent / "executed"
    torch.save({"weight": torch.zeros(1), "bomb": Bomb(trace)}, folder / "model.safetensors")
    reseal(folder)
    with pytest.raises(ArtifactError, match=r"model\.safetensors is a zip file.*run code"):
        load(folder)
    assert not trace.exists()


def test_pickle_as_weights_is_called_by_its_name(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps({"a": 1}))
    reseal(folder)
    with pytest.raises(ArtifactError, match=r"model\.safetensors is a Python pickle"):
        load(folder)


def test_name_of_a_class_is_never_imported(folder: Path) -> None:
    def own(state: Any) -> None:
        state.update({"name": "custom", "class": "antigravity_of_an_attacker:Net"})

    edit(folder, "architecture.json", own)
    with pytest.raises(ArtifactError, match="antigravity_of_an_attacker:Net"):
        load(folder)


def test_changed_weights_are_found(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"model\.safetensors differs from its hash"):
        load(folder)


def test_missing_file_is_named(folder: Path) -> None:
    (folder / "encoders.json").unlink()
    with pytest.raises(ArtifactError, match=r"encoders\.json is missing"):
        load(folder)


def test_newer_format_is_refused_first(folder: Path) -> None:
    state = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**state, "format_version": 4}))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"format 4.*pip install -U deepwell"):
        load(folder)


@pytest.mark.parametrize(
    "content", [b"", b"\x08", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0{}tail", b"a{"]
)
def test_weights_that_are_none(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    reseal(folder)
    with pytest.raises(ArtifactError, match=r"not a sound safetensors file|do not fit"):
        load(folder)


def test_truncated_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    reseal(folder)
    with pytest.raises(ArtifactError, match="not a sound safetensors file"):
        load(folder)


def test_weights_of_another_network(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    del weights[name]
    save_file({**weights, "other": torch.zeros(2)}, folder / "model.safetensors")
    reseal(folder)
    with pytest.raises(ArtifactError, match=rf"missing: {name}; unknown to the network: other"):
        load(folder)


def test_enormous_network_needs_no_memory_before_it_is_refused(folder: Path) -> None:
    edit(folder, "architecture.json", lambda s: s["settings"].update(hidden_sizes=[10**6, 10**6]))
    with pytest.raises(ArtifactError, match=r"cannot be built|do not fit"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("architecture.json", lambda s: s.update(name="mlpp"), "Did you mean"),
        ("architecture.json", lambda s: s["settings"].update(hidden=[1]), "Unknown setting"),
        ("architecture.json", lambda s: s.pop("head_size"), "'head_size' is missing"),
        ("architecture.json", lambda s: s.update(head_size=2), "do not belong together"),
        ("task.json", lambda s: s.update(name="poetry"), r"task\.json is damaged"),
        ("task.json", lambda s: s.clear(), r"task\.json is damaged: 'name' is missing"),
        ("schema.json", lambda s: s.update(columns=[1]), r"schema\.json is damaged"),
        ("encoders.json", lambda s: s.update(format=99), r"encoders\.json is damaged.*newer"),
        ("encoders.json", lambda s: s["columns"].pop(), "do not belong together"),
        ("golden.json", lambda s: s.pop("outputs"), "'outputs' is missing"),
        ("golden.json", lambda s: s["columns"].pop("rooms"), "cannot compute its golden rows"),
    ],
)
def test_damaged_parts_are_named(
    folder: Path, name: str, change: Callable[[Any], object], message: str
) -> None:
    edit(folder, name, change)
    with pytest.raises(ArtifactError, match=message):
        load(folder)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", "[" * 50_000])
@pytest.mark.parametrize("name", ["task.json", "architecture.json", "golden.json"])
def test_parts_that_are_no_objects(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    reseal(folder)
    with pytest.raises(ArtifactError, match=name):
        load(folder)


def test_golden_rows_find_a_changed_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = [key for key in weights if key.endswith("bias")][-1]
    weights[name] += 0.01
    save_file(weights, folder / "model.safetensors")
    reseal(folder)
    with pytest.raises(ArtifactError, match=r"does not answer as it did.*row \d gives"):
        load(folder)


def test_golden_rows_find_a_changed_encoder(folder: Path) -> None:
    def shift(state: Any) -> None:
        column = next(c for c in state["columns"] if c["name"] == "rooms")
        column["state"]["center"] += 1

    edit(folder, "encoders.json", shift)
    with pytest.raises(ArtifactError, match="does not answer as it did"):
        load(folder)


def test_golden_rows_bear_the_rounding_of_other_machines(folder: Path) -> None:
    def round_off(state: Any) -> None:
        outputs = np.array(state["outputs"])
        state["outputs"] = (outputs + 2e-6 * np.abs(outputs).max()).tolist()

    edit(folder, "golden.json", round_off)
    load(folder)


def test_harmless_additions_are_passed_over(folder: Path) -> None:
    (folder / "NOTES.md").write_text("trained by me")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    load(folder)


def test_unknown_device(folder: Path) -> None:
    with pytest.raises(ConfigError, match='device "gpu"'):
        load(folder, device="gpu")
