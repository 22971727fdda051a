"""Memory is reserved before native code that can't fail, and kept after it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from imgsvc.raster import memory

#: Under a limit on its address space a worker resamples, is refused, and resamples again.
_UNDER_LIMIT = """
import resource
from PIL import Image
from imgsvc.raster import memory, resample
from imgsvc.raster.geometry import Size

memory.keep_freed()
small = Image.new("RGBA", (400, 300))
large = Image.new("RGBA", (4000, 3000))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 70 * 2**20,) * 2)
resample.resize(small, Size(100, 75))
try:
    resample.resize(large, Size(3900, 2900))
except MemoryError:
    resample.resize(small, Size(100, 75))
    print("refused and alive")
"""

#: A worker refuses an image for lack of memory and goes on; prints its address space after each turn.
_TURNS = """
import resource
from imgsvc.imaging import Limits, render
from imgsvc.errors import ImageTooLargeForMemory
from imgsvc.pipeline import Grammar
from imgsvc.raster import memory
from PIL import Image
import io
import threading

def photo(format, width, height):
    file = io.BytesIO()
    noise = Image.effect_noise((width // 20, height // 20), 90)
    noise.resize((width, height)).convert("RGB").save(file, format)
    return file.getvalue()

def run(source, ops):
    render(source, [("it", Grammar(testing=True).parse(ops))], Limits())

def size():
    return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()

work = [(photo("JPEG", 2400, 1800), "resize:1600x"), (photo("WEBP", 1500, 1500), "blur:1/resize:1400x/webp"),
        (photo("PNG", 900, 900), "rotate:30/png"), (photo("JPEG", 3000, 2000), "thumbnail")]
for source, ops in work:
    run(source, ops)
print(size())
thread = threading.Thread(target=lambda: None)  # decoders of AVIF start some
thread.start()
thread.join()
resource.setrlimit(resource.RLIMIT_AS, (size() + 400 * 2**20,) * 2)
for turn in range(4):
    for source, ops in work:
        run(source, ops)
    print(size())
    try:
        run(work[0][0], "test-memory:900000000")
    except ImageTooLargeForMemory:
        print(size())
"""


def test_what_can_not_be_had_is_a_memory_error() -> None:
    memory.reserve(1 << 20)
    with pytest.raises(MemoryError, match="no room"):
        memory.reserve(1 << 60)


def test_no_memory_for_resampling_is_an_error_and_not_the_end_of_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", _UNDER_LIMIT], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "refused and alive", done.stderr


def test_freed_memory_is_kept_where_the_c_library_is_glibc() -> None:
    code = "from imgsvc.raster import memory; print(memory.keep_freed())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"True", "False"}


def test_a_worker_that_refused_an_image_for_lack_of_memory_does_not_grow() -> None:
    done = subprocess.run([sys.executable, "-c", _TURNS], capture_output=True, text=True, check=True)
    before, *after = map(int, done.stdout.split())
    assert len(after) == 8
    # A stack for the thread and a little more, but no second arena, which takes 64 MiB.
    assert max(after) <= before + 40 * 2**20
