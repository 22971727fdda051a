"""What a photograph's EXIF block says, as plain JSON values of bounded size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict

from imgsvc.imaging.analysis import tags
from imgsvc.imaging.analysis.exif import Block, Number, Value

#: Characters of a text that are told.
MOST_CHARACTERS = 500
#: Digits after the point: of degrees (a centimetre), of metres and of a direction.
_DEGREES, _METRES, _DIRECTION = 7, 2, 2
#: Fields of the GPS directory.
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE, _ALTITUDE_REF, _ALTITUDE, _TIME = range(1, 8)
_GPS_DIRECTION, _GPS_DATE = 0x11, 0x1D
#: How the encodings of a UserComment are called.
_ENCODINGS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16", b"\0" * 8: "utf-8"}
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

Plain = str | Number | list[Number]


class Place(BaseModel):
    """Where a photograph was taken."""

    model_config = ConfigDict(frozen=True)

    #: Degrees; north and east are positive.
    latitude: float
    longitude: float
    #: Metres above sea level.
    altitude: float | None = None
    #: Where the camera looked, in degrees from north, clockwise.
    direction: float | None = None
    #: RFC 3339, UTC.
    time: str | None = None


def told(block: Block) -> dict[str, Plain]:
    """The fields that are told, by the standard's names and in the order of their tags."""
    found = ((name, _plain(tag, block.fields.get(tag))) for tag, name in tags.NAMES.items())
    return {name: value for name, value in found if value is not None}


def place(block: Block) -> Place | None:
    """Where it was taken; None where the block does not say so credibly."""
    latitude = _degrees(block.gps, _LATITUDE, _LATITUDE_REF, "NS", 90)
    longitude = _degrees(block.gps, _LONGITUDE, _LONGITUDE_REF, "EW", 180)
    if latitude is None or longitude is None:
        return None
    altitude = _one(block.gps.get(_ALTITUDE))
    below = block.gps.get(_ALTITUDE_REF) in {b"\1", (1,)}
    direction = _one(block.gps.get(_GPS_DIRECTION))
    return Place(
        latitude=latitude,
        longitude=longitude,
        altitude=None if altitude is None else round(-altitude if below else altitude, _METRES),
        direction=round(direction, _DIRECTION) if direction is not None and 0 <= direction < 360 else None,
        time=_time(block.gps),
    )


def _plain(tag: int, value: Value | None) -> Plain | None:
    match value:
        case str():
            return _text(value)
        case bytes():
            return _bytes(tag, value)
        case (number,):
            return _number(number)
        case tuple():
            return [_number(number) for number in value]
    return None


def _bytes(tag: int, value: bytes) -> Plain | None:
    """What is text or a number in a type without meaning; anything else is a blob."""
    if tag in tags.SINGLE and len(value) == 1:
        return value[0]
    if tag in tags.VERSIONS:
        return _text(value.decode("ascii", "ignore"))
    if tag in tags.WINDOWS:
        return _text(value.decode("utf-16-le", "ignore"))
    if tag == tags.USER_COMMENT and (encoding := _ENCODINGS.get(value[:8])):
        return _text(value[8:].decode(encoding, "ignore"))
    return None


def _text(value: str) -> str | None:
    """Without what can't be seen; None where nothing is left."""
    return _HIDDEN.sub("", value).strip()[:MOST_CHARACTERS].rstrip() or None


def _number(value: Number) -> Number:
    """A fraction with ten significant digits."""
    return value if isinstance(value, int) else float(f"{value:.10g}")


def _one(value: Value | None) -> Number | None:
    return value[0] if isinstance(value, tuple) and len(value) == 1 else None


def _degrees(gps: Mapping[int, Value], tag: int, reference: int, signs: str, most: int) -> float | None:
    """Degrees, minutes and seconds as one number, negative for the second of the two signs."""
    parts, sign = gps.get(tag), gps.get(reference)
    if not isinstance(parts, tuple) or not isinstance(sign, str) or sign[:1].upper() not in {*signs}:
        return None
    degrees = sum(part / unit for part, unit in zip(parts, (1, 60, 3600), strict=False))
    if not 0 <= degrees <= most:
        return None
    return round(-degrees if sign[:1].upper() == signs[1] else degrees, _DEGREES)


def _time(gps: Mapping[int, Value]) -> str | None:
    date, time = gps.get(_GPS_DATE), gps.get(_TIME)
    if not isinstance(date, str) or not isinstance(time, tuple) or len(time) != 3:
        return None
    hours, minutes, seconds = time
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 61):
        return None
    try:
        day = datetime.strptime(date.strip(), "%Y:%m:%d").replace(tzinfo=UTC)
        at = day + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except (ValueError, OverflowError):
        return None
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
