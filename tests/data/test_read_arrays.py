"""IDX and NumPy files."""

import gzip
import struct

import numpy as np
import pytest

from deepwell.data.read import read, read_table
from deepwell.data.settings import DataSettings
from deepwell.errors import DataError, FileFormatError


def idx(array):
    array = np.asarray(array, dtype=np.uint8)
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def pictures(count):
    return np.arange(count * 30, dtype=np.uint8).reshape(count, 6, 5)


@pytest.fixture
def mnist(tmp_path):
    folder = tmp_path / "digits"
    folder.mkdir()
    for part, count in (("train", 4), ("t10k", 2)):
        images = gzip.compress(idx(pictures(count)))
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(range(count)))
    return folder


def test_folder_of_idx(mnist):
    source = read(mnist)
    assert source.test is not None
    assert (len(source.table), len(source.test)) == (4, 2)
    assert (source.target, source.name) == (("label",), "digits")
    assert (source.table["image"][..., 0] == pictures(4)).all()
    assert source.table.series("label").to_list() == [0, 1, 2, 3]
    assert len(read_table(mnist)) == 2


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"])
def test_one_idx_file_finds_the_other(mnist, name):
    source = read(mnist / name)
    assert source.table.names == ["image", "label"]
    assert (source.name, source.test) == ("digits", None)


def test_pictures_without_labels(mnist):
    (mnist / "train-labels-idx1-ubyte").unlink()
    assert read_table(mnist / "train-images-idx3-ubyte.gz").names == ["image"]
    with pytest.raises(FileFormatError, match=r'"train-labels-idx1-ubyte\.gz" is expected beside'):
        read(mnist)


def test_idx_at_another_size(mnist):
    table = read(mnist, DataSettings(image_size=12)).table
    assert table["image"].shape == (4, 12, 12, 1)
    assert read_table(mnist, image_size=(3, 8, 8))["image"].shape == (2, 8, 8, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(pictures(4))[:-1], "promises 136 bytes, 135 are there"),
        (idx(pictures(4)) + b"x", "is damaged"),
        (idx(pictures(4))[:9], "is damaged"),
        (b"\x01" + idx(pictures(4)), "not an IDX file: its first bytes are 01 00 00 08"),
        (b"\0\0", "not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\0", "IDX type 0x0d"),
        (idx(range(4)), r"shape \(4,\), not pictures"),
        (b"", "is empty"),
        (b"\x1f\x8babc", "is damaged and cannot be unpacked"),
    ],
)
def test_damaged_idx(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        read(path)


def test_labels_that_do_not_belong(mnist):
    (mnist / "train-labels-idx1-ubyte").write_bytes(idx(range(3)))
    with pytest.raises(DataError, match=r"has 3 labels and .* 4 pictures"):
        read(mnist)


def test_npz_of_keras(tmp_path):
    path = tmp_path / "mnist.npz"
    parts = {"x_train": pictures(4), "x_test": pictures(2), "x_val": pictures(1)}
    answers = {"y_train": np.arange(4), "y_test": np.arange(2), "y_val": np.array([9])}
    np.savez(path, **parts, **answers)
    source = read(path)
    assert source.test is not None
    assert source.table["image"].shape == (5, 6, 5, 1)
    assert source.table.series("label").to_list() == [0, 1, 2, 3, 9]
    assert source.test.series("label").to_list() == [0, 1]
    assert source.target == ("label",)
    assert len(read_table(path)) == 2


@pytest.mark.parametrize("names", [("x", "y"), ("X", "y"), ("data", "target")])
def test_npz_of_numbers(tmp_path, names):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **dict(zip(names, (np.ones((3, 2)), np.arange(3)), strict=True)))
    source = read(path)
    assert source.table.names == ["x0", "x1", "target"]
    assert source.target == ("target",)


def test_npz_of_columns_and_npy(tmp_path):
    np.savez(tmp_path / "a.npz", age=np.arange(2), town=np.array(["Bonn", "Ulm"]))
    assert read(tmp_path / "a.npz").table.series("town").to_list() == ["Bonn", "Ulm"]
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    assert read(tmp_path / "a.npy").table.names == ["x0", "x1"]


class _Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_pickles_are_refused(tmp_path, name):
    path = tmp_path / name
    trap = np.array([_Trap()], dtype=object)
    if name == "a.npz":
        np.savez(path, x=trap)
    else:
        np.save(path, trap)
    with pytest.raises(FileFormatError, match="pickled Python objects"):
        read(path)


@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04broken", b"\x93NUMPY\x01\x00"])
def test_damaged_npz(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FileFormatError, match="cannot be read as a NumPy file"):
        read(tmp_path / "a.npz")


def test_npz_whose_arrays_do_not_belong(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(3), b=np.arange(4))
    with pytest.raises(FileFormatError, match=r"it has: a \(3,\), b \(4,\)"):
        read(tmp_path / "a.npz")


def test_fashion_mnist(data_dir):
    source = read(data_dir / "fashion-mnist")
    assert source.test is not None
    assert source.table["image"].shape == (60000, 28, 28, 1)
    assert source.test.series("label").value_counts()["count"].to_list() == [1000] * 10
