"""A signature holds for one link and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsvc.errors import SignatureExpired, SignatureInvalid
from imgsvc.signing import MIN_SECRET, Keyring, link

OLD, NEW = "0123456789abcdef" * 2, "fedcba9876543210" * 2
RING = Keyring.parse(f"new:{NEW},old:{OLD}")
PATH = "/r/img_5d41402abc4b2a76b9719d911017c592/resize:800x/webp"
NOW = 1_795_000_000


def accepted(signed: dict[str, str], path: str = PATH, now: float = NOW, **options: str) -> bool:
    """Is the link let in?"""
    try:
        RING.check(signed, [path], now=now, options=options)
    except SignatureInvalid:
        return False
    return True


def test_what_was_signed_is_let_in_for_ever_or_until_its_end() -> None:
    assert RING.check(RING.sign(PATH), [PATH], now=NOW) is None
    assert RING.check(RING.sign(PATH, exp=NOW + 60), [PATH], now=NOW) == NOW + 60


def test_it_is_an_hmac_over_five_lines_as_the_documentation_says() -> None:
    text = f"imgsvc1\nread\n{NOW}\nfallback=a%26b&then=c\n{PATH}"
    mac = hmac.digest(NEW.encode(), text.encode(), hashlib.sha256)
    assert RING.sign(PATH, exp=NOW, options={"then": "c", "fallback": "a&b"}) == {
        "sig": base64.urlsafe_b64encode(mac).decode().rstrip("="),
        "kid": "new",
        "exp": str(NOW),
    }


@pytest.mark.parametrize(
    "changed",
    [
        PATH.replace("img_5", "img_6"),
        PATH.replace("800", "801"),
        PATH.replace("webp", "png"),
        PATH + "/",
        PATH + "\n",
        PATH.replace("/r/", "/v1/jobs/"),
        PATH.upper(),
        "",
    ],
)
def test_a_signature_is_of_one_path(changed: str) -> None:
    signed = RING.sign(PATH)
    assert accepted(signed)
    assert not accepted(signed, changed)


def test_a_signature_is_of_one_expiry() -> None:
    signed = RING.sign(PATH, exp=NOW + 60)
    assert accepted(signed)
    assert not accepted(signed | {"exp": str(NOW + 61)})
    assert not accepted({name: value for name, value in signed.items() if name != "exp"})
    assert not accepted(RING.sign(PATH) | {"exp": str(NOW + 60)})


def test_a_signature_is_of_one_set_of_options() -> None:
    signed = RING.sign(PATH, options={"fallback": "gray"})
    assert accepted(signed, fallback="gray")
    assert not accepted(signed, fallback="red")
    assert not accepted(signed, fallback="")
    assert not accepted(signed)
    assert not accepted(RING.sign(PATH), fallback="gray")
    assert not accepted(RING.sign(PATH, options={"a": "b&c=d"}), a="b", c="d")
    assert accepted(RING.sign(PATH, options={"a": "1", "b": "2"}), b="2", a="1")


def test_a_signature_is_of_one_key() -> None:
    assert not accepted(RING.sign(PATH) | {"kid": "old"})
    stranger = Keyring.parse(f"new:{OLD}")
    assert not accepted(stranger.sign(PATH))


@given(st.integers(0, 42), st.sampled_from("ABCxyz019-_"))
def test_every_character_of_a_signature_matters(place: int, other: str) -> None:
    sig = RING.sign(PATH)["sig"]
    changed = sig[:place] + other + sig[place + 1 :]
    assert accepted({"sig": changed, "kid": "new"}) == (changed == sig)


@given(st.text(), st.text(), st.integers(1, 10**11), st.text(max_size=3), st.text(max_size=3))
def test_nothing_can_be_moved_from_one_part_to_another(
    a: str, b: str, exp: int, name: str, value: str
) -> None:
    """Line breaks and separators in a part do not make another link of the same text."""
    signed = RING.sign("/r/" + a, exp=exp, options={name: value})
    for path, options in (
        (f"{name}={value}\n/r/{a}", {}),
        (f"/r/{a}", {name + "=": value}),
        (f"/r/{a}", {name: value + "&"}),
        (f"/r/{b}/{a}", {name: value}),
    ):
        with pytest.raises(SignatureInvalid):
            RING.check(signed, [path], now=0, options=options)


def test_the_last_second_is_the_one_before_the_expiry() -> None:
    signed = RING.sign(PATH, exp=NOW)
    assert accepted(signed, now=NOW - 0.001)
    for now in (NOW, NOW + 0.001, NOW + 10**6):
        with pytest.raises(SignatureExpired):
            accepted(signed, now=now)


def test_that_a_link_has_expired_is_only_told_of_a_genuine_one() -> None:
    signed = RING.sign(PATH, exp=NOW - 1)
    assert not accepted(signed, PATH + "x")


def test_the_first_key_signs_and_all_verify() -> None:
    assert RING.sign(PATH)["kid"] == "new"
    assert RING.sign(PATH, kid="old")["kid"] == "old"
    before = Keyring.parse(f"old:{OLD}").sign(PATH)
    assert accepted(before)
    after = Keyring.parse(f"new:{NEW}")
    with pytest.raises(SignatureInvalid, match="kid names no key"):
        after.check(before, [PATH], now=NOW)
    with pytest.raises(KeyError):
        RING.sign(PATH, kid="none")


def test_any_spelling_may_have_been_signed_and_no_more_are_made_than_needed() -> None:
    def spellings() -> Iterator[str]:
        yield "/r/img/as:written"
        yield PATH
        raise AssertionError("one spelling too many was made")

    assert RING.check(RING.sign(PATH), spellings(), now=NOW) is None
    with pytest.raises(SignatureInvalid):
        RING.check(RING.sign(PATH), [], now=NOW)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sig": None}, "not signed"),
        ({"sig": ""}, "not signed"),
        ({"kid": None}, "kid names no key"),
        ({"kid": "NEW"}, "kid names no key"),
        ({"kid": "neu\u0308"}, "kid names no key"),
        ({"sig": "x"}, "not 32 bytes in base64url"),
        ({"sig": "é" * 43}, "not 32 bytes in base64url"),
        ({"sig": "A" * 44}, "not 32 bytes in base64url"),
        ({"sig": "A" * 42 + "="}, "not 32 bytes in base64url"),
        ({"sig": "A" * 42 + "\n"}, "not 32 bytes in base64url"),
        ({"sig": "A" * 43}, "not that of this link"),
        ({"exp": ""}, "exp is not a time"),
        ({"exp": "0"}, "exp is not a time"),
        ({"exp": "-1"}, "exp is not a time"),
        ({"exp": "+1795000060"}, "exp is not a time"),
        ({"exp": "01795000060"}, "exp is not a time"),
        ({"exp": "1795000060.0"}, "exp is not a time"),
        ({"exp": "\u0661795000060"}, "exp is not a time"),
        ({"exp": "9" * 13}, "exp is not a time"),
        ({"exp": "9" * 5000}, "exp is not a time"),
    ],
)
def test_what_is_no_signature_is_refused_saying_what_is_wrong(
    wrong: dict[str, str | None], told: str
) -> None:
    given = {
        name: value for name, value in (RING.sign(PATH, exp=NOW + 60) | wrong).items() if value is not None
    }
    with pytest.raises(SignatureInvalid, match=told) as refused:
        RING.check(given, [PATH], now=NOW)
    assert NEW not in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("", "key 1 has no colon"),
        (NEW, "key 1 has no colon"),
        (f"a:{NEW},", "key 2 has no colon"),
        (f":{NEW}", "the id of key 1"),
        (f"a b:{NEW}", "the id of key 1"),
        (f"{'a' * 33}:{NEW}", "the id of key 1"),
        (f"a:{NEW},b:short", "the secret of key 2 has 5 characters"),
        (f"a:{NEW[1:]}", "the secret of key 1 has 31 characters"),
        (f"a:{NEW} x", "the secret of key 1 has other characters"),
        (f"a:{NEW}é", "the secret of key 1 has other characters"),
        (f"a:{NEW},a:{OLD}", "two keys have the same id"),
    ],
)
def test_keys_that_are_none_are_refused_without_showing_a_secret(setting: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        Keyring.parse(setting)
    assert NEW[:8] not in str(refused.value)
    assert "short" not in str(refused.value)


def test_keys_are_never_shown_by_accident() -> None:
    assert NEW not in repr(RING)
    assert "new" in repr(RING)


def test_a_secret_is_taken_as_it_is_written() -> None:
    for secret in ("A" * MIN_SECRET, "aZ09+/=_.~-" * 3, "ab" * 32):
        (key,) = Keyring.parse(f" k-1_a:{secret} ").keys
        assert (key.id, key.secret) == ("k-1_a", secret.encode())


@given(st.binary(max_size=40), st.text(max_size=20))
def test_a_link_says_what_was_signed(name: bytes, fallback: str) -> None:
    path = b"/r/@" + name.replace(b"?", b"")
    parts = urlsplit("http://door" + link(path, {"fallback": fallback, **RING.sign(path)}))
    assert unquote_to_bytes(parts.path) == path
    found = dict(parse_qsl(parts.query, keep_blank_values=True))
    assert found.pop("fallback") == fallback
    assert RING.check(found, [unquote_to_bytes(parts.path)], now=NOW) is None


def test_a_path_of_bytes_and_one_of_text_are_the_same() -> None:
    assert RING.sign("/r/@caf\udce9.jpg/webp") == RING.sign(b"/r/@caf\xe9.jpg/webp")
    assert RING.sign("/r/@café.jpg/webp") == RING.sign("/r/@café.jpg/webp".encode())
