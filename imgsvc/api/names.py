"""File names: what a client's name is shown as, and how ours are told to a client."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote_to_bytes

from python_multipart.multipart import parse_options_header

#: The longest name that common file systems hold, in bytes of UTF-8.
MAX_BYTES = 255
#: A longer "extension" is no extension.
_MAX_EXTENSION = 16
#: Zero-width (non-)joiners are part of words and emoji; every other format character hides something.
_JOINERS = "\u200c\u200d"
#: Controls, formats (bidi among them), surrogates, private use, unassigned, line and paragraph ends.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: What RFC 6266 clients choke on inside a quoted name.
_AWKWARD = re.compile(r'[^\x20-\x7e]|["\\%/:*?<>|]')
#: The extended parameter of RFC 8187.
_EXTENDED = re.compile(
    r"filename\*\s*=\s*(?P<charset>[A-Za-z0-9_-]+)'[A-Za-z0-9-]*'(?P<value>[^;\s]*)", re.IGNORECASE
)


def clean(name: str | None) -> str | None:
    """A name fit for showing: NFC, without path, control or bidi characters, at most 255 bytes.

    None where nothing is left of it. It is only ever shown: no file of ours is named after it.
    """
    if name is None:
        return None
    name = unicodedata.normalize("NFC", name)
    name = "".join(char for char in name if char in _JOINERS or unicodedata.category(char) not in _UNWANTED)
    name = re.split(r"[/\\]", name)[-1].strip()
    return None if not name.strip(". ") else cut(name)


def cut(name: str, *, room: int = 0) -> str:
    """At most 255 bytes, keeping the extension; `room` bytes less for what will be added."""
    most = MAX_BYTES - room
    if len(name.encode()) <= most:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem or len(extension) > _MAX_EXTENSION:
        stem, dot, extension = name, "", ""
    tail = (dot + extension).encode()
    return stem.encode()[: most - len(tail)].decode(errors="ignore").rstrip() + tail.decode()


def stem(name: str) -> str:
    """A name without its extension."""
    head, dot, extension = name.rpartition(".")
    return head if dot and head and len(extension) <= _MAX_EXTENSION else name


def result_name(source: str | None, fallback: str, output: str | None, extension: str) -> str:
    """The name of a result: the source's with the right extension and, of several, the output's name."""
    base = stem(source) if source else fallback
    base = f"{base}-{output}" if output else base
    return cut(with_extension(base, extension))


def with_extension(base: str, extension: str) -> str:
    """A name with an extension, which it may have already (outputs are called `hero-640.webp`)."""
    return base if base.endswith(f".{extension}") else f"{base}.{extension}"


def disposition(kind: str, name: str) -> str:
    """A Content-Disposition (RFC 6266): a plain name for the old, the true one for everybody else."""
    plain = _AWKWARD.sub("_", unicodedata.normalize("NFC", name))
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def from_header(value: str | None) -> str | None:
    """The file name that a request's Content-Disposition tells, None without one."""
    if value is None:
        return None
    extended = _EXTENDED.search(value)
    if extended is not None:
        try:
            return unquote_to_bytes(extended["value"]).decode(extended["charset"])
        except (UnicodeDecodeError, LookupError):
            pass  # the plain one may do
    return text(parse_options_header(value)[1].get(b"filename"))


def text(plain: bytes | None) -> str | None:
    """A name as bytes came with it: UTF-8, or what old clients send instead."""
    if plain is None:
        return None
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return plain.decode("latin-1")
