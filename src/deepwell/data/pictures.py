"""Picture files become one dense uint8 array: sizes are read first, then each file is decoded once.

How a picture is brought to the common size: turned upright by its EXIF orientation, put on white
where it is transparent, scaled with its proportions kept until it covers the wanted size, and cut
at the centre.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.reading import ImageShape
from deepwell.data.settings import DataSettings
from deepwell.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".avif"),
        *(".tif", ".tiff", ".ppm", ".pgm", ".pbm"),
    )
)
SIDES = (32, 64, 96, 128, 160, 224)
"""Sides that are chosen from when the pictures differ in size or are large."""
MAX_PIXELS = 80_000_000
"""A larger picture is refused before it is decoded."""
MAX_BYTES = 4 << 30
"""A side that is chosen, not given, keeps all pictures together below this."""

_FORMATS = ("PNG", "JPEG", "MPO", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF")
_GREY = frozenset(("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"))
_UPRIGHT_TAG, _SIDEWAYS = 0x0112, (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class _Header:
    """What a picture says of itself before it is decoded."""

    width: int
    height: int
    is_grey: bool


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded pictures.

    Args:
        images: uint8 (good, H, W, K), K = 1 or 3.
        good: Positions in the list of files that were decoded, int64 (good,).
        digests: SHA-256 of the bytes of each decoded file.
        notes: What was scaled and left out, in words.
    """

    images: NDArray[np.uint8]
    good: NDArray[np.int64]
    digests: list[str]
    notes: list[str]


def read_pictures(
    files: Sequence[Path], settings: DataSettings, shape: ImageShape | None = None
) -> Pictures:
    """Decode picture files to one array.

    The size, unless given: that of the pictures if all agree and no side is longer than 224;
    else a square, the largest of 32, 64, 96, 128, 160, 224 that is not larger than the median of
    the shorter sides (32 at the least). There is one channel if all pictures are grey, else three.

    Args:
        files: At least one.
        settings: `image_size` gives the side; `skip_broken` leaves out what cannot be read.
        shape: (channels, height, width) that a trained network wants; overrides the rest.

    Raises:
        ImageError: A file is broken, empty, enormous or no picture, and is not skipped.
    """
    with warnings.catch_warnings():  # outside the threads: the filters belong to all of them
        from PIL import Image

        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        workers = min(8, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers, thread_name_prefix="pictures") as pool:
            headers = list(pool.map(_attempt_header, files))
            good = [i for i, header in enumerate(headers) if isinstance(header, _Header)]
            known = [header for header in headers if isinstance(header, _Header)]
            if not known:
                raise _broken(files, [h for h in headers if isinstance(h, str)], range(len(files)))
            shape, notes = _choose(known, settings, shape)
            images = _room(len(good), shape)
            jobs = [(files[position], images, row) for row, position in enumerate(good)]
            outcomes = list(pool.map(_attempt_decode, jobs))
    return _sort_out(files, headers, good, images, outcomes, settings, notes)


def _room(rows: int, shape: ImageShape) -> NDArray[np.uint8]:
    channels, height, width = shape
    try:
        return np.zeros((rows, height, width, channels), dtype=np.uint8)
    except MemoryError:
        size = rows * height * width * channels / (1 << 30)
        raise ImageError(
            f"{rows} pictures of {height} × {width} pixels need {size:.0f} GiB of memory, "
            "more than there is: choose a smaller --image-size."
        ) from None


def _sort_out(
    files: Sequence[Path],
    headers: list[_Header | str],
    good: list[int],
    images: NDArray[np.uint8],
    outcomes: list[tuple[str, str]],
    settings: DataSettings,
    notes: list[str],
) -> Pictures:
    """Part the decoded pictures from the broken ones; raise unless these are to be skipped."""
    reasons = {i: header for i, header in enumerate(headers) if isinstance(header, str)}
    late = {good[row]: reason for row, (_, reason) in enumerate(outcomes) if reason}
    reasons = dict(sorted({**reasons, **late}.items()))
    if not reasons:
        return Pictures(images, np.asarray(good), [digest for digest, _ in outcomes], notes)
    if not settings.skip_broken or len(late) == len(good):
        raise _broken(files, list(reasons.values()), list(reasons))
    rows = [row for row, (_, reason) in enumerate(outcomes) if not reason]
    names = ", ".join(str(files[i]) for i in list(reasons)[:5])
    more = f" and {len(reasons) - 5} more" if len(reasons) > 5 else ""
    notes.append(
        f"{len(reasons)} of {len(files)} pictures cannot be read and were left out: {names}{more}."
    )
    kept = np.asarray([good[row] for row in rows], dtype=np.int64)
    return Pictures(images[rows], kept, [outcomes[row][0] for row in rows], notes)


def _broken(files: Sequence[Path], reasons: list[str], positions: Sequence[int]) -> ImageError:
    others = len(reasons) - 1
    also = ""
    if others:
        plural = "s" if others > 1 else ""
        also = f" {others} other picture{plural} of {len(files)} cannot be read either."
    mend = "Mend or remove it, or pass --skip-broken to go on without."
    if len(reasons) == len(files):
        mend = "None of the pictures can be read." if others else "Mend it or give another one."
    return ImageError(f'The picture "{files[positions[0]]}" {reasons[0]}.{also} {mend}')


def _attempt_header(path: Path) -> _Header | str:
    """Return what the file says of itself, or what is wrong with it."""
    from PIL import Image

    try:
        if path.stat().st_size == 0:
            return "is empty (0 bytes)"
        with Image.open(path, formats=_formats()) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                return _enormous(width * height)
            if picture.format in ("JPEG", "MPO") and _is_sideways(picture):
                width, height = height, width
            return _Header(width, height, picture.mode in _GREY)
    except Exception as error:
        return _reason(error)


