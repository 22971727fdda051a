"""What a format is: how its files are recognised and decoded, and a frozen value that encodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, Literal, Self

from PIL.Image import Image
from PIL.Image import open as open_image
from PIL.ImageFile import ImageFile
from pydantic import BaseModel, ConfigDict

from imgsvc.raster.geometry import Size

#: How much of a file tells its format.
HEAD = 64


@dataclass(frozen=True, slots=True)
class Picture:
    """What an encoder gets: one frame, or the frames of an animation, all of one size and mode."""

    frames: tuple[Image, ...]
    #: Milliseconds that each frame is shown; empty for a still picture.
    durations: tuple[int, ...] = ()
    #: How often the animation plays, 0 for ever; None when the file did not say.
    loop: int | None = None
    #: An ICC profile to embed (only when the pipeline keeps it).
    icc: bytes | None = None
    #: An EXIF block to embed (only the copyright fields, when the pipeline keeps them).
    exif: bytes | None = None


class Ending(BaseModel):
    """What a pipeline may end with: a format, or `auto`, which leaves the choice to its client.

    A subclass is one file in this folder: the file's name is the word for it, the fields are its
    parameters, and the class docstring is its public description.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    positional: ClassVar[tuple[str, ...]] = ()
    aliases: ClassVar[Mapping[str, str]] = {}
    #: Other names of it that are accepted, never canonical.
    other_names: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[str]


class Format(Ending):
    """How pixels become a file, with the encoder's parameters."""

    #: The media type of its files.
    media_type: ClassVar[str]
    #: The usual file name extension, without the dot.
    extension: ClassVar[str]
    #: Pillow's names for what decodes as this format (`Image.format`).
    pillow: ClassVar[tuple[str, ...]]
    #: What its files begin with, as a regular expression for their first `HEAD` bytes.
    signature: ClassVar[bytes]
    #: Can its files carry alpha, and more than one frame?
    alpha: ClassVar[bool]
    animated: ClassVar[bool]
    #: The longest side that its files can have, in pixels.
    max_side: ClassVar[int] = 65535
    #: Peak bytes of memory per pixel of a full decode, measured (docs/performance.md).
    decode_bytes_per_pixel: ClassVar[float]
    #: Can its files be decoded to a half, a quarter or an eighth of their sides in less time?
    shrinks: ClassVar[bool] = False
    #: Does its decoder in Pillow write every pixel, or fail? Then their memory need not be cleared before.
    writes_all: ClassVar[bool] = False
    #: Address space that encoding takes beside the picture, roughly: an encoder that fails where there is
    #: not so much has run out of it.
    encode_bytes_per_pixel: ClassVar[float] = 16
    #: Bytes per pixel that decoding takes at the very least, the picture included (docs/performance.md).
    decode_least: ClassVar[float] = 1

    @classmethod
    def recognises(cls, head: bytes) -> bool:
        """Does a file that begins with `head` claim to be of this format?"""
        return re.match(cls.signature, head, re.DOTALL) is not None

    @classmethod
    def canvas(cls, head: bytes) -> Size | None:  # noqa: ARG003  # most formats are opened to learn it
        """The size that `head` declares, where merely opening such a file allocates its canvas."""
        return None

    @classmethod
    def wished(
        cls,
        quality: int | Literal["auto"] | None,  # noqa: ARG003  # not every encoder has such a thing
        max_bytes: int | None,  # noqa: ARG003  # as above
    ) -> Self:
        """This format as someone wants it who did not name it: `quality` is on the scale of JPEG's."""
        return cls()

    @classmethod
    def open(cls, file: BinaryIO) -> ImageFile:
        """A file of this format, as Pillow opens it: its header is read, no pixel is decoded.

        Raises whatever Pillow does.
        """
        return open_image(file, formats=cls.pillow[:1])

    def encode_least(self, pixel_bytes: int) -> float:
        """Bytes per pixel that encoding takes beside the picture at the very least (docs/performance.md).

        `pixel_bytes` are those of the picture: 1 for grey, 4 for anything else.
        """
        return 0

    def stands_in(self, data: bytes) -> bool:
        """Would this file do in place of a larger one of this format?

        It must hold nothing but the picture: no metadata, no profile, no comment, nothing behind its end;
        and it must be what the parameters ask for, if not for the effort that they ask for.
        """
        return False

    def encode(self, picture: Picture, file: BinaryIO) -> int | None:
        """Write the picture to `file`; the quality where that was found, not given.

        Raises OutputTooLarge where it can't be as small as asked. Frames are of mode L, LA, RGB or RGBA;
        where the format has no alpha it is flattened on white.
        """
        raise NotImplementedError
