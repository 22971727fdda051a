"""Signed links: who holds a key says what may be fetched, and until when."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote

from imgsvc.errors import SignatureExpired, SignatureInvalid

#: The first line of what is signed: another way to sign would be another number.
_VERSION = b"imgsvc1"
#: GET and HEAD; whoever may see a picture may not do anything else by the same link.
_READ = b"read"
#: A secret is not shorter: 32 hexadecimal digits are 128 bits, which nobody guesses.
MIN_SECRET = 32

_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
#: What all shells, languages and configuration files take without quoting surprises, base64 included.
_SECRET = re.compile(r"[A-Za-z0-9+/=_.~-]*")
#: 32 bytes in base64url without padding.
_SIG = re.compile(r"[A-Za-z0-9_-]{43}")
_EXP = re.compile(r"[1-9][0-9]{0,11}")
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Key:
    """A secret and the name by which links say which one they are signed with."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of a service: the first one signs, all of them verify, so that keys can be changed.

    What is signed are five lines, the last one without an end: `imgsvc1`, `read`, the expiry in unix
    seconds or nothing, the options that change the answer (as `name=value`, sorted, joined by `&`) or
    nothing, and the path, percent-decoded. Only the path may have a line break in it, so no two links
    sign the same text.
    """

    keys: tuple[Key, ...]

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read `id:secret,id2:secret2`; raises ValueError, which never shows a secret.

        The secret is taken as it is written: its characters are the key of the HMAC.
        """
        keys = tuple(_key(number, item.strip()) for number, item in enumerate(text.split(","), 1))
        if len({key.id for key in keys}) < len(keys):
            raise ValueError("two keys have the same id")
        return cls(keys)

    def sign(
        self,
        path: str | bytes,
        *,
        exp: int | None = None,
        options: Mapping[str, str] = _NONE,
        kid: str | None = None,
    ) -> dict[str, str]:
        """The parameters that make a link to `path` (percent-decoded) a signed one.

        `exp` is the first unix second at which it is not valid any more; `options` are those of the
        link's other parameters that are signed. Raises KeyError for a `kid` that there is not.
        """
        key = self.keys[0] if kid is None else {key.id: key for key in self.keys}[kid]
        until = "" if exp is None else str(exp)
        signed = {"sig": _signature(key, path, until, options), "kid": key.id}
        return signed if exp is None else signed | {"exp": until}

    def check(
        self,
        given: Mapping[str, str],
        paths: Iterable[str | bytes],
        *,
        now: float,
        options: Mapping[str, str] = _NONE,
    ) -> int | None:
        """Is a link signed for one of these paths, which all mean the same? Until when (None: for ever)?

        `given` are its parameters, `now` is the unix time. Raises SignatureInvalid, and SignatureExpired
        only where nothing else is wrong.
        """
        sig, until = given.get("sig", ""), given.get("exp")
        if not sig:
            raise SignatureInvalid("the link is not signed: it needs sig and kid")
        key = next((key for key in self.keys if key.id == given.get("kid")), None)
        if key is None:
            raise SignatureInvalid("kid names no key of this service")
        if not _SIG.fullmatch(sig):
            raise SignatureInvalid("sig is not 32 bytes in base64url without padding")
        if until is not None and not _EXP.fullmatch(until):
            raise SignatureInvalid("exp is not a time in unix seconds")
        if not any(hmac.compare_digest(_signature(key, path, until or "", options), sig) for path in paths):
            raise SignatureInvalid("the signature is not that of this link")
        exp = None if until is None else int(until)
        if exp is not None and now >= exp:
            raise SignatureExpired("the link has expired")
        return exp


def _key(number: int, text: str) -> Key:
    """One key of a setting. Raises ValueError, which names it by its number."""
    name, colon, secret = text.partition(":")
    if not colon:
        raise ValueError(f"key {number} has no colon between its id and its secret")
    if not _ID.fullmatch(name):
        raise ValueError(f"the id of key {number} is not made of 1 to 32 letters, digits, - and _")
    if not _SECRET.fullmatch(secret):
        allowed = "letters, digits and + / = _ . ~ -"
        raise ValueError(f"the secret of key {number} has other characters than {allowed}")
    if len(secret) < MIN_SECRET:
        raise ValueError(f"the secret of key {number} has {len(secret)} characters")
    return Key(name, secret.encode())


def link(path: str | bytes, parameters: Mapping[str, str]) -> str:
    """A path (percent-decoded) and parameters as they stand in a URL."""
    query = _joined(parameters)
    return quote(path, safe="/:,=~@") + (f"?{query}" if query else "")


def _signature(key: Key, path: str | bytes, exp: str, options: Mapping[str, str]) -> str:
    told = _joined(dict(sorted(options.items()))) if options else ""
    raw = path if isinstance(path, bytes) else path.encode(errors="surrogateescape")
    signed = b"\n".join((_VERSION, _READ, exp.encode(), told.encode(), raw))
    return urlsafe_b64encode(hmac.digest(key.secret, signed, "sha256")).rstrip(b"=").decode()


def _joined(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters.items())
