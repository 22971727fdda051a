"""What `imgsvc process` does with one image: read, render, write."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import click
import orjson

from imgsvc import formats
from imgsvc.cli._settings import refusals, settings_or_exit
from imgsvc.config.presets import presets
from imgsvc.errors import ImgsvcError, InvalidOperation
from imgsvc.imaging import Clock, Facts, Limits, Rendered, Timed, probe, render
from imgsvc.pipeline import Grammar, Pipeline

_KIB = 1024
#: The name of the only output; nobody asked for it, so nobody is told.
_ONLY = "default"


class Unwritable(Exception):
    """A result has no place to go; the text says which and why."""


@dataclass(slots=True)
class Target:
    """Where results go: one file, a folder, or standard output."""

    path: Path | None
    folder: bool
    force: bool
    written: set[Path] = field(default_factory=set)

    @classmethod
    def of(cls, output: str, inputs: Sequence[str], *, force: bool) -> Target:
        """What `-o` means for these inputs; a misuse is a click.UsageError."""
        if output == "-":
            if len(inputs) > 1:
                raise click.UsageError("only one image fits into standard output")
            if sys.stdout.isatty():
                raise click.UsageError("an image is nothing for a terminal: name a file with -o")
            return cls(None, folder=False, force=force)
        path, several = Path(output), len(inputs) > 1
        try:
            there, folder = path.exists(), path.is_dir()
        except OSError as error:
            raise click.UsageError(f"can't write {output}: {error.strerror}") from None
        if there and not folder and (several or output.endswith("/")):
            more = f", and there are {len(inputs)} images" if several else ""
            raise click.UsageError(f"{output} is not a folder{more}")
        if several and not folder and not output.endswith("/") and _extension(path) in _extensions():
            raise click.UsageError(
                f"{output} is the name of one file, and there are {len(inputs)} images; "
                f"name a folder, or write {output}/"
            )
        return cls(path, folder=folder or several or output.endswith("/"), force=force)

    @property
    def extension(self) -> str:
        """The extension of the file's name; empty where there is none, or no such file."""
        return "" if self.path is None or self.folder else _extension(self.path)

    def write(self, name: str, result: Rendered) -> Path | None:
        """Write a result, whole or not at all; raises Unwritable."""
        path = self._place(name, result)
        try:
            if path is None:
                sys.stdout.buffer.write(result.data)
                sys.stdout.buffer.flush()
            else:
                self._save(path, result.data)
        except OSError as error:
            where = "to standard output" if path is None else path
            raise Unwritable(f"can't write {where}: {error.strerror or type(error).__name__}") from error
        return path

    def _place(self, name: str, result: Rendered) -> Path | None:
        """Where the result of the image `name` belongs."""
        if self.path is None or not self.folder:
            return self.path
        stem = "stdin" if name == "-" else Path(name).stem
        return self.path / f"{stem}.{result.format.extension}"

    def _save(self, path: Path, data: memoryview) -> None:
        if path in self.written:
            raise Unwritable(f"{path} is the result of another image already")
        if path.exists() and not self.force:
            raise Unwritable(f"{path} is there already; --force overwrites it")
        if self.folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            with suppress(OSError):  # it is the result by now, or could not be made
                partial.unlink()
        self.written.add(path)


