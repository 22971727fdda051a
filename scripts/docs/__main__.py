"""Writes the pages of docs/ that are made from the code; `--check` only says whether they are current.

    .venv/bin/python scripts/docs [--check] [PAGE…]

One function here is one page: its name is the file's name, its docstring is for readers of this file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from inspect import cleandoc
from itertools import groupby
from pathlib import Path

from imgsvc import config, formats
from imgsvc import operations as operations_room
from imgsvc.api import problems
from imgsvc.errors import ERRORS, ImgsvcError, InvalidOperation, Unavailable
from imgsvc.formats import Ending
from imgsvc.operations import Operation
from imgsvc.pipeline import Grammar
from imgsvc.pipeline.allowed import allowed, phrase
from imgsvc.pipeline.words import Word, word

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOTE = "<!-- Made by scripts/docs from the code; edit it there. -->"

GRAMMAR = """\
# Operations

A pipeline is a list of operations, done from left to right; the last one may name the output format.
The same words serve in a URL, in a form field, on the command line and in JSON:

```
resize:300x200,fit=cover/grayscale/webp:82
```

```json
["resize:300x200,fit=cover", "grayscale", "webp:82"]
[{"op": "resize", "size": "300x200", "fit": "cover"}, {"op": "grayscale"}, {"op": "webp", "quality": 82}]
```

- `|` may stand for `/`. Without a format the source's is kept. A pipeline has at most 20 operations.
- `preset:name` stands for a pipeline that has a name ([presets](presets.md)).
- Arguments that the tables below number may be given without their name, in that order; every other one is
  `key=value`. A flag is its bare name, or `name=true`, `name=false`. The first place always belongs to
  argument 1, if there is one: `webp:lossless` is wrong, `webp:82,lossless` and `webp:lossless=true` are
  right.
- `q`, `w`, `h` and `bg` are short for `quality`, `width`, `height` and `background`. `width` and `height`
  may stand for `size`.
- A number with a point is a fraction of the picture, one without is pixels: `resize:0.5`,
  `crop:0.5x0.5,x=0.1`; `1.0` is all of it, `1` one pixel. Sizes are `300x200`, `300x` or `x200`.
- Colours are 3, 4, 6 or 8 hex digits without `#`, a CSS name, or `transparent`.
- Gravity is `center`, `n`, `ne`, `e`, `se`, `s`, `sw`, `w`, `nw`, or a point of interest such as `0.3x0.7`.
- In a value `,` is written `~2C`, `/` `~2F`, `:` `~3A`, `=` `~3D`, `|` `~7C` and `~` `~7E`.

The service answers with the canonical text: every argument at its default left out, the rest in the order
of the tables. A fault is answered with its place in the JSON form (`pointer`), its place in the text
(`offset`), what is `allowed`, and the nearest names. `GET /v1/operations` has all of this as JSON Schema.

All operations work on gray and colour pictures with or without alpha and on every frame of an animation.
The EXIF orientation is applied first, unless the pipeline starts with `orient:none`; sizes are as
displayed, round half up, and are at least 1.

A result is never larger than its source where nothing but the encoding would change: if encoding it again
gives more bytes, the source itself is the result, and the job's `warnings` say so. That is where the
operations leave every pixel alone (none, or `thumbnail:800x800` of a smaller picture), where the source
carries nothing but the picture (no EXIF, XMP, profile, comment, no byte behind its end), and where it is
what was asked for: of the format that was named or kept, progressive where that was asked; with `auto` of
any format that the client accepts. Quality, `max_bytes` and effort are met by a smaller source whatever it
is: encoding it again can only lose. So a source within `max_bytes` is the result unless encoding it at the
quality that was asked for gives fewer bytes; no lower quality is looked for. A format that was named and is
not the source's is always made.

A quality that is found takes several encodings: `max_bytes` up to nine of the whole picture (seven in the
mean), `quality=auto` two of a sample and one of the whole (three of a picture up to 0.23 megapixels). That is
little for a JPEG and much for an AVIF, which takes one to three seconds for 12 megapixels each time: such a
job may meet its deadline (`IMGSVC_JOB_TIMEOUT`, 30 s) and is `processing-timeout` then. Resize first, or take
`webp`.

Sources are of the same formats as results: {formats}; `IMGSVC_INPUT_FORMATS` can allow
fewer. HEIC/HEIF, SVG, TIFF, BMP and all others are not taken.
"""


def operations() -> str:
    """Every operation and every format, from the registries."""
    found = operations_room.registry()
    grammar = GRAMMAR.replace("{formats}", ", ".join(f"`{name}`" for name in formats.registry()))
    lines = [NOTE, grammar, "| operation | |", "| --- | --- |"]
    lines += [f"| [`{name}`](#{name}) | {_summary(model)} |" for name, model in found.items()]
    for model in found.values():
        lines += _section(model)
    lines += ["", "## Formats", ""]
    lines += ["| format | media type | alpha | animation |", "| --- | --- | --- | --- |"]
    lines += [
        f"| [`{name}`](#{name}) | `{kind.media_type}` | {_yes(kind.alpha)} | {_yes(kind.animated)} |"
        for name, kind in formats.registry().items()
    ]
    lines += [
        f"| [`{name}`](#{name}) | by what the client accepts | | |"
        for name in formats.endings()
        if name not in formats.registry()
    ]
    for ending in formats.endings().values():
        lines += _section(ending)
    return "\n".join(lines) + "\n"


CONFIGURATION = """\
# Configuration

Settings are environment variables, read once at start. `imgsvc config show` prints every one with its value
and where that comes from (`--json` too). `imgsvc serve` takes `--host`, `--port`, `--workers` and
`--data-dir` on the command line; they go before the environment.

