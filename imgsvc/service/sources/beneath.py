"""What Linux knows of folders: how to open what lies below one and nothing else, and whether it is near."""

from __future__ import annotations

import ctypes
import errno
import os

#: openat2(2), which Linux has since 5.6, under the same number nearly everywhere.
_OPENAT2 = 437
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
#: A rename on the way makes the kernel unsure of the result; it asks to try again.
_TRIES = 10
#: What a system (ENOSYS) or its filter of system calls (EPERM) answers that has no openat2.
_UNKNOWN = frozenset({errno.ENOSYS, errno.EPERM})
#: What statfs(2) says of file systems that answer from memory or a disk of this machine: tmpfs, ramfs,
#: ext2-4, XFS, Btrfs, F2FS, ZFS, overlayfs, SquashFS, EROFS.
_NEAR = frozenset(
    {
        0x01021994,
        0x858458F6,
        0xEF53,
        0x58465342,
        0x9123683E,
        0xF2F52010,
        0x2FC12FC1,
        0x794C7630,
        0x73717368,
        0xE0F5E1E2,
    }
)
#: More than the structure of statfs(2) has anywhere; the kind is its first member.
_STATFS_BYTES = 256


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)


def resolved(root: int, path: bytes, flags: int) -> int:
    """Open a path below the folder `root`; symbolic links may lead around in it, but not out of it.

    What is opened is what is checked: there is no moment between the two. Raises OSError; EXDEV for a way
    out, ENOENT where a link ends at something hidden, or where nobody can tell because there is no /proc.
    """
    try:
        return _opened(root, path, flags, _NO_SYMLINKS)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    opened = _opened(root, path, flags, 0)
    try:
        if not _hidden(root, opened):
            return opened
    except BaseException:
        os.close(opened)
        raise
    os.close(opened)
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


def _hidden(root: int, opened: int) -> bool:
    """Does what is open lie below a step that begins with a dot? Raises FileNotFoundError without /proc."""
    # No Path: what is no UTF-8 stays as it is.
    folder, path = (os.readlink(b"/proc/self/fd/%d" % fd) for fd in (root, opened))  # noqa: PTH115
    within = path.removeprefix(folder.rstrip(b"/") + b"/")
    # What does not begin like its folder has lost it: one of them was moved a moment ago.
    return within == path or any(step.startswith(b".") for step in within.split(b"/"))


def _opened(root: int, path: bytes, flags: int, resolve: int) -> int:
    how = _How(flags | os.O_CLOEXEC, 0, _BENEATH | _NO_MAGICLINKS | resolve)
    for _ in range(_TRIES):
        opened: int = _syscall(_OPENAT2, root, path, ctypes.byref(how), ctypes.sizeof(how))
        if opened >= 0:
            return opened
        code = ctypes.get_errno()
        if code != errno.EAGAIN:
            raise OSError(code, os.strerror(code))
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def walked(root: int, path: bytes, flags: int) -> int:
    """As `resolved` where the kernel can't: step by step, and no symbolic link is followed at all.

    A link in the middle is ENOTDIR. One at the end is ELOOP, or opened as what it is with O_PATH.
    """
    *folders, name = path.split(b"/")
    here = os.dup(root)
    try:
        for folder in folders:
            further = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = further
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


def kernel_resolves(root: int) -> bool:
    """Has this system openat2?"""
    try:
        os.close(resolved(root, b".", os.O_PATH))
    except OSError as error:
        if error.errno in _UNKNOWN:
            return False
        raise
    return True


def near(folder: int) -> bool:
    """Does an open folder lie on this machine, so that what was just looked at is looked up in microseconds?

    A file system that nobody has listed counts as far.
    """
    told = (ctypes.c_long * (_STATFS_BYTES // ctypes.sizeof(ctypes.c_long)))()
    return _libc.fstatfs(folder, told) == 0 and told[0] & 0xFFFFFFFF in _NEAR
