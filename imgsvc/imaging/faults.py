"""The one place where what Pillow raises on a bad file becomes what we raise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image

from imgsvc.errors import ImageCorrupt, ImageTooLargeForMemory, ImageTooManyPixels, ImgsvcError
from imgsvc.raster import memory


def no_memory() -> ImageTooLargeForMemory:
    """The refusal of an image that a worker's memory does not hold."""
    return ImageTooLargeForMemory("the image needs more memory than a worker may use")


@contextmanager
def translated(max_pixels: int | None, need: Callable[[], int] = int) -> Iterator[None]:
    """Around everything that reads a file: open, seek, load, metadata.

    Pillow raises a dozen exception types on damaged files (measured on 14,771 of them: OSError,
    ValueError, SyntaxError, IndexError, TypeError, KeyError, RuntimeError, EOFError, struct.error,
    NotImplementedError and what a bomb raises); all of them mean that the image is damaged. Where a
    decoder got no memory they are the same, so it is asked whether `need()` bytes could be had at all. Not
    translated are our own errors and those of the medium that the file lies on, which have an errno.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Between the limit and its double Pillow only warns.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except ImgsvcError:
        raise
    except MemoryError:
        raise no_memory() from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
        raise ImageTooManyPixels(
            f"the image has more pixels than the {max_pixels} that are decoded", limit=max_pixels
        ) from bomb
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if not _available(need()):
            raise no_memory() from error
        raise ImageCorrupt("the image is damaged and can't be decoded") from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextmanager
def working(need: int) -> Iterator[None]:
    """Around operations and encoders: of what they raise only the lack of memory is the image's fault."""
    try:
        yield
    except MemoryError:
        raise no_memory() from None
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # encoders' ways of saying that they got none, among others
        if getattr(error, "errno", None) is None and not _available(need):
            raise no_memory() from error
        raise


def _available(size: int) -> bool:
    try:
        memory.reserve(size)
    except MemoryError:
        return False
    return True