A variable that starts with `IMGSVC_` and is not in these tables stops the start, and so does a value that is
not allowed: a typing error in a limit would be a limit that is not there. An empty variable is as good as
none.

Presets, and nothing else, stand in a file: `imgsvc.toml` ([presets](presets.md)).

Bytes, pixels and durations are plain numbers or have a unit: `64MiB`, `20GB`, `50MP`, `500ms`, `30s`, `10m`,
`24h`, `7d`.
"""

#: What the page's introduction says once.
_UNITS = re.compile(r", as a plain number or (with a unit|in megapixels) \([^)]*\)")


def configuration() -> str:
    """Every setting, from its description."""
    lines = [NOTE, CONFIGURATION]
    for group, settings in groupby(config.describe(), key=lambda setting: setting.group):
        lines += [
            f"## {group}",
            "",
            "| setting | default | | why this default |",
            "| --- | --- | --- | --- |",
        ]
        lines += [
            f"| `{setting.variable}` | {_cell(setting.default)} | {_cell(setting.about.text)}"
            f" *{_cell(_UNITS.sub('', setting.expected))}* | {_cell(setting.about.why)} |"
            for setting in settings
        ]
        lines.append("")
    return "\n".join(lines)


PROBLEMS = """\
# Errors

Every answer that is not a success is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)):

```json
{example}
```

`code` is for programs and never changes its meaning; `detail` is for people. `request_id` is in the service's
log too. `errors` points at each fault: `pointer` into the JSON form of what was sent, `offset` into its text
form, `allowed` says what would be right. `limit` and `actual` are there where a limit was passed, `supported`
where something else would be taken. A failed job has such an object in `error`, without
`request_id`: the log names the job by its own id.

What says *later* comes with `Retry-After`: the same request may succeed then.
"""


def errors() -> str:
    """Every problem code, from the errors' docstrings and the table of statuses."""
    found = sorted(ERRORS.values(), key=lambda cls: (problems.STATUS[cls], cls.code))
    lines = [
        NOTE,
        PROBLEMS.replace("{example}", _example()),
        "| status | code | | |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {problems.STATUS[cls]} | [`{cls.code}`](#{cls.code}) | {problems.about(cls)[0]} | {_later(cls)} |"
        for cls in found
    ]
    for cls in found:
        title, more = problems.about(cls)
        lines += ["", f"### {cls.code}", "", f"{problems.STATUS[cls]}. {title}."]
        lines += ["", more] if more else []
    return "\n".join(lines) + "\n"


def _example() -> str:
    try:
        Grammar().parse("blur:200")
    except InvalidOperation as error:
        return json.dumps(problems.document(error.problem, "req_01a21126664774f1b23516a6d6323fdb"), indent=1)
    raise AssertionError("this is out of bounds")


def _later(cls: type[ImgsvcError]) -> str:
    return "later" if issubclass(cls, Unavailable) else ""


def _section(model: type[Operation | Ending]) -> Iterator[str]:
    yield from ("", f"### {word(model).name}", "", cleandoc(model.__doc__ or ""), "")
    if issubclass(model, Ending) and model.other_names:
        names = " or ".join(f"`{name}`" for name in model.other_names)
        yield from (f"It may be called {names} too; the canonical text says `{word(model).name}`.", "")
    yield from ("```", model.example, "```")
    if model.model_fields:
        yield from ("", "| | argument | allowed | default | |", "| --- | --- | --- | --- | --- |")
        yield from (_argument(word(model), name) for name in model.model_fields)


def _argument(found: Word, name: str) -> str:
    parameter, field = found.parameters[name], found.model.model_fields[name]
    number = found.model.positional.index(name) + 1 if name in found.model.positional else ""
    bounds = "flag" if parameter.flag else _cell(_bounds(found, name))
    default = "" if parameter.default is None else f"`{parameter.default}`"
    if field.is_required():
        default = "required"
    elif parameter.flag:
        default = "on" if field.default else "off"
    return f"| {number} | `{name}` | {bounds} | {default} | {_cell(field.description or '')} |"


def _bounds(found: Word, name: str) -> str:
    """What is allowed; kinds of values that the introduction explains are only named."""
    bounds = allowed(found.model, name)
    if isinstance(bounds, tuple):
        return ", ".join(f"`{choice}`" for choice in bounds)
    if bounds is not None:
        return phrase(bounds)
    kind = found.model.model_fields[name].annotation
    leaf = next(part for part in (*getattr(kind, "__args__", ()), kind) if part is not type(None))
    noun = getattr(leaf, "__name__", "text")
    return {"SizeSpec": "size", "Length": "pixels or a fraction", "str": "text"}.get(noun, noun.lower())


def _summary(model: type[Operation | Ending]) -> str:
    return _cell(cleandoc(model.__doc__ or "").split("\n\n")[0])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


PAGES: dict[str, Callable[[], str]] = {page.__name__: page for page in (operations, configuration, errors)}


def main() -> int:
    """Write the pages, or with `--check` name those that are not current."""
    arguments = argparse.ArgumentParser(description="Write the generated pages of docs/.")
    arguments.add_argument(
        "--check", action="store_true", help="write nothing, fail if a page is not current"
    )
    arguments.add_argument("pages", nargs="*", choices=[*PAGES, []], help="only these pages")
    asked = arguments.parse_args()
    stale = 0
    for name in asked.pages or PAGES:
        path, text = DOCS / f"{name}.md", PAGES[name]()
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale += 1
        if asked.check:
            print(f"docs/{name}.md is not current: run make docs", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
    return 1 if asked.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