def _attempt_decode(job: tuple[Path, NDArray[np.uint8], int]) -> tuple[str, str]:
    """Decode a file into its row; return its digest, and what is wrong with it or ''."""
    from PIL import Image

    path, images, row = job
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=_formats()) as picture:
            images[row] = picture_array(picture, images.shape[1:])
        return hashlib.sha256(data).hexdigest(), ""
    except Exception as error:
        return "", _reason(error)


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return the formats that are opened: never one that starts a program, such as EPS."""
    from PIL import Image

    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _is_sideways(picture: Image.Image) -> bool:
    return picture.getexif().get(_UPRIGHT_TAG) in _SIDEWAYS


def _enormous(pixels: int) -> str:
    return (
        f"is enormous ({pixels / 1e6:.0f} megapixels; {MAX_PIXELS // 1_000_000} are allowed): "
        "make it smaller"
    )


def _reason(error: Exception) -> str:
    """Say what is wrong with a picture, from what Pillow or the system raised."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"is enormous (more than {MAX_PIXELS // 1_000_000} megapixels): make it smaller"
    if isinstance(error, UnidentifiedImageError):
        return "is not a picture or its beginning is damaged"
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "may not be read (no permission)"
    if "truncated" in str(error) or isinstance(error, EOFError):
        return "is truncated: its end is missing"
    return "is damaged"


def _choose(
    headers: list[_Header], settings: DataSettings, shape: ImageShape | None
) -> tuple[ImageShape, list[str]]:
    """Return (channels, height, width) for all pictures, and a note if they must be scaled."""
    if shape is not None:
        return shape, []
    channels = 1 if all(header.is_grey for header in headers) else 3
    sizes = {(header.height, header.width) for header in headers}
    height, width = next(iter(sizes))
    if settings.image_size is not None:
        side = settings.image_size
        return (channels, side, side), _scaled(sizes, side)
    if len(sizes) == 1 and max(height, width) <= SIDES[-1]:
        return (channels, height, width), []
    median = float(np.median([min(header.height, header.width) for header in headers]))
    fitting = [
        side
        for side in SIDES[1:]
        if side <= median and len(headers) * side * side * channels <= MAX_BYTES
    ]
    side = fitting[-1] if fitting else SIDES[0]
    return (channels, side, side), _scaled(sizes, side)


def _scaled(sizes: set[tuple[int, int]], side: int) -> list[str]:
    if sizes == {(side, side)}:
        return []
    start = "Pictures of {} sizes were" if len(sizes) > 1 else "The pictures were"
    return [
        f"{start.format(len(sizes))} scaled to {side} × {side} pixels, cut at the centre "
        "(--image-size chooses another size)."
    ]


def picture_array(picture: Image.Image, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return one picture as uint8 of this shape (height, width, channels).

    Of an animation, the first frame is taken. 16-bit and float greys are brought to 8 bits.

    Example:
        >>> from PIL import Image
        >>> picture_array(Image.new("CMYK", (40, 20)), (8, 8, 3)).shape
        (8, 8, 3)
    """
    from PIL import Image, ImageOps

    height, width, channels = shape
    mode = "L" if channels == 1 else "RGB"
    _draft(picture, mode, height, width)
    picture = _to_mode(ImageOps.exif_transpose(picture), mode)
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.uint8).reshape(height, width, channels)


def _draft(picture: Image.Image, mode: str, height: int, width: int) -> None:
    """Let a large JPEG be decoded at a smaller scale that still covers the wanted size."""
    if getattr(picture, "format", None) == "JPEG" and picture.mode == mode:
        scale = max(height, width) / min(picture.size)
        wanted = (round(picture.width * scale), round(picture.height * scale))
        if scale < 0.5:
            picture.draft(mode, wanted)


def _to_mode(picture: Image.Image, mode: str) -> Image.Image:
    from PIL import Image

    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _to_eight_bits(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    if picture.mode not in ("1", "L", "RGB", mode):
        picture = picture.convert("RGB")
    return picture if picture.mode == mode else picture.convert(mode)


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """Bring greys of 16 or 32 bits or floats to 0 … 255, by the range that they use."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if picture.mode == "F" and low >= 0 and high <= 1:
        values = values * 255
    elif low < 0 or high > 65535:
        values = (values - low) * (255 / (high - low))
    elif high > 255 or picture.mode.startswith("I;16"):
        values = values / 257
    return Image.fromarray(np.round(values).astype(np.uint8))


def resize_array(images: NDArray[np.uint8], shape: ImageShape) -> NDArray[np.uint8]:
    """Bring pictures in memory to another size and number of channels.

    Args:
        images: uint8 (rows, H, W, K), K = 1 or 3.
        shape: The wanted (channels, height, width).

    Returns:
        uint8 (rows, height, width, channels); the same array if nothing changes.

    Example:
        >>> resize_array(np.zeros((2, 28, 28, 1), np.uint8), (3, 32, 32)).shape
        (2, 32, 32, 3)
    """
    from PIL import Image

    channels, height, width = shape
    if images.shape[1:] == (height, width, channels):
        return images
    if images.shape[1:3] == (height, width) and channels == 3:
        return np.repeat(images, 3, axis=3)
    result = np.empty((len(images), height, width, channels), dtype=np.uint8)
    for row, pixels in enumerate(images):
        flat: NDArray[Any] = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        result[row] = picture_array(Image.fromarray(flat), (height, width, channels))
    return result
