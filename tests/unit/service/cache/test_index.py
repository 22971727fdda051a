"""What is in a cache, and what has to go."""

from __future__ import annotations

import pytest

from imgsvc.service.cache.index import Index
from imgsvc.service.cache.names import Entry, cache_key, read

IMAGE = "img_" + "ab" * 16
OTHER = "img_" + "cd" * 16
DIGEST, SHA = "1" * 64, "2" * 64


def entry(digest: str = DIGEST, *, image: str = IMAGE, size: int = 4096) -> Entry:
    """An entry as its file's name tells it, of a file of its own."""
    found = read(f"{cache_key('cache', image, digest)}-{SHA}-webp-300x200", size)
    assert found is not None
    return found


def numbered(number: int, **more: object) -> Entry:
    return entry(f"{number:064x}", **more)  # type: ignore[arg-type]  # as `entry`


def test_a_name_tells_everything() -> None:
    found = entry(size=5000)
    assert found.key.startswith("cache/ab/ab/" + "ab" * 16)
    assert (found.image, found.digest, found.sha256) == (IMAGE, DIGEST, SHA)
    assert (found.format, found.width, found.height, found.bytes) == ("webp", 300, 200, 5000)


def test_two_writers_never_meet_in_one_file() -> None:
    assert cache_key("cache", IMAGE, DIGEST) != cache_key("cache", IMAGE, DIGEST)


@pytest.mark.parametrize(
    "damage",
    [
        lambda key: key[:-1] + "x",
        lambda key: key + ".part-0a1b2c3d",
        lambda key: key.replace("-webp", ""),
        lambda key: key.replace("ab" * 16 + "-", "AB" * 16 + "-"),
        lambda key: key.rpartition("-")[0],
    ],
)
def test_what_is_no_whole_entry_is_none(damage: object) -> None:
    assert callable(damage)
    assert read(entry().key, 1) is not None
    assert read(damage(entry().key), 1) is None


@pytest.mark.parametrize(("size", "charge"), [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)])
def test_an_entry_costs_the_blocks_that_its_file_takes(size: int, charge: int) -> None:
    assert entry(size=size).charge == charge


def test_the_one_that_was_not_used_for_longest_goes_first() -> None:
    index = Index(3 * 4096)
    first, second, third, fourth = (numbered(number) for number in range(4))
    for each in (first, second, third):
        assert list(index.add(each)) == []
    assert index.get(first.digest) is first
    assert list(index.add(fourth)) == [second]
    assert index.get(second.digest) is None
    assert index.bytes == 3 * 4096
    assert len(index) == 3


def test_what_fits_exactly_stays_and_one_byte_more_does_not() -> None:
    fits, over = numbered(1, size=8192), numbered(2, size=8193)
    assert list(Index(8192).add(fits)) == []
    assert list(Index(8192).add(over)) == [over]


def test_without_room_nothing_stays() -> None:
    index = Index(0)
    only = entry()
    assert list(index.add(only)) == [only]
    assert len(index) == 0
    assert index.bytes == 0


def test_a_second_file_of_the_same_digest_takes_the_place_of_the_first() -> None:
    index = Index(1 << 20)
    first, second = entry(size=4096), entry(size=8192)
    assert list(index.add(first)) == []
    assert list(index.add(second)) == [first]
    assert index.get(DIGEST) is second
    assert index.bytes == 8192
    assert not index.remove(first)
    assert index.has(second)


def test_the_same_file_again_removes_nothing() -> None:
    index, once = Index(1 << 20), entry()
    list(index.add(once))
    assert list(index.add(once)) == []
    assert index.bytes == once.charge


def test_an_image_knows_what_was_made_of_it() -> None:
    index = Index(1 << 20)
    mine = [numbered(number) for number in range(3)]
    theirs = numbered(9, image=OTHER)
    for each in (*mine, theirs):
        list(index.add(each))
    assert index.of(IMAGE) == mine
    assert index.remove(mine[1])
    assert index.of(IMAGE) == [mine[0], mine[2]]
    for each in (mine[0], mine[2]):
        index.remove(each)
    assert index.of(IMAGE) == []
    assert index.of(OTHER) == [theirs]
