"""Whatever Pillow raises on a bad file is ours on the other side, in one place."""

from __future__ import annotations

import errno
import struct
import warnings

import pytest
from PIL import Image, UnidentifiedImageError

from imgsvc.errors import ImageCorrupt, ImageTooLargeForMemory, ImageTooManyPixels, StorageUnavailable
from imgsvc.imaging.faults import translated, working


@pytest.mark.parametrize(
    "error",
    [
        UnidentifiedImageError("?"),
        OSError("broken data stream"),
        ValueError("?"),
        SyntaxError("?"),
        IndexError("?"),
        TypeError("?"),
        KeyError("?"),
        RuntimeError("?"),
        EOFError("?"),
        struct.error("?"),
        NotImplementedError("?"),
        OverflowError("?"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_exception_of_a_bad_file_means_that_it_is_damaged(error: Exception) -> None:
    with pytest.raises(ImageCorrupt), translated(100):
        raise error


@pytest.mark.parametrize("pixels", [150, 1000])
def test_a_bomb_is_too_many_pixels_from_the_limit_on_not_from_its_double(pixels: int) -> None:
    with pytest.raises(ImageTooManyPixels), translated(100):
        Image._decompression_bomb_check((pixels, 1))


def test_no_memory_is_no_memory_whatever_it_is_called() -> None:
    with pytest.raises(ImageTooLargeForMemory), translated(100):
        raise MemoryError
    with pytest.raises(ImageTooLargeForMemory), translated(100, need=lambda: 1 << 60):
        raise OSError("could not create decoder object")
    with pytest.raises(ImageTooLargeForMemory), working(1 << 60):
        raise OSError("encoder error -9")
    with pytest.raises(ImageTooLargeForMemory), working(1 << 60):
        raise RuntimeError("Encoding of color planes failed")  # as libavif says it
    with pytest.raises(ImageTooLargeForMemory), working(1 << 60):
        raise ValueError("encoding error 1")  # as libwebp's binding says it
    with pytest.raises(OSError, match="encoder error"), working(1):
        raise OSError("encoder error -2")


def test_the_faults_of_a_disk_and_our_own_pass_through() -> None:
    with pytest.raises(OSError, match="Input/output"), translated(100):
        raise OSError(errno.EIO, "Input/output error")
    with pytest.raises(StorageUnavailable), translated(100):
        raise StorageUnavailable("gone")
    with pytest.raises(KeyboardInterrupt), translated(100):
        raise KeyboardInterrupt


def test_warnings_about_files_are_not_for_the_log_and_settings_are_restored() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with translated(100):
        assert Image.MAX_IMAGE_PIXELS == 100
        warnings.warn("Corrupt EXIF data", UserWarning, stacklevel=1)
    assert before == Image.MAX_IMAGE_PIXELS
