"""Broken, odd and enormous pictures among good ones."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_data
from command import Refuse, RunCli
from PIL import Image

import deepwell

FAST = (*small_data.FAST_OPTIONS, "--batch-size=8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_data.draw_pictures(tmp_path / "pictures", each=16)


def truncated(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[:900])


def bomb(path: Path) -> None:
    """Write a PNG of a few bytes that claims to be 40,000 × 40,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(b"\0" * 1000)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def as_text(path: Path) -> None:
    path.write_text("no picture at all")


def empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("spoil", [truncated, bomb, as_text, empty])
def test_a_broken_picture_is_named_and_can_be_skipped(
    refuse: Refuse, run_cli: RunCli, folder: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(folder / "dark" / "spoilt.png")
    refuse("train", "pictures", *FAST, match=r"dark/spoilt\.png.*--skip-broken")
    refuse("data", "inspect", "pictures", match=r"dark/spoilt\.png")
    outcome = run_cli("train", "pictures", "--skip-broken", "--name", "r", *FAST)
    assert outcome.code == 0, outcome.err
    result = small_data.read_json(Path("runs/r/result.json"))
    assert sum(result["rows"].values()) == 32
    assert "spoilt.png" in Path("runs/r/data.json").read_text(encoding="utf-8")


def test_a_table_with_a_missing_picture_names_the_file(
    refuse: Refuse, run_cli: RunCli, tmp_path: Path
) -> None:
    path = small_data.picture_table(tmp_path / "t")
    (tmp_path / "t" / "light" / "03.png").unlink()
    refuse("train", path, "--target", "tone", *FAST, match=r'"light/03\.png" does not exist')
    assert run_cli("train", path, "-t", "tone", "--skip-broken", *FAST).code == 0


def test_sizes_and_modes_may_be_mixed(run_cli: RunCli, folder: Path) -> None:
    rng = np.random.default_rng(1)
    for number, mode in enumerate(["L", "RGBA", "P", "1", "CMYK", "I;16", "LA"]):
        size = (9 + 5 * number, 30 - 3 * number)
        pixels = rng.integers(160, 230, (size[1], size[0], 3)).astype(np.uint8)
        picture = Image.fromarray(pixels)
        if mode == "I;16":
            picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 256)
        else:
            picture = picture.convert(mode)
        kind = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
        picture.save(folder / "light" / f"odd{number}.{kind.lower()}", format=kind)
    outcome = run_cli("train", "pictures", "--name", "r", *FAST)
    assert outcome.code == 0, outcome.err
    assert sum(small_data.read_json(Path("runs/r/result.json"))["rows"].values()) == 39


def test_a_folder_without_pictures_or_with_one_class(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    refuse("train", "none", match='"?none"?')
    (tmp_path / "flat").mkdir()
    for number in range(20):
        Image.new("RGB", (8, 8)).save(tmp_path / "flat" / f"{number}.png")
    refuse("train", "flat", match="subfolder")
    small_data.draw_pictures(tmp_path / "two", each=12)
    for path in (tmp_path / "two" / "dark").iterdir():
        path.unlink()
    refuse("train", "two", match="class|dark|label")


def test_a_class_with_a_single_picture(refuse: Refuse, folder: Path) -> None:
    (folder / "grey").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "grey" / "0.png")
    refuse("train", "pictures", *FAST, match=r"single example \(grey\)")


def test_models_and_baselines_that_do_not_fit_pictures(
    refuse: Refuse, houses: Path, folder: Path
) -> None:
    refuse("train", houses, "-t", "price", "--model", "cnn", match="cnn reads pictures.*mlp")
    refuse("train", "pictures", "--set", "evaluation.baselines=boosting", match="boosting")
    refuse("train", "pictures", "--image-size", "4", match="data.image_size")


def test_a_broken_idx_file(refuse: Refuse, tmp_path: Path) -> None:
    clothes = small_data.clothes(tmp_path / "clothes")
    labels = clothes / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:40])
    refuse("train", "clothes", match="train-labels-idx1-ubyte.gz")
    labels.unlink()
    refuse("train", "clothes", match="train")


def test_predicting_a_broken_picture_names_it(
    refuse: Refuse, run_cli: RunCli, folder: Path, tmp_path: Path
) -> None:
    settings = small_data.FAST
    deepwell.train(folder, runs=tmp_path / "runs", name="r", settings=settings)
    bomb(tmp_path / "big.png")
    refuse("predict", "runs/r", "big.png", "-o", "out.csv", match=r"big\.png")
    outcome = run_cli("predict", "runs/r", "pictures/dark/01.png", "-o", "out.csv")
    assert outcome.code == 0, outcome.err
