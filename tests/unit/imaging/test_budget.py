"""What can't fit into a worker is refused before anything is decoded, and nothing else is."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from imgsvc.errors import ImageTooLargeForMemory
from imgsvc.imaging import Facts, Limits, probe, render
from imgsvc.imaging.budget import check_memory
from imgsvc.pipeline import Grammar

MIB = 2**20


def facts(format: str = "png", megapixels: int = 50, *, pixel_bytes: int = 4, frames: int = 1) -> Facts:
    return Facts(
        format=format,
        width=10_000,
        height=megapixels * 100,
        frames=frames,
        has_alpha=False,
        pixel_bytes=pixel_bytes,
    )


def refusal(ops: str, of: Facts, memory: int | None = 1536 * MIB) -> ImageTooLargeForMemory | None:
    try:
        check_memory({"it": Grammar().parse(ops)}, of, Limits(max_memory=memory))
    except ImageTooLargeForMemory as error:
        return error
    return None


def least(ops: str, of: Facts) -> int:
    """The least that is said to be needed."""
    refused = refusal(ops, of, 1)
    assert refused is not None
    assert refused.problem.actual is not None
    return int(refused.problem.actual)


@pytest.mark.parametrize("ops", ["avif", "thumbnail/avif", "webp:80,lossless", "rotate:90", "blur:9/webp"])
@pytest.mark.parametrize("megapixels", [12, 24])
@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif", "avif"])
def test_what_cameras_make_fits_into_the_default(format: str, megapixels: int, ops: str) -> None:
    assert refusal(ops, facts(format, megapixels)) is None


def test_the_worst_does_not() -> None:
    refused = refusal("avif", facts())
    assert refused is not None
    assert (refused.problem.output, refused.problem.limit) == ("it", 1536 * MIB)
    assert "MiB of memory, a worker has 1536" in str(refused)


def test_the_bound_is_where_it_says() -> None:
    needs = least("webp", facts())
    assert refusal("webp", facts(), needs) is None
    assert refusal("webp", facts(), needs - 1) is not None
    assert refusal("webp", facts(), None) is None


def test_a_reduced_decode_needs_less() -> None:
    assert least("thumbnail:100x100", facts("jpeg")) < least("thumbnail:100x100", facts("png"))
    assert least("grayscale/thumbnail:100x100", facts("jpeg")) < 80 * MIB
    assert least("crop:9x9/thumbnail:100x100", facts("jpeg")) > 200 * MIB


def test_what_may_be_grey_is_taken_for_grey() -> None:
    assert least("png", facts(pixel_bytes=1)) < least("png", facts())
    assert least("grayscale/avif", facts()) < least("avif", facts())


def test_an_enlargement_counts_on_the_way() -> None:
    small = facts(megapixels=1)
    assert least("resize:20000x2000,enlarge,fit=fill/crop:9x9", small) > least("crop:9x9", small)


def test_an_animation_holds_all_its_frames_where_it_stays_one() -> None:
    moving = facts("gif", 1, frames=40)
    assert least("flip", moving) > least("flip/png", moving) + 100 * MIB


@pytest.mark.parametrize(
    ("mode", "format", "bytes"),
    [
        ("L", "PNG", 1),
        ("1", "PNG", 1),
        ("I;16", "PNG", 1),
        ("LA", "PNG", 4),
        ("P", "PNG", 4),
        ("RGB", "PNG", 4),
        ("L", "JPEG", 1),
        ("RGB", "JPEG", 4),
        ("CMYK", "JPEG", 4),
        ("RGB", "WEBP", 4),
        ("RGB", "AVIF", 4),
    ],
)
def test_a_header_tells_whether_a_picture_may_be_grey(mode: str, format: str, bytes: int) -> None:
    file = io.BytesIO()
    Image.new(mode, (9, 7)).save(file, format)
    assert probe(file, Limits()).pixel_bytes == bytes


def test_a_render_is_refused_before_its_decode() -> None:
    file = io.BytesIO()
    Image.new("RGB", (400, 300)).save(file, "PNG")
    steps: list[str] = []
    with pytest.raises(ImageTooLargeForMemory) as caught:
        render(file, [("a", Grammar().parse("png"))], Limits(max_memory=MIB), progress=steps.append)
    assert (caught.value.problem.output, steps) == ("a", [])


# -- what is refused does not work ----------------------------------------------------------------

#: In children of one process: each renders with little more address space than it is said to need.
TRY = """
import json, os, re, resource, sys
from pathlib import Path
from PIL import Image
import imgsvc.worker
from imgsvc import plugins
from imgsvc.errors import ImageTooLargeForMemory
from imgsvc.imaging import Limits, budget, probe, render
from imgsvc.pipeline import Grammar

for room in ("imgsvc.formats", "imgsvc.operations"):
    for each in plugins.names(room):
        plugins.load(room, each)

def least(targets, data):
    try:
        budget.check_memory(dict(targets), probe(data, Limits()), Limits(max_memory=1))
    except ImageTooLargeForMemory as error:
        return error.problem.actual - budget._BASE

def fits(targets, data, allowed):
    child = os.fork()
    if not child:
        size = int(re.search(r"VmSize:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (size + round(allowed), resource.RLIM_INFINITY))
        try:
            render(data, targets, Limits(max_memory=None))
        except ImageTooLargeForMemory:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, 256), status
    return status == 0

def made(mode, source):
    # In a child too: memory that is freed here would be there for those that follow.
    child = os.fork()
    if not child:
        Image.new(mode, (3000, 2000), 99 if mode == "L" else (9, 99, 200)).save("source", source, quality=50)
        os._exit(0)
    os.waitpid(child, 0)
    return open("source", "rb")

found = []
for mode, source, ops in json.loads(sys.argv[1]):
    data = made(mode, source)
    targets = [("it", Grammar().parse(ops))]
    need = least(targets, data)
    found.append((fits(targets, data, need), fits(targets, data, 2.2 * need + (16 << 20))))
print(json.dumps(found))
"""


CASES = [
    ("RGB", "PNG", "png"),
    ("L", "PNG", "png"),
    ("RGB", "JPEG", "jpeg:80,progressive"),
    ("RGB", "WEBP", "png"),
    ("RGB", "PNG", "webp"),
    ("RGB", "PNG", "webp:80,lossless"),
    ("L", "PNG", "webp"),
    ("RGB", "AVIF", "thumbnail:99x99/png"),
    ("RGB", "PNG", "avif:50,speed=10"),
    ("L", "PNG", "avif:50,speed=10"),
    ("RGB", "PNG", "resize:6000x4000,enlarge/crop:9x9"),
]


def test_what_is_said_not_to_fit_does_not_fit_and_about_twice_of_it_does(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TRY, json.dumps(CASES)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=tmp_path)
    found = dict(zip(CASES, json.loads(done.stdout), strict=True))
    assert {case: fits for case, fits in found.items() if fits != [False, True]} == {}
