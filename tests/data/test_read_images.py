"""Pictures: folders of classes, columns of paths, every mode and size, and broken files."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from deepwell.data.images import read_images
from deepwell.data.pictures import MAX_PIXELS, read_pictures, resize_array
from deepwell.data.read import read, read_table
from deepwell.data.settings import DataSettings
from deepwell.errors import ColumnError, DataError, FileFormatError, ImageError

PLAIN = DataSettings()
SKIP = DataSettings(skip_broken=True)


def save(path, *, size=(20, 16), mode="RGB", colour=(200, 40, 40), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path, **options)
    return path


def pets(folder, count=2, **options):
    for label in ("cats", "dogs"):
        for number in range(count):
            save(folder / label / f"{number}.png", **options)
    return folder


def bomb(path, side):
    """A PNG of a few bytes whose header promises side × side pixels."""

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def noise(path, **options):
    """A picture that does not compress, so that half a file is half a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def test_folder_of_classes(tmp_path):
    source = read(pets(tmp_path / "pets"))
    assert source.table.names == ["image", "label", "file"]
    assert source.table["image"].shape == (4, 16, 20, 3)
    assert source.table.series("label").to_list() == ["cats", "cats", "dogs", "dogs"]
    assert source.table.series("file").to_list()[0] == "cats/0.png"
    assert (source.target, source.test, source.name) == (("label",), None, "pets")
    assert source.table["image"][0, 3, 3].tolist() == [200, 40, 40]


def test_train_and_test_folders(tmp_path):
    pets(tmp_path / "train", 3)
    pets(tmp_path / "test", 1)
    source = read(tmp_path)
    assert source.test is not None
    assert (len(source.table), len(source.test)) == (6, 2)
    assert source.test.ids.tolist() == [0, 1]
    assert source.table.series("label").n_unique() == 2


def test_val_folder_joins_the_train_part(tmp_path):
    for part in ("train", "valid", "test"):
        pets(tmp_path / part, 1)
    source = read(tmp_path)
    assert len(source.table) == 4
    assert any("valid joined the train part" in note for note in source.notes)


def test_classes_may_be_called_train_without_a_counterpart(tmp_path):
    save(tmp_path / "train" / "a.png")
    save(tmp_path / "bus" / "a.png")
    assert read(tmp_path).table.series("label").to_list() == ["bus", "train"]


def test_folders_below_a_class_belong_to_it(tmp_path):
    pets(tmp_path)
    save(tmp_path / "cats" / "siamese" / "x.png")
    assert read(tmp_path).table.series("label").to_list().count("cats") == 3


def test_what_is_passed_over_is_noted(tmp_path):
    pets(tmp_path)
    save(tmp_path / "loose.png")
    (tmp_path / "cats" / ".DS_Store").write_text("x")
    (tmp_path / "cats" / "readme.txt").write_text("x")
    (tmp_path / "birds").mkdir()
    notes = " ".join(read(tmp_path).notes)
    assert "1 pictures outside the class folders" in notes
    assert "2 hidden files" in notes
    assert "birds" in notes


@pytest.mark.parametrize(
    ("prepare", "error", "message"),
    [
        (lambda folder: None, FileFormatError, "holds no pictures"),
        (lambda f: (f / "a.csv").write_text("x"), FileFormatError, "instead: a.csv"),
        (lambda f: save(f / "cats" / "a.png"), DataError, 'only one class folder.*"cats"'),
        (lambda f: save(f / "a.png"), DataError, "pictures and no class folders"),
    ],
)
def test_folders_that_cannot_be_learned_from(tmp_path, prepare, error, message):
    prepare(tmp_path)
    with pytest.raises(error, match=message):
        read(tmp_path)


MODES = [("L", "png"), ("RGBA", "png"), ("P", "gif"), ("1", "png"), ("CMYK", "jpg"), ("LA", "png")]


@pytest.mark.parametrize(("mode", "ending"), [*MODES, ("RGB", "webp"), ("F", "tif"), ("I", "tif")])
def test_every_mode_beside_colour(tmp_path, mode, ending):
    odd = save(tmp_path / f"a.{ending}", mode=mode)
    colour = save(tmp_path / "b.png")
    images = read_pictures([odd, colour], PLAIN).images
    assert images.shape == (2, 16, 20, 3)
    assert images[1, 0, 0].tolist() == [200, 40, 40]
    grey = round(0.299 * 200 + 0.587 * 40 + 0.114 * 40)
    wanted = {"1": (None,) * 3, "P": (200, 40, 40)}.get(mode, (200, 40, 40))
    if mode in ("L", "LA", "F", "I"):
        wanted = (grey,) * 3
    if None not in wanted:
        assert np.abs(images[0].mean(axis=(0, 1)) - wanted).max() < 6


def test_grey_pictures_have_one_channel(tmp_path):
    files = [save(tmp_path / f"{mode}.png", mode=mode) for mode in ("L", "1", "LA")]
    assert read_pictures(files, PLAIN).images.shape == (3, 16, 20, 1)


