"""What a run has come to, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

#: Complaints that are printed of each kind.
_SHOWN = 20


@dataclass(frozen=True)
class Report:
    """The figures of one run; it has failed when anything is lost, wrong or left over."""

    seed: int
    seconds: float
    clients: int
    disk: str
    acknowledged: int
    succeeded: int
    failed: int
    canceled: int
    deleted: int
    lost: Sequence[str]
    wrong: Sequence[str]
    left_over: Sequence[str]
    server_kills: int
    server_stops: int
    starts_refused: int
    worker_kills: int
    worker_stops: int
    desk_kills: int
    disk_full: int
    locks: int
    ready_s: Sequence[float]
    counts: dict[str, int]

    @property
    def passed(self) -> bool:
        """Was anything promised, and is all as promised?"""
        return self.acknowledged > 0 and not (self.lost or self.wrong or self.left_over)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {
            "passed": self.passed,
            "ready_worst_s": self._worst,
            "ready_median_s": self._median,
        }

    def text(self) -> str:
        """As lines for people."""
        lines = [f"{name:<17} {value}" for name, value in self._rows().items()]
        lines += ["", "what clients did and were answered:"]
        lines += [f"  {number:>6}  {what}" for what, number in sorted(self.counts.items())]
        for name, found in (("lost", self.lost), ("wrong", self.wrong), ("left over", self.left_over)):
            lines += [f"{name}: {text}" for text in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"{name}: and {len(found) - _SHOWN} more")
        return "\n".join([*lines, "", "passed" if self.passed else "FAILED"])

    def _rows(self) -> dict[str, str]:
        ends = f"{self.succeeded} succeeded, {self.failed} failed as they had to, {self.canceled} canceled"
        ready = f"worst {self._worst:.2f} s, median {self._median:.2f} s"
        return {
            "seed": f"{self.seed} (--seed {self.seed} plans the same again)",
            "duration": f"{self.seconds:.0f} s, {self.clients} clients",
            "disk": self.disk,
            "acknowledged": f"{self.acknowledged} jobs",
            "  of these": f"{ends}, {self.deleted} deleted before their end was seen",
            "lost": str(len(self.lost)),
            "wrong": str(len(self.wrong)),
            "left over": str(len(self.left_over)),
            "server": f"{self.server_kills} times SIGKILL, {self.server_stops} times SIGTERM",
            "workers": f"{self.worker_kills} killed, {self.worker_stops} stopped",
            "desk": f"{self.desk_kills} times killed",
            "disk full": f"{self.disk_full} times",
            "database locked": f"{self.locks} times",
            "restart to ready": f"{ready}; {self.starts_refused} starts refused",
        }

    @property
    def _worst(self) -> float:
        return max(self.ready_s, default=0.0)

    @property
    def _median(self) -> float:
        return median(self.ready_s) if self.ready_s else 0.0
