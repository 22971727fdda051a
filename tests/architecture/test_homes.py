"""Each third party has one home, and what is imported is declared."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Where each third party may be imported; what is not listed may be imported nowhere.
HOMES: Mapping[str, tuple[str, ...]] = {
    "PIL": ("raster/", "operations/", "formats/", "imaging/"),
    "cykooz_resizer": ("raster/resample.py",),
    "loky": ("dispatch/loky.py",),
    "sqlite3": ("jobstore/",),
    "aiofiles": ("service/",),
    "blake3": ("service/sources/folder.py",),
    "zipstream": ("api/archive.py",),
    "fastapi": ("api/",),
    "starlette": ("api/",),
    "python_multipart": ("api/",),
    # The protocol class that bounds slow headers is the api's; running the server is the command line's.
    "uvicorn": ("cli/", "asgi.py", "api/protocol.py"),
    "uvloop": ("cli/",),
    "httptools": ("api/protocol.py",),
    "click": ("cli/",),
    "structlog": ("logs.py",),
    "pydantic_settings": ("config/",),
    "uuid_utils": ("jobs.py", "service/", "wiring/"),
    # The language of values that cross a border, and of JSON.
    "pydantic": ("",),
    "pydantic_core": ("",),
    "typing_extensions": ("",),
    "orjson": ("",),
}

#: Declared, and used by name or by another library only.
INDIRECT = {
    "python-multipart": "its module is python_multipart",
}

#: Where a distribution's module has another name.
MODULES = {"pillow": "PIL", "zipstream-ng": "zipstream"}


def modules() -> list[Path]:
    return sorted((ROOT / "imgsvc").rglob("*.py"))


def imported(module: Path) -> Iterator[tuple[str, int]]:
    """The top-level names that a module imports, and where."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name.partition(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0], node.lineno
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            target = node.args[0]
            if isinstance(target, ast.Constant):
                yield str(target.value).partition(".")[0], node.lineno


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {re.split(r"[^a-z0-9-]", requirement)[0] for requirement in project["dependencies"]}


@pytest.mark.parametrize("module", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_third_parties_stay_in_their_homes(module: Path) -> None:
    where = str(module.relative_to(ROOT / "imgsvc"))
    for name, line in imported(module):
        if name == "imgsvc" or (name in sys.stdlib_module_names and name not in HOMES):
            continue
        assert name in HOMES, f"{where}:{line}: {name} has no home"
        assert where.startswith(HOMES[name]), f"{where}:{line}: {name} lives in {', '.join(HOMES[name])}"


def test_every_dependency_is_used() -> None:
    used = {name for module in modules() for name, _ in imported(module)}
    for name in declared() - set(INDIRECT):
        assert MODULES.get(name, name.replace("-", "_")) in used, f"{name} is declared and not used"


def test_what_is_imported_is_declared() -> None:
    used = {name for module in modules() for name, _ in imported(module)}
    available = {MODULES.get(name, name.replace("-", "_")) for name in declared()}
    # Parts of pydantic and of what it needs, which pydantic's own version pins.
    available |= {"pydantic_core", "typing_extensions", "imgsvc"}
    assert used - set(sys.stdlib_module_names) <= available


def test_only_config_reads_the_environment() -> None:
    for module in modules():
        where = str(module.relative_to(ROOT / "imgsvc"))
        if where.startswith("config/"):
            continue
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}:
                pytest.fail(f"{where}:{node.lineno} reads the environment")


def test_http_status_codes_live_in_one_table() -> None:
    """An error's status is the table's business; routes name the status of their successes only."""
    for module in modules():
        where = str(module.relative_to(ROOT / "imgsvc"))
        if where.startswith("api/"):
            continue
        for node in ast.walk(ast.parse(module.read_text())):
            names = [node.attr] if isinstance(node, ast.Attribute) else []
            names += [node.arg] if isinstance(node, ast.keyword) and node.arg else []
            assert "status_code" not in names, f"{where} speaks HTTP"
