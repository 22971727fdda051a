"""A still WebP file as Pillow has files, which libwebp decodes: opening it costs no pixel."""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageFile
from typing_extensions import override

from imgsvc.raster import libwebp
from imgsvc.raster.geometry import Size

#: Flags of an extended file (https://developers.google.com/speed/webp/docs/riff_container).
_ANIMATION, _ALPHA = 0x02, 0x10
#: Metadata: its chunk, its flag, and what Pillow calls it.
_METADATA = ((b"ICCP", 0x20, "icc_profile"), (b"EXIF", 0x08, "exif"), (b"XMP ", 0x04, "xmp"))
#: Fractions of its sides to which it is decoded: as many as of a JPEG.
_SCALES = (8, 4, 2)
#: How far a file is read to know its size.
_HEAD = 30


class StillWebp(ImageFile.ImageFile):
    """A WebP file with one frame; raises SyntaxError for anything else, as Pillow's plugins do."""

    format = "WEBP"
    format_description = "WebP image"

    @override
    def _open(self) -> None:
        head = self._read(0, _HEAD)
        if len(head) < _HEAD or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
            raise SyntaxError("not a WebP file")
        flags = 0
        match head[12:16]:
            case b"VP8 " if head[23:26] == b"\x9d\x01\x2a":
                size = (_number(head[26:28]) & 0x3FFF, _number(head[28:30]) & 0x3FFF)
            case b"VP8L" if head[20] == 0x2F:
                bits = _number(head[21:25])
                size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
                flags = _ALPHA if bits >> 28 & 1 else 0
            case b"VP8X" if not head[20] & _ANIMATION:
                size = (_number(head[24:27]) + 1, _number(head[27:30]) + 1)
                flags = head[20]
            case _:
                raise SyntaxError("not a still WebP file")
        self._size = size
        self._mode = "RGBA" if flags & _ALPHA else "RGB"
        self._scaled = False
        self.n_frames, self.is_animated = 1, False
        self._find_metadata(flags)

    @override
    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Have it decoded to a half, a quarter or an eighth, no smaller than `size`.

        Not where it has alpha: libwebp mixes in the colour of what is transparent.
        """
        if size is None or self.mode != "RGB":
            return None
        most = min(self.width // size[0], self.height // size[1])
        scale = next((scale for scale in _SCALES if scale <= most), 1)
        if scale > 1:
            self._size, self._scaled = (-(-self.width // scale), -(-self.height // scale)), True
        return self.mode, (0, 0, *self._size)

    @override
    def load(self) -> Any:
        if self._im is None:
            size = Size(*self._size)
            made = libwebp.decode(self._read(0, -1), size, self.mode, scaled=self._scaled)
            if made is None:
                raise OSError("broken WebP file")
            self.im, self.readonly = made.im, 1
        return Image.Image.load(self)

    def _find_metadata(self, flags: int) -> None:
        """Walk over the chunks until all has been found that the flags promise."""
        wanted = {name: key for name, flag, key in _METADATA if flags & flag}
        place = 12
        while wanted and len(head := self._read(place, 8)) == 8:
            name, length = head[:4], _number(head[4:])
            if name in wanted:
                self.info[wanted.pop(name)] = self._read(place + 8, length)
            place += 8 + length + length % 2

    def _read(self, place: int, size: int) -> bytes:
        if self.fp is None:
            raise ValueError("the file is closed")
        self.fp.seek(place)
        return self.fp.read(size)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
