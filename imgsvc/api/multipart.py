"""Multipart bodies as events, part by part and chunk by chunk; nothing is kept but small fields."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from imgsvc.api import names
from imgsvc.errors import MalformedMultipart, MissingFile

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# It warns of every broken form; that is the client's news, and he gets it.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

#: The name of the part that is the image.
FILE = "file"
#: Fields of a form, and bytes of one of them.
MAX_FIELDS, MAX_FIELD_BYTES = 20, 64 * 1024
#: Bytes of one part's header line: room for a file name far longer than any file system takes.
_MAX_HEADER = 16 * 1024


@dataclass(frozen=True, slots=True)
class Field:
    """A small part, whole."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileStart:
    """A part that is a file begins; its bytes follow as `bytes` events."""

    name: str
    filename: str


@dataclass(frozen=True, slots=True)
class FileEnd:
    """The file part is complete."""


Event = Field | FileStart | FileEnd | bytes


class Form:
    """Reads one multipart/form-data body.

    Every method raises MalformedMultipart; `feed` MissingFile for an image that was sent as a field.
    A part with a file name is a file, except where its name is among `fields`:
    `curl -F ops=@pipeline.json` means the content.
    """

    def __init__(self, content_type: str, fields: frozenset[str]) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise MalformedMultipart("the Content-Type of a multipart body must tell its boundary")
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks, max_header_size=_MAX_HEADER)
        except FormParserError:
            raise MalformedMultipart("the boundary of the multipart body is too long") from None
        self._fields = fields
        self._count = 0
        self._complete = False
        self._events: list[Event] = []
        self._part_begin()

    def feed(self, chunk: bytes) -> list[Event]:
        """What a chunk of the body brings."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise MalformedMultipart("the multipart body does not follow its boundary") from None
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """The body has ended: is the form complete?"""
        if not self._complete:
            raise MalformedMultipart("the multipart body ends before its closing boundary")

    def _part_begin(self) -> None:
        self._name: str | None = None
        self._file = False
        self._value = bytearray()
        self._header, self._header_text = bytearray(), bytearray()
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_text += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._header_text)
        self._header, self._header_text = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = names.text(options.get(b"name"))
        if self._name is None:
            raise MalformedMultipart("a part of the multipart body has no name")
        filename = names.text(options.get(b"filename"))
        self._file = filename is not None and self._name not in self._fields
        if self._file:
            self._events.append(FileStart(self._name, filename or ""))
            return
        if self._name == FILE:
            raise MissingFile("the part 'file' has no file name, so it is a field; send it as a file")
        self._count += 1
        if self._count > MAX_FIELDS:
            raise MalformedMultipart(f"the form has more than {MAX_FIELDS} fields")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file:
            self._events.append(data if end - start == len(data) else data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise MalformedMultipart(f"a field of the form has more than {MAX_FIELD_BYTES} bytes")

    def _part_end(self) -> None:
        if self._file:
            self._events.append(FileEnd())
            return
        if self._name is None:
            raise MalformedMultipart("a part of the multipart body has no headers")
        try:
            self._events.append(Field(self._name, self._value.decode()))
        except UnicodeDecodeError:
            raise MalformedMultipart("a field of the form is not UTF-8") from None

    def _end(self) -> None:
        self._complete = True
