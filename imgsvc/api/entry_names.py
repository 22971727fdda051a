"""Names of an archive's entries: made from a template, fit for every file system, each one only once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

from imgsvc import formats
from imgsvc.api import names
from imgsvc.errors import Fault, InvalidParameter
from imgsvc.jobs import Job, Result

#: What a template may hold, and what stands for it.
FIELDS = {
    "filename": "the name under which the file was sent, without its extension",
    "reference": "the caller's own id",
    "index": "the job's place in the batch, from 1, with zeros before it",
    "job": "the job's id",
    "output": "the output's name",
}
#: The template when nobody says one.
USUAL = "{filename}"
#: Characters of a template.
LONGEST = 200
_FIELD = re.compile(r"\{([^{}]*)\}")
#: What Windows or a shell chokes on.
_AWKWARD = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]')
#: Devices of Windows, with any extension.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_MEDIA = {found.media_type: found.extension for found in formats.registry().values()}
_PICTURE = re.compile(r"\.(jpe?g|png|webp|gif|avif|heic|tiff?|bmp)$", re.IGNORECASE)


def template(text: str | None) -> str:
    """A template in braces; a bare word that is a field stands for it. Raises InvalidParameter."""
    if text is None:
        return USUAL
    if text in FIELDS:
        return "{" + text + "}"
    unknown = [name for name in _FIELD.findall(text) if name not in FIELDS]
    bare = _FIELD.sub("", text)
    if unknown or "{" in bare or "}" in bare or bare == text or len(text) > LONGEST:
        allowed = f"text with some of {', '.join('{' + name + '}' for name in FIELDS)}"
        detail = f"names must be {allowed}, of at most {LONGEST} characters"
        raise InvalidParameter(detail, errors=(Fault(detail=detail, pointer="/names", allowed=allowed),))
    return text


class Names:
    """Gives every result of a batch its entry's name."""

    def __init__(self, template: str, total: int) -> None:
        self._template = template
        self._digits = len(str(total))
        # Hashes, so that ten thousand long names take no room; with each the last number that was put behind
        # that name, so that as many equal ones are not counted through again.
        self._taken: dict[bytes, int] = {}

    def names(self, place: int, job: Job, results: Sequence[Result]) -> list[str]:
        """The names of results of the job at this place.

        Where one of them is taken, all get the same number: what is one picture stays together.
        """
        entries = [self._entry(place, job, result) for result in results]
        plain = [_key(_numbered(base, extension, 1)) for base, extension in entries]
        number = 1 + max((self._taken.get(key, 0) for key in plain), default=0)
        while any(_key(_numbered(base, extension, number)) in self._taken for base, extension in entries):
            number += 1
        found = [self._once(base, extension, number) for base, extension in entries]
        self._taken |= {key: number for key in plain if key in self._taken}
        return found

    def _entry(self, place: int, job: Job, result: Result) -> tuple[str, str]:
        """What a result is called when nothing else is called so, and its extension."""
        given = {
            "filename": names.stem(job.filename) if job.filename else job.id,
            "reference": _PICTURE.sub("", job.reference) if job.reference else job.id,
            "index": f"{place:0{self._digits}}",
            "job": job.id,
            "output": result.name,
        }
        base = _FIELD.sub(lambda found: given[found[1]], self._template)
        if len(job.outputs) > 1 and "{output}" not in self._template:
            base = f"{base}-{result.name}"
        extension = "." + _MEDIA.get(result.content_type, "bin")
        # An output may be called with it: `hero-640.webp`.
        return _sane(base.removesuffix(extension)), extension

    def _once(self, base: str, extension: str, number: int) -> str:
        # Results of one job may have equal names too: where long ones are cut, and where case does not count.
        while (key := _key(found := _numbered(base, extension, number))) in self._taken:
            number += 1
        self._taken[key] = 1
        return found


def _numbered(base: str, extension: str, number: int) -> str:
    if number == 1:
        return names.cut(base + extension)
    # The number must not be what is cut off.
    behind = f"-{number}{extension}"
    return names.cut(base, room=len(behind)) + behind


def _sane(base: str) -> str:
    """A name without what could lead out of a folder, hide a file or be taken for an option."""
    base = _AWKWARD.sub("_", unicodedata.normalize("NFC", base))
    base = names.clean(base) or "_"
    base = base.strip(". ") or "_"
    return f"_{base}" if base.startswith("-") or _DEVICE.fullmatch(base) else base


def _key(name: str) -> bytes:
    """Equal for names that some file system takes for the same."""
    return blake2b(unicodedata.normalize("NFC", name.casefold()).encode(), digest_size=12).digest()
