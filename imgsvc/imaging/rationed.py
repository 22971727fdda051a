"""A file that is read in a bounded number of pieces: bombs are made of millions of tiny ones."""

from __future__ import annotations

import io
from typing import BinaryIO

from imgsvc.errors import ImageTooComplex

#: Bytes of a file that allow one piece more. Photographs have 30,000 to 500,000 bytes a piece, PNGs of many
#: small chunks 300; a GIF lies in blocks of 255 bytes that are visited three times.
_BYTES_A_PIECE, _BYTES_A_PIECE_OF_GIF = 100, 40


class Rationed(io.BufferedIOBase):
    """Reads a seekable file for decoders; raises ImageTooComplex when it has been asked too often.

    Readers of PNG chunks, JPEG segments and GIF blocks ask once or more for each, in Python: a file of 66 MB
    can hold 5.5 million empty ones, which would take 20 seconds before a pixel is seen.
    """

    def __init__(self, file: BinaryIO, most: int, *, gif: bool) -> None:
        self._file = file
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._most = most + size // (_BYTES_A_PIECE_OF_GIF if gif else _BYTES_A_PIECE)
        self._left = self._most

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        self._left -= 1
        if self._left < 0:
            raise ImageTooComplex(
                f"the file is made of too many small parts: it takes more than {self._most} reads",
                limit=self._most,
            )
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go elsewhere."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place of the next byte."""
        return self._file.tell()

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True
