"""The settings of the door: where it listens, who may call, and how long it waits for anybody."""

from __future__ import annotations

from typing import Annotated

from pydantic_settings import NoDecode

from imgsvc.config.kinds import About, Names, Seconds, Text, WebAddress, Whole
from imgsvc.config.settings.group import Group


class Door(Group):
    """Where the service listens, and for how long"""

    host: Annotated[
        str,
        Text("an address or a host name"),
        About(
            "The address to listen on.",
            "Only this machine: there is no authentication, so reaching further is a decision.",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Whole(0, 65535),
        About("The port to listen on; 0 takes a free one, which is printed.", "The usual one."),
    ] = 8000
    public_url: Annotated[
        str | None,
        WebAddress(),
        About(
            "The address under which browsers reach the service, where it stands behind a proxy. It goes "
            "in front of the links of `pictures`, which are for pages elsewhere, and of what `imgsvc sign` "
            "prints; all other links in documents are absolute paths, `/v1/jobs/…`.",
            "Paths work wherever the page and the service have one address.",
        ),
    ] = None
    cors_origins: Annotated[
        tuple[str, ...],
        NoDecode,
        Names(),
        About(
            "Web origins whose pages may call the API, separated by commas; `*` for all.",
            "No page of another site can use the service unless you say so.",
        ),
    ] = ()
    keep_alive: Annotated[
        float,
        Seconds(1, 3600),
        About(
            "How long an idle connection is kept open.",
            "Longer than the 60 s of common proxies, so that they never write into a closing connection.",
        ),
    ] = 75.0
    header_timeout: Annotated[
        float,
        Seconds(0.1, 3600),
        About(
            "How long a request's headers may take to arrive; 408 after that.",
            "Headers are one packet or two; only an attacker needs longer.",
        ),
    ] = 10.0
    body_timeout: Annotated[
        float,
        Seconds(0.1, 3600),
        About(
            "How long an upload may make no progress; 408 after that, and also below 1 KiB/s.",
            "Bridges the gaps of a mobile network without holding a connection for ever.",
        ),
    ] = 30.0
    start_patience: Annotated[
        float,
        Seconds(0, 3600),
        About(
            "How long a start waits for a database that another process has locked, or a disk that is full, "
            "before it fails.",
            "Outlasts a backup or a log rotation; systemd gives up on what fails five times in ten seconds.",
        ),
    ] = 30.0
    shutdown_grace: Annotated[
        float,
        Seconds(0, 3600),
        About(
            "How long running work may go on after SIGTERM; the rest goes back to the queue.",
            "Kubernetes kills after 30 s; ten of them are left to write everything down.",
        ),
    ] = 20.0
