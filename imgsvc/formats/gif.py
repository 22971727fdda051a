"""GIF: 256 colours and motion, for whatever shows nothing better."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar

from PIL import Image
from typing_extensions import override

from imgsvc.formats._base import Format, Picture
from imgsvc.raster.alpha import apart, opaque
from imgsvc.raster.indexed import few

#: Alpha from which a pixel is shown; GIF knows no half.
_SHOWN_FROM = 128
#: The palette entry of pixels that are not shown.
_NOTHING = 255
#: Pixels from which a palette is made at most; a larger picture is sampled: 8 times as fast at 3 MP,
#: 0.3 dB less.
_SAMPLE = 512 * 512
#: The longest time that a frame can be shown, in 1/100 s.
_LONGEST = 65535

#: Extensions (GIF89a, section 23 ff.) that results have: how long a frame is shown, how often all are.
_TIMES, _PLAYS = 0xF9, b"\xff\x0bNETSCAPE2.0"


class Gif(Format):
    """GIF: at most 256 colours a frame, alpha on or off, with animation.

    A still picture of more colours is dithered; the frames of an animation are not, they would
    shimmer. Times are in hundredths of a second.
    """

    example: ClassVar[str] = "gif"
    media_type: ClassVar[str] = "image/gif"
    extension: ClassVar[str] = "gif"
    pillow: ClassVar[tuple[str, ...]] = ("GIF",)
    signature: ClassVar[bytes] = rb"GIF8[79]a"
    alpha: ClassVar[bool] = True
    animated: ClassVar[bool] = True
    decode_bytes_per_pixel: ClassVar[float] = 9

    @override
    def stands_in(self, data: bytes) -> bool:
        return _nothing_but_pictures(data)

    @override
    def encode(self, picture: Picture, file: BinaryIO) -> None:
        holes = not all(opaque(frame) for frame in picture.frames)
        still = len(picture.frames) == 1
        first, *others = (_indexed(frame, holes=holes, dither=still) for frame in picture.frames)
        if still:
            first.save(file, "GIF")
            return
        repeats = {} if picture.loop in (None, 1) else {"loop": max(0, (picture.loop or 0) - 1)}
        first.save(
            file,
            "GIF",
            save_all=True,
            append_images=others,
            duration=list(_hundredths(picture.durations)),
            # What a frame does not show must not let the one before it shine through.
            disposal=2 if holes else 1,
            **repeats,
        )


def _indexed(image: Image.Image, *, holes: bool, dither: bool) -> Image.Image:
    """The picture in L or P; with `holes` one palette entry is kept for what is not shown."""
    colour, alpha = apart(image)
    if not holes:
        indexed = _few_colours(colour, 256, dither=dither)
        indexed.info = {}
        return indexed
    shown = (alpha or Image.new("L", image.size, 255)).point([0] * _SHOWN_FROM + [255] * (256 - _SHOWN_FROM))
    ground = Image.new("RGB", image.size)
    ground.paste(colour, mask=shown)
    indexed = _few_colours(ground, _NOTHING, dither=dither)
    palette = indexed.getpalette() or []
    indexed.putpalette(palette + [0] * (768 - len(palette)))
    indexed.paste(_NOTHING, mask=shown.point([255] + [0] * 255))
    indexed.info = {"transparency": _NOTHING}
    return indexed


def _few_colours(image: Image.Image, most: int, *, dither: bool) -> Image.Image:
    """At most so many colours; a picture that has no more keeps every one."""
    if image.mode == "L":
        return Image.frombytes("L", image.size, image.tobytes())
    if image.getcolors(most):
        return image.quantize(most, Image.Quantize.MEDIANCUT)
    if dither:
        return few(image, most)
    step = max(1, int((image.width * image.height / _SAMPLE) ** 0.5))
    sample = image.resize((-(-image.width // step), -(-image.height // step)), Image.Resampling.NEAREST)
    palette = sample.quantize(most, Image.Quantize.MEDIANCUT)
    return image.quantize(palette=palette, dither=Image.Dither.NONE) if step > 1 else palette


def _hundredths(durations: tuple[int, ...]) -> Iterator[int]:
    """Times as GIF can have them, still in milliseconds, none drifting from the sum so far.

    Browsers take 10 ms and less for "not said" and show such a frame for 100 ms, so what was longer
    stays longer.
    """
    wanted = given = 0
    for duration in durations:
        wanted += duration
        time = max((wanted + 5) // 10 - given, 2 if duration > 10 else 0)
        given += time
        yield min(time, _LONGEST) * 10


def _nothing_but_pictures(data: bytes) -> bool:
    """Is there no comment, no text and nothing of any program in a file, and nothing behind its end?"""
    at = 13 + _table(data, 10)
    while at < len(data):
        match data[at]:
            case 0x21:
                if data[at + 1 : at + 2] != bytes([_TIMES]) and not data.startswith(_PLAYS, at + 1):
                    return False
                at += 2
            case 0x2C:
                at += 11 + _table(data, at + 9)
            case _:
                return data[at:] == b";"
        while data[at : at + 1] not in (b"", b"\0"):
            at += 1 + data[at]
        at += 1
    return False


def _table(data: bytes, flags: int) -> int:
    """The bytes of a colour table, where its flags say that there is one."""
    found = data[flags] if flags < len(data) else 0
    return 3 << (found & 7) + 1 if found & 0x80 else 0