@dataclass(slots=True)
class Run:
    """What became of one image."""

    name: str
    fault: str | None = None
    output: Path | None = None
    bytes_in: int = 0
    source: Facts | None = None
    result: Rendered | None = None
    steps: tuple[Timed, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the result does not show of its source."""
        told = () if self.result is None else self.result.warnings
        return tuple(warning.removeprefix(f"{_ONLY}: ") for warning in told)

    def line(self) -> str:
        """In one line, for people."""
        if self.source is None or self.result is None:
            return f"{self.name}: {self.fault}"
        before = f"{self.source.width}x{self.source.height} {_weight(self.bytes_in)}"
        after = f"{self.result.size.width}x{self.result.size.height} {_weight(len(self.result.data))}"
        took = sum(step.wall_ms for step in self.steps)
        return f"{self.name} {before} -> {self.output or '-'} {after} in {took:.0f} ms"

    def table(self) -> str:
        """A line for each timed step."""
        return "".join(
            f"  {step.op:<12} {step.wall_ms:8.1f} ms wall {step.cpu_ms:8.1f} ms CPU\n" for step in self.steps
        )

    def document(self) -> dict[str, object]:
        """As JSON."""
        result = self.result
        return {
            "input": self.name,
            "output": str(self.output) if self.output else None,
            "error": self.fault,
            "content_type": result.format.media_type if result else None,
            "width": result.size.width if result else None,
            "height": result.size.height if result else None,
            "bytes": len(result.data) if result else None,
            "warnings": list(self.warnings),
            "steps": [
                {"op": step.op, "wall_ms": round(step.wall_ms, 3), "cpu_ms": round(step.cpu_ms, 3)}
                for step in self.steps
            ],
        }


def pipeline_of(parts: Sequence[str], target: Target) -> Pipeline:
    """The pipeline that the options spell; a fault in it is a click.UsageError that names each one."""
    with refusals():
        grammar = Grammar(presets=presets(settings_or_exit()))
    text = "/".join(part.strip("/|") for part in parts if part.strip("/|"))
    try:
        pipeline = grammar.load(text) if text else Pipeline()
        if pipeline.format is None and (wanted := _asked(target)):
            pipeline = grammar.load(f"{pipeline.text}/{wanted}".lstrip("/"))
    except InvalidOperation as error:
        faults = [fault.detail for fault in error.problem.errors] or [str(error)]
        raise click.UsageError("\n".join(faults)) from None
    if pipeline.negotiates:
        raise click.UsageError("auto chooses by what a browser accepts; name a format")
    if pipeline.sources():
        raise click.UsageError("image ids mean something to the service only")
    says = _extensions().get(target.extension)
    if says is not None and not isinstance(pipeline.format, formats.registry()[says]):
        made = pipeline.json()[-1]["op"]
        raise click.UsageError(f"{target.path} is the name of a {says}, but the pipeline makes {made}")
    return pipeline


def _asked(target: Target) -> str | None:
    """The name of the format that the output's name asks for; an unknown one is a misuse."""
    if not target.extension:
        return None
    known = _extensions()
    if target.extension not in known:
        there = ", ".join(kind.extension for kind in formats.registry().values())
        raise click.UsageError(f"no format is called {target.extension}; there is {there}")
    return known[target.extension]


@cache
def _extensions() -> dict[str, str]:
    """The extensions that say a format, with its name."""
    return {
        extension: name
        for name, kind in formats.registry().items()
        for extension in (kind.extension, name, *kind.other_names)
    }


def _extension(path: Path) -> str:
    return path.suffix.lstrip(".").lower()


def process(name: str, pipeline: Pipeline, target: Target) -> Run:
    """Run the pipeline on one image; what goes wrong is the run's fault."""
    clock = Clock()
    run = Run(name)
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        run.bytes_in = len(data)
        run.source = probe(io.BytesIO(data), _limits())
        (run.result,) = render(data, [(_ONLY, pipeline)], _limits(), clock=clock)
        run.output = target.write(name, run.result)
    except (ImgsvcError, Unwritable) as error:
        run.fault = str(error)
    except OSError as error:
        run.fault = error.strerror or type(error).__name__
    run.steps = tuple(clock.steps)
    return run


def document(runs: Sequence[Run]) -> bytes:
    """What became of all images, as JSON."""
    return orjson.dumps([run.document() for run in runs], option=orjson.OPT_INDENT_2)


def _limits() -> Limits:
    return Limits.model_validate(settings_or_exit().model_dump(include=set(Limits.model_fields)))


def _weight(count: int) -> str:
    for unit, factor in (("MiB", _KIB * _KIB), ("KiB", _KIB)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"
