"""Signed links: what a check costs, for a link as it was signed and for another spelling of it."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from imgsvc.signing import Keyring

RING = Keyring.parse("web:0123456789abcdef0123456789abcdef,old:fedcba9876543210fedcba9876543210")
IMAGE = "/r/img_5d41402abc4b2a76b9719d911017c592"
WRITTEN, MEANT = f"{IMAGE}/resize:w=800|webp:q=82", f"{IMAGE}/resize:800x/webp:82"
NOW = 1_795_000_000


def test_sign(benchmark: BenchmarkFixture) -> None:
    assert benchmark(RING.sign, MEANT, exp=NOW + 60)["kid"] == "web"


def test_check(benchmark: BenchmarkFixture) -> None:
    signed = RING.sign(MEANT, exp=NOW + 60)
    assert benchmark(lambda: RING.check(signed, [MEANT], now=NOW)) == NOW + 60


def test_check_another_spelling(benchmark: BenchmarkFixture) -> None:
    signed = RING.sign(MEANT, exp=NOW + 60, kid="old")
    assert benchmark(lambda: RING.check(signed, [WRITTEN, MEANT], now=NOW)) == NOW + 60
