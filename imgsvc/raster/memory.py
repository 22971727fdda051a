"""The allocator under the pixels: reserve before native code that can't fail, keep what is freed."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache

#: Room for what native code allocates besides pixels (tables of coefficients, its stack).
_SLACK = 8 * 1024 * 1024
#: Freed memory that a process keeps at most for its next picture: room for the 50 MP that are decoded
#: by default. With half of it a 24 MP photograph at 1600 px takes 162 ms instead of 114.
KEPT = 256 * 1024 * 1024

#: Parameters of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8


def reserve(size: int) -> None:
    """Raise MemoryError unless `size` bytes of address space can be had now.

    For native code that ends the process when it gets no memory: whatever it is refused then, it is
    refused here first, under RLIMIT_AS as well.
    """
    try:
        mmap.mmap(-1, size + _SLACK).close()
    except OSError as error:  # ENOMEM
        raise MemoryError(f"no room for {size} bytes") from error


@cache
def keep_freed(kept: int = KEPT) -> bool:
    """Let this process reuse the memory of one picture for the next; True where that is possible.

    By default glibc maps every large block anew and the kernel zeroes each page of it: 20 ms of the
    66 ms that a 12 MP photograph takes to decode, 40 of 130 when it is progressive
    (docs/performance.md). And once an allocation has failed it serves the thread from a second
    arena made of small heaps, in which freed pictures leave holes: under RLIMIT_AS a worker that
    refused one image would soon refuse others. Hence one heap that keeps up to `kept` bytes.

    Done once per process for each value; no other malloc than glibc's is touched.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    settings = (
        (_M_ARENA_MAX, 1),
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, kept),
        (_M_TOP_PAD, kept // 16),
    )
    return all(libc.mallopt(name, value) for name, value in settings)
