"""Reduced masters: a picture's pixels at a fraction of its size, kept so that it is decoded once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image
from pydantic import Base64Bytes, BaseModel, ConfigDict, ValidationError

from imgsvc.imaging.decode import decode
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.faults import working
from imgsvc.imaging.levels import Level
from imgsvc.imaging.limits import Limits
from imgsvc.imaging.source import Origin, Source
from imgsvc.imaging.steps import Clock
from imgsvc.raster import resample
from imgsvc.raster.geometry import Size
from imgsvc.raster.mapped import mapped
from imgsvc.raster.resample import Filter

#: What a master is called in the place of a format.
FORMAT = "master"
#: What a file begins with; another number is another way to write it.
_MAGIC = b"imgsvc master 1\n"
#: The length of the description is written with so many digits.
_DIGITS = 9
#: Pixels begin at a multiple of this, where native code likes them.
_ALIGNED = 64
#: How the pixels of each mode are written: as Pillow has them in memory, so that they are used where they
#: were read to. RGB takes a byte more a pixel for that, and is read in a quarter of the time.
_RAW = {"L": ("L", 1), "RGB": ("RGBX", 4), "RGBA": ("RGBA", 4), "CMYK": ("CMYK", 4), "LA": ("LA", 2)}
#: Modes that Pillow can't use in place.
_UNPACKED = frozenset({"LA"})
#: Every so many bytes of a master one is hashed. What a power cut leaves of a file are whole pages that were
#: never written: some 67 bytes of each page of 4 KiB are looked at, at an eighth of the price of all.
_SAMPLED = 61


class Broken(Exception):
    """This is no master, or not the whole of one."""


class _About(BaseModel):
    """What is written before the pixels."""

    model_config = ConfigDict(frozen=True)

    mode: str
    width: int
    height: int
    facts: Facts
    profile: Base64Bytes | None
    copyright: Base64Bytes | None


@dataclass(frozen=True, slots=True)
class Master:
    """The pixels of a still picture at a fraction of its size, as stored, and what is known of its file."""

    #: In L, LA, RGB, RGBA or CMYK, in the colours of its file. Not to be changed.
    image: Image.Image
    origin: Origin

    @property
    def size(self) -> Size:
        """As displayed."""
        return self.origin.facts.orientation.size(Size(*self.image.size))


def make(source: Source, level: Level, limits: Limits, clock: Clock) -> Master:
    """Decode a source to a level; raises what decoding does."""
    with clock.step("decode") as step:
        image = next(decode(source, limits, scale=level.scale)).take()
        step.sees(None, source.facts.orientation.size(Size(*image.size)))
    if not level.exact:
        size = level.size(source.facts.stored)
        with clock.step("master") as step, working(image.width * image.height * 4):
            step.sees(source.facts.orientation.size(Size(*image.size)), source.facts.orientation.size(size))
            image = resample.resize(image, size, kernel=Filter.LANCZOS)
    return Master(image, source)


def written(master: Master) -> tuple[bytes, bytes]:
    """A master as bytes: what is known of it, and its pixels."""
    image, origin = master.image, master.origin
    about = _About.model_construct(
        mode=image.mode,
        width=image.width,
        height=image.height,
        facts=origin.facts,
        profile=origin.profile,
        copyright=origin.copyright,
    )
    text = about.model_dump_json().encode()
    room = -(len(_MAGIC) + _DIGITS + len(text)) % _ALIGNED
    head = b"%s%0*d%s" % (_MAGIC, _DIGITS, len(text) + room, text + b" " * room)
    return head, image.tobytes("raw", _RAW[image.mode][0])


def read(data: bytes) -> Master:
    """What was written; its pixels stay where they are. Raises Broken."""
    start = len(_MAGIC) + _DIGITS
    try:
        if data[: len(_MAGIC)] != _MAGIC:
            raise Broken("no master begins so")
        end = start + int(data[len(_MAGIC) : start])
        about = _About.model_validate_json(data[start:end])
        raw, each = _RAW[about.mode]
    except (ValueError, KeyError, ValidationError) as error:
        raise Broken("what is said of the master can't be read") from error
    if len(data) != end + about.width * about.height * each:
        raise Broken("a part of the master is missing")
    size = (about.width, about.height)
    if about.mode in _UNPACKED:
        image = Image.frombytes(about.mode, size, data[end:], "raw", raw)
    else:
        image = mapped(about.mode, size, data, end)
    return Master(image, Origin(about.facts, about.profile, None, about.copyright))


def digest(*parts: bytes) -> str:
    """What a master's bytes are known to be whole by, in hex: the hash of some of them (`_SAMPLED`)."""
    sampled, place = hashlib.sha256(), 0
    for part in parts:
        sampled.update(part[-place % _SAMPLED :: _SAMPLED])
        place += len(part)
    return sampled.hexdigest()
