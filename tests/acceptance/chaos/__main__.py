"""`python -m tests.acceptance.chaos`: one run and its report; 1 when anything is amiss."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from tests.acceptance.chaos import disk
from tests.acceptance.chaos.play import Options, play


def main() -> int:
    """Run it in a mount namespace of its own where that is allowed, so that no mount outlives it."""
    arguments = _arguments()
    if disk.INSIDE not in os.environ and (command := disk.namespace()):
        again = [*command, sys.executable, "-m", "tests.acceptance.chaos", *sys.argv[1:]]
        os.execvpe(command[0], again, os.environ | {disk.INSIDE: "1"})  # noqa: S606  # ourselves
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was started is ended
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    options = Options(arguments.seconds, arguments.kills, arguments.seed, arguments.clients)
    with tempfile.TemporaryDirectory(prefix="imgsvc-chaos-", dir=arguments.folder) as folder:
        report = play(options, Path(folder))
        if arguments.log:
            Path(folder, "server.log").replace(arguments.log)
    sys.stdout.write((json.dumps(report.document()) if arguments.json else report.text()) + "\n")
    return 0 if report.passed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="of disorder (600)")
    parser.add_argument("--kills", type=int, default=24, help="of the server by SIGKILL, at least (24)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="plans the same run again")
    parser.add_argument("--clients", type=int, default=10, help="at the same time (10)")
    parser.add_argument("--folder", type=Path, help="where the run may write (the system's temporary folder)")
    parser.add_argument("--log", type=Path, help="where to leave the server's log")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
