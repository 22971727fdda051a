"""How many frames a file has, counted up to a bound: hostile files claim or have millions."""

from __future__ import annotations

from typing import BinaryIO

from PIL import ImageFile

#: Where frames are declared or listed in what was read to open the file; the file may lie.
_DECLARED = frozenset({"PNG", "WEBP", "AVIF"})
#: An MPO's further pictures are other views or previews of the first.
_ONE = frozenset({"JPEG", "MPO"})


def count(image: ImageFile.ImageFile, file: BinaryIO, most: int) -> int:
    """The frames of an opened image, `most` + 1 where there are more than `most`."""
    if image.format in _ONE:
        return 1
    if image.format in _DECLARED:
        return min(max(1, int(getattr(image, "n_frames", 1))), most + 1)
    if image.format == "GIF":
        return max(1, _count_gif(file, most))
    return _seek(image, most)


def _seek(image: ImageFile.ImageFile, most: int) -> int:
    """By asking for one frame after the other: never `n_frames`, which walks the whole file."""
    frames = 1
    try:
        while frames <= most:
            image.seek(frames)
            frames += 1
    except EOFError:
        pass
    image.seek(0)
    return frames


def _count_gif(file: BinaryIO, most: int) -> int:
    """By its blocks (GIF89a, section 17 ff.): Pillow would decode each frame to reach the next."""
    file.seek(10)
    _skip_table(file, file.read(3)[:1])
    frames = 0
    while frames <= most:
        match file.read(1):
            case b"!":
                file.seek(1, 1)
            case b",":
                _skip_table(file, file.read(9)[8:])
                file.seek(1, 1)
                frames += 1
            case _:  # the trailer, the end or damage
                break
        if not _skip_blocks(file):
            break
    return frames


def _skip_table(file: BinaryIO, flags: bytes) -> None:
    """Skip a colour table, where the flags say that there is one."""
    if flags and flags[0] & 0x80:
        file.seek(3 << (flags[0] & 7) + 1, 1)


def _skip_blocks(file: BinaryIO) -> bool:
    """Skip a chain of data blocks; False where the file ends before it does."""
    while size := file.read(1):
        if size == b"\0":
            return True
        file.seek(size[0], 1)
    return False
