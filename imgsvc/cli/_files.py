"""How many files and connections this process may have open."""

from __future__ import annotations

import resource

#: More than any crowd of connections needs; some systems have no bound, and then other programs' tables grow.
_ENOUGH = 65536


def allow_many() -> int:
    """Raise the soft limit of open files as far as is sensible: how many may be open now.

    The usual soft limit, 1,024, is made for programs that use `select`; a thousand idle connections
    would leave nothing for uploads.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