def test_sixteen_bits_are_scaled(tmp_path):
    Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(np.full((8, 8), 257 * 100, np.uint16)).save(tmp_path / "b.png")
    images = read_pictures([tmp_path / "a.png", tmp_path / "b.png"], PLAIN).images
    assert images[:, 0, 0, 0].tolist() == [255, 100]


def test_transparent_pixels_are_white(tmp_path):
    Image.new("RGBA", (8, 8), (200, 0, 0, 0)).save(tmp_path / "a.png")
    assert (read_pictures([tmp_path / "a.png"], PLAIN).images == 255).all()


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_pictures([tmp_path / "a.gif"], PLAIN).images[0, 0, 0].tolist() == [255, 0, 0]


def test_orientation_of_a_camera_is_followed(tmp_path):
    picture = Image.new("RGB", (64, 32), "white")
    picture.paste((0, 0, 0), (0, 0, 64, 16))  # upper half black
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: the upper half comes to the right
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    image = read_pictures([tmp_path / "a.jpg"], PLAIN).images[0]
    assert image.shape == (64, 32, 3)
    assert image[:, :12].min() > 200
    assert image[:, 20:].max() < 60


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ([(20, 16)] * 2, (16, 20)),
        ([(224, 224)] * 2, (224, 224)),
        ([(300, 200)] * 2, (160, 160)),
        ([(20, 16), (10, 12)], (32, 32)),
        ([(70, 100), (64, 64), (500, 400)], (64, 64)),
        ([(900, 800), (700, 701)], (224, 224)),
    ],
)
def test_common_size(tmp_path, sizes, shape):
    files = [save(tmp_path / f"{i}.png", size=size) for i, size in enumerate(sizes)]
    pictures = read_pictures(files, PLAIN)
    assert pictures.images.shape[1:3] == shape
    assert bool(pictures.notes) == (len(set(sizes)) > 1 or sizes[0] == (300, 200))


def test_proportions_are_kept_and_the_centre_is_cut(tmp_path):
    picture = Image.new("RGB", (120, 40), "white")
    picture.paste((0, 0, 0), (40, 0, 80, 40))  # the middle third is black
    picture.save(tmp_path / "a.png")
    images = read_pictures([tmp_path / "a.png"], DataSettings(image_size=16)).images
    assert images.shape == (1, 16, 16, 3)
    assert images.max() < 40


def test_large_jpeg_is_the_same_as_its_png(tmp_path):
    gradient = np.linspace(0, 255, 900).astype(np.uint8)
    pixels = np.broadcast_to(gradient[None, :, None], (600, 900, 3))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    files = [tmp_path / "a.png", tmp_path / "a.jpg"]
    images = read_pictures(files, DataSettings(image_size=64)).images.astype(int)
    assert np.abs(images[0] - images[1]).max() <= 4


