"""Which bytes come out: raised whenever they change on purpose."""

from __future__ import annotations

#: Part of every key under which a render is kept: raising it makes all of them anew. Raise it with every
#: change to an operation, an encoder's defaults or the decode path that changes the bytes of results.
RENDER_VERSION = 4
