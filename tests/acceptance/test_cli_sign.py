"""`imgsvc sign`, as whoever makes links meets it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import pytest

from imgsvc.signing import Keyring

SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105  # one for tests
KEYS = f"web:{SECRET},old:{SECRET[::-1]}"
RING = Keyring.parse(KEYS)
IMAGE, JOB = "img_5d41402abc4b2a76b9719d911017c592", "job_01a2113e393270db9eebb24f00318275"


def run(*arguments: str | bytes, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imgsvc", "sign", *arguments],
        env={**os.environ, "IMGSVC_SIGNING_KEYS": KEYS, **settings},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def checked(url: str, *options: str) -> tuple[str, bytes, int | None]:
    """What comes before a link's path, the path, and the end of a link that the service would let in."""
    parts = urlsplit(url.removesuffix("\n"))
    given = dict(parse_qsl(parts.query))
    found = {name: given.pop(name) for name in options}
    before, renders, path = unquote_to_bytes(parts.path).rpartition(b"/r/")
    if not renders:
        before = b""
    until = RING.check(given, [renders + path], now=time.time(), options=found)
    return f"{parts.scheme}:{parts.netloc}{before.decode()}", renders + path, until


def test_a_render_is_signed_in_its_canonical_spelling() -> None:
    found = run(IMAGE, "resize:w=800,fit=inside|webp:q=82")
    assert found.returncode == 0
    assert checked(found.stdout) == (":", f"/r/{IMAGE}/resize:800x/webp:82".encode(), None)


def test_a_link_may_end_and_have_an_address(tmp_path: object) -> None:
    before = time.time()
    address, _, until = checked(run(IMAGE, "webp", "--expires", "1h", "--base", "https://a.org/i/").stdout)
    assert address == "https:a.org/i"
    assert until is not None
    assert before + 3600 <= until <= time.time() + 3601
    assert checked(run(IMAGE, "webp", IMGSVC_PUBLIC_URL="http://b.org").stdout)[0] == "http:b.org"


def test_a_fallback_is_signed() -> None:
    found = run(IMAGE, "webp", "--fallback", "a b&c").stdout
    assert "fallback=a%20b%26c&" in found
    assert checked(found, "fallback")[2] is None


def test_any_key_may_be_chosen() -> None:
    assert "&kid=old" in run(IMAGE, "webp", "--kid", "old").stdout


def test_a_file_of_the_sources_is_signed_byte_by_byte() -> None:
    found = run(b"@caf\xe9 1?/b#.jpg", "webp").stdout
    assert "/r/@caf%E9%201%3F/b%23.jpg/webp?" in found
    assert checked(found)[1] == b"/r/@caf\xe9 1?/b#.jpg/webp"


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ((JOB,), f"/v1/jobs/{JOB}/result"),
        ((JOB, "thumb"), f"/v1/jobs/{JOB}/results/thumb"),
        ((JOB, "--zip"), f"/v1/jobs/{JOB}/results.zip"),
    ],
)
def test_results_are_signed(arguments: tuple[str, ...], path: str) -> None:
    assert checked(run(*arguments).stdout)[1] == path.encode()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((IMAGE,), "a render needs a pipeline"),
        ((IMAGE, ""), "the pipeline is empty"),
        ((IMAGE, "resise:800x"), "there is no operation 'resise'; did you mean 'resize'?"),
        ((IMAGE, "blur:0/flop:1"), "sigma"),
        (("img_1", "webp"), "no image and no job"),
        (("@", "webp"), "'@' is not served: a step of a file's path is not empty"),
        (("@a//b", "webp"), "is not served"),
        (("@a/", "webp"), "is not served"),
        (("@../b", "webp"), "does not begin with a dot"),
        (("@a/./b", "webp"), "does not begin with a dot"),
        (("@.git/x.png", "webp"), "'@.git/x.png' is not served"),
        (("@a\\b.png", "webp"), "has no backslash"),
        (("beach.jpg", "webp"), "no image and no job"),
        ((IMAGE, "webp", "--zip"), "--zip is for the results"),
        ((JOB, "thumb", "--zip"), "leave the name out"),
        ((JOB, "bad/name"), "no output is called 'bad/name': a name has 1 to 64 letters"),
        ((JOB, "bad name"), "no output is called"),
        ((JOB, ".."), "no output is called"),
        ((JOB, ""), "no output is called ''"),
        ((JOB, "n" * 65), "no output is called"),
        ((JOB, "--fallback", "x"), "--fallback is for renders"),
        ((IMAGE, "webp", "--expires", "soon"), "--expires='soon': expected seconds"),
        ((IMAGE, "webp", "--expires", "0"), "--expires='0': expected seconds"),
        ((IMAGE, "webp", "--base", "a.org"), "--base='a.org': expected an address"),
        ((IMAGE, "webp", "--kid", "x"), "there is no key 'x'; there is web, old"),
        ((), "Missing argument"),
    ],
)
def test_misuse_is_status_2_and_says_what_is_wrong(arguments: tuple[str, ...], told: str) -> None:
    found = run(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert told in found.stderr
    assert SECRET not in found.stderr


def test_without_keys_there_is_nothing_to_sign_with() -> None:
    found = run(IMAGE, "webp", IMGSVC_SIGNING_KEYS="")
    assert found.returncode == 2
    assert "IMGSVC_SIGNING_KEYS is not set" in found.stderr


def test_a_preset_is_signed_by_its_name_and_an_unknown_one_is_a_misuse(tmp_path: Path) -> None:
    file = tmp_path / "imgsvc.toml"
    file.write_text('[presets]\navatar = "resize:128x128,fit=cover/webp"\n')
    found = run(IMAGE, "blur:2.50|preset: avatar ", IMGSVC_CONFIG=str(file))
    assert checked(found.stdout) == (":", f"/r/{IMAGE}/blur:2.5/preset:avatar".encode(), None)
    unknown = run(IMAGE, "preset:avatr", IMGSVC_CONFIG=str(file))
    assert unknown.returncode == 2
    assert "did you mean 'avatar'?" in unknown.stderr
    file.write_text('[presets]\navatar = "resise:128x128"\n')
    broken = run(IMAGE, "webp", IMGSVC_CONFIG=str(file))
    assert broken.returncode == 2
    assert f"imgsvc: {file}: preset 'avatar': there is no operation 'resise'" in broken.stderr
