"""ICC profiles made for tests (ICC.1:2001-04): wide RGB, gray and CMYK."""

from __future__ import annotations

import itertools
import struct
from functools import cache

from PIL import ImageCms

_D50 = (0.9642, 1.0, 0.8249)


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(gamma * 256))


def _description(text: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">L", len(text) + 1) + text + b"\0" + bytes(78)


def _profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": _description(b"test"), b"wtpt": _xyz(_D50), b"cprt": b"text\0\0\0\0none\0", **tags}
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        data = content + bytes(-len(content) % 4)
        table += name + struct.pack(">LL", start + len(body), len(data))
        body += data
    header = struct.pack(
        ">L4sL4s4s4s12s4s4sLLLQL12s4s44s",
        start + len(body),
        b"test",
        0x02400000,
        device,
        space,
        connection,
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0),
        b"acsp",
        b"APPL",
        0,
        0,
        0,
        0,
        0,
        _fixed(*_D50),
        b"test",
        bytes(44),
    )
    return header + struct.pack(">L", len(tags)) + table + body


@cache
def wide() -> bytes:
    """RGB with primaries beyond sRGB's (those of Display P3) and a gamma of 2.2."""
    return _profile(
        b"mntr",
        b"RGB ",
        b"XYZ ",
        {
            b"rXYZ": _xyz((0.5151, 0.2412, -0.0011)),
            b"gXYZ": _xyz((0.2920, 0.6922, 0.0419)),
            b"bXYZ": _xyz((0.1571, 0.0666, 0.7841)),
            b"rTRC": _gamma(2.2),
            b"gTRC": _gamma(2.2),
            b"bTRC": _gamma(2.2),
        },
    )


@cache
def gray(gamma: float = 1.8) -> bytes:
    """Gray with a gamma of its own."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(gamma)})


@cache
def cmyk() -> bytes:
    """CMYK by a table of its 16 full and empty inks, in Lab."""
    nodes = bytes(
        value
        for c, m, y, k in itertools.product((0, 1), repeat=4)
        for value in (
            round(255 * (1 - 0.9 * k) * (1 - 0.35 * c) * (1 - 0.4 * m) * (1 - 0.1 * y)),
            128 + round((-30 * c + 60 * m) * (1 - k)),
            128 + round((-40 * c + 70 * y) * (1 - k)),
        )
    )
    ramp = bytes(range(256))
    table = (
        b"mft1\0\0\0\0"
        + bytes([4, 3, 2, 0])
        + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
        + ramp * 4
        + nodes
        + ramp * 3
    )
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


@cache
def named(name: bytes) -> bytes:
    """Gray, with such a name."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(2.2), b"desc": _description(name)})


@cache
def srgb() -> bytes:
    """What most files carry."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