BREAKERS = {
    "zero": (lambda p: p.write_bytes(b""), r"is empty \(0 bytes\)"),
    "text": (lambda p: p.write_bytes(b"hello"), "is not a picture"),
    "cut": (lambda p: cut(noise(p, format="PNG")), "is truncated"),
    "bomb": (lambda p: bomb(p, 9500), "is enormous"),
    "warned": (lambda p: bomb(p, 10000), "is enormous"),
    "refused": (lambda p: bomb(p, 40000), "is enormous"),
    "lying": (lambda p: bomb(p, 50), "is truncated|is damaged"),
    "script": (lambda p: p.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n"), "is not a picture"),
}


@pytest.mark.parametrize("case", BREAKERS)
def test_broken_picture_among_good_ones(tmp_path, case):
    breaker, message = BREAKERS[case]
    pets(tmp_path)
    breaker(tmp_path / "dogs" / "bad.png")
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # what escapes here would be printed to the user
        with pytest.raises(ImageError, match=rf"bad\.png.*({message}).*--skip-broken"):
            read(tmp_path)
    source = read(tmp_path, SKIP)
    assert source.table.series("label").to_list() == ["cats", "cats", "dogs", "dogs"]
    assert any("bad.png" in note for note in source.notes)


def test_cut_jpeg_is_noticed(tmp_path):
    pets(tmp_path)
    cut(noise(tmp_path / "cats" / "bad.jpg"))
    with pytest.raises(ImageError, match=r"bad\.jpg.*is truncated"):
        read(tmp_path)


def test_others_are_counted(tmp_path):
    pets(tmp_path)
    for name in ("a0.png", "a1.png", "a2.png"):
        (tmp_path / "cats" / name).touch()
    with pytest.raises(ImageError, match=r"a0\.png.* 2 other pictures of 7"):
        read(tmp_path)


def test_nothing_left_after_skipping(tmp_path):
    for label in ("cats", "dogs"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").touch()
    with pytest.raises(ImageError, match="None of the pictures can be read"):
        read(tmp_path, SKIP)


def test_the_limit_on_pixels_is_ours(tmp_path):
    side = int(MAX_PIXELS**0.5) + 1
    with pytest.raises(ImageError, match=r"80 megapixels|80 are allowed"):
        read_pictures([bomb(tmp_path / "a.png", side)], PLAIN)


def test_digest_depends_on_content_and_names(tmp_path):
    first = read_images(pets(tmp_path / "a"), PLAIN).digest
    assert read_images(pets(tmp_path / "b"), PLAIN).digest == first
    (tmp_path / "b/cats/0.png").rename(tmp_path / "b/cats/9.png")
    assert read_images(tmp_path / "b", PLAIN).digest != first
    save(tmp_path / "a/cats/0.png", colour=(1, 2, 3))
    assert read_images(tmp_path / "a", PLAIN).digest != first


def test_pictures_to_predict_need_no_classes(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", size=(50, 70), mode="L")
    table = read_table(tmp_path, image_size=(1, 12, 10))
    assert table.names == ["image", "file"]
    assert table["image"].shape == (2, 12, 10, 1)
    assert read_table(tmp_path / "a.png", image_size=(3, 8, 8)).names == ["image", "file"]


def test_pictures_to_evaluate_keep_their_classes(tmp_path):
    pets(tmp_path / "train", 3)
    pets(tmp_path / "test", 1)
    assert read_table(tmp_path).series("label").to_list() == ["cats", "dogs"]
    assert len(read_table(tmp_path / "train")) == 6


def test_single_picture_is_not_data_to_learn_from(tmp_path):
    with pytest.raises(FileFormatError, match="single picture"):
        read(save(tmp_path / "a.png"))


@pytest.fixture
def listed(tmp_path):
    """A table with a column of picture paths, one of them used twice."""
    for name in ("a", "b"):
        save(tmp_path / "photos" / f"{name}.jpg", colour=(10, 10, 10) if name == "a" else "white")
    path = tmp_path / "pets.csv"
    path.write_text("photo,age\nphotos/b.jpg,1\nphotos/a.jpg,2\nphotos/b.jpg,3\n")
    return path


def test_column_of_picture_paths(listed):
    source = read(listed)
    assert source.table.names == ["photo", "file", "age"]
    image = source.table["photo"]
    assert image.shape == (3, 16, 20, 3)
    assert (image.mean(axis=(1, 2, 3)) > 128).tolist() == [True, False, True]
    assert source.table.series("file").to_list()[1] == "photos/a.jpg"


def test_paths_below_the_working_folder(listed, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    moved = listed.rename(tmp_path / "elsewhere" / "pets.csv")
    monkeypatch.chdir(tmp_path)
    assert read(moved).table["photo"].shape == (3, 16, 20, 3)
    frame = {"photo": ["photos/a.jpg"], "file": ["kept"]}
    assert read(frame).table.names == ["photo", "photo_file", "file"]


@pytest.mark.parametrize(
    ("settings", "target"),
    [
        (DataSettings(ignore=("photo",)), ()),
        (DataSettings(kinds={"photo": "category"}), ()),
        (PLAIN, ("photo",)),
    ],
)
def test_paths_stay_text_when_said_so(listed, settings, target):
    table = read(listed, settings, target=target).table
    assert table.series("photo").to_list()[0] == "photos/b.jpg"


def test_paths_without_files_stay_text_with_a_note(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("photo,n\nx/1.jpg,1\nx/2.jpg,2\n")
    source = read(path)
    assert source.table.series("photo").to_list() == ["x/1.jpg", "x/2.jpg"]
    assert "none of them was found" in source.notes[0]
    with pytest.raises(ImageError, match=r"x/1\.jpg.* does not exist"):
        read(path, DataSettings(kinds={"photo": "image"}))


def test_missing_picture_file_is_named_or_skipped(listed):
    listed.write_text(listed.read_text() + "photos/none.jpg,4\n")
    with pytest.raises(ImageError, match=r"none\.jpg.* does not exist.*--skip-broken"):
        read(listed)
    table = read(listed, SKIP).table
    assert table.series("age").to_list() == [1, 2, 3]
    assert len(table["photo"]) == 3


def test_row_without_a_picture_is_named_or_skipped(listed):
    listed.write_text(listed.read_text() + ",4\n")
    with pytest.raises(ImageError, match="row 4 of the data has none"):
        read(listed)
    assert read(listed, SKIP).table.ids.tolist() == [0, 1, 2]


def test_numbers_said_to_be_pictures(tmp_path):
    with pytest.raises(ColumnError, match='"n" was said to hold pictures'):
        read({"n": [1, 2]}, DataSettings(kinds={"n": "image"}))


def test_table_to_predict_gets_the_wanted_size(listed):
    assert read_table(listed, image_size=(1, 9, 7))["photo"].shape == (3, 9, 7, 1)


def test_resize_array_changes_size_and_channels():
    images = np.full((2, 10, 10, 3), (200, 40, 40), dtype=np.uint8)
    grey = resize_array(images, (1, 5, 4))
    assert grey.shape == (2, 5, 4, 1)
    assert np.unique(grey).tolist() == [88]
    assert resize_array(images, (3, 10, 10)) is images
    assert (resize_array(grey, (3, 5, 4)) == 88).all()
