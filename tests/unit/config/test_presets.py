"""`imgsvc.toml`: found, read, and refused with the file, the preset, what was wrong and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from imgsvc.config import SettingsRefused, load
from imgsvc.config.presets import presets, served

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the file into the current folder, which is empty otherwise."""
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> Path:
        path = tmp_path / "imgsvc.toml"
        path.write_text(text, "utf-8")
        return path

    return written


def faults(**chosen: object) -> tuple[str, ...]:
    with pytest.raises(SettingsRefused) as refused:
        presets(load(**chosen))
    return refused.value.faults


def test_without_a_file_there_are_no_presets(write: Write) -> None:
    assert load().config is None
    assert presets(load()) == {}


def test_a_preset_is_text_a_list_or_a_table(write: Write) -> None:
    file = write("""
        [presets]
        avatar = "resize:128x128,fit=cover/webp:80"
        hero = ["resize:1600x", {op = "blur", sigma = 2.5}, {op = "jpeg", quality = 85, progressive = true}]
        [presets.card]
        ops = ["preset:avatar"]
        description = "A face in a list"
    """)
    assert load().config == file
    found = presets(load())
    assert {name: preset.pipeline.text for name, preset in found.items()} == {
        "avatar": "resize:128x128,fit=cover/webp",
        "hero": "resize:1600x/blur:2.5/jpeg:85,progressive",
        "card": "resize:128x128,fit=cover/webp",
    }
    assert (found["avatar"].description, found["card"].description) == (None, "A face in a list")


@pytest.mark.parametrize("text", ["", "# nothing yet", "[presets]"])
def test_a_file_may_define_nothing(write: Write, text: str) -> None:
    write(text)
    assert presets(load()) == {}


def test_another_file_can_be_named_or_none(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("broken")
    (tmp_path / "other.toml").write_text('[presets]\na = "flip"\n')
    monkeypatch.setenv("IMGSVC_CONFIG", "other.toml")
    assert load().config == tmp_path / "other.toml"
    assert list(presets(load())) == ["a"]
    monkeypatch.setenv("IMGSVC_CONFIG", "none")
    assert presets(load()) == {}
    monkeypatch.setenv("IMGSVC_CONFIG", "")
    assert faults()[0].startswith(f"{tmp_path / 'imgsvc.toml'}: not TOML")


def test_a_file_that_is_named_must_be_there(write: Write, tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert faults(config=missing) == (f"IMGSVC_CONFIG='{missing}': can't be read: No such file or directory",)
    assert faults(config=tmp_path) == (f"IMGSVC_CONFIG='{tmp_path}': can't be read: Is a directory",)


def test_a_folder_of_that_name_is_no_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "imgsvc.toml").mkdir()
    assert load().config is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("presets = ", "not TOML: Invalid value (at end of document)"),
        ('[presets]\na = "flip"\na = "flop"', "not TOML: Cannot overwrite a value (at "),
        ("[prests]", "there is no table 'prests'; did you mean 'presets'?"),
        ("port = 80", "there is no table 'port', only presets"),
        ('presets = "flip"', "presets is a table, as in: [presets]"),
        ("[presets]\na = 3", "preset 'a': expected a pipeline as text or a list, or a table"),
        ("[presets.a]", "preset 'a': ops is missing: expected a pipeline as text or a list"),
        ("[presets.a]\nops = true", "preset 'a': ops: expected a pipeline as text or a list"),
        ('[presets.a]\nops = "flip"\nopts = 1', "preset 'a': there is no key 'opts'; did you mean 'ops'?"),
        ('[presets.a]\nops = "flip"\nx = 1', "preset 'a': there is no key 'x', only ops, description"),
        ('[presets.a]\nops = "flip"\ndescription = " "', "preset 'a': description: expected text"),
        ('[presets]\n"a b" = "flip"', "preset 'a b': a preset can't be called 'a b'; allowed is 1 to 64 let"),
        ('[presets]\na.b = "flip"', "preset 'a': there is no key 'b', only ops, description"),
        ('[presets]\na = "blur:200"', "preset 'a': sigma of blur can't be 200.0; allowed is 0.3 to 100"),
        ('[presets]\na = "resise:9x"', "preset 'a': there is no operation 'resise'; did you mean 'resize'"),
        ('[presets]\na = "resise:9x"', "; allowed is auto, autocontrast, "),
        ("[presets]\na = [2026-11-25]", "preset 'a': an item of the list is text or an object with 'op'"),
        ("[presets]\na = [{op = 'blur', sigma = nan}]", "preset 'a': sigma of blur is out of all bounds"),
        ('[presets]\na = ""', "preset 'a': the pipeline is empty"),
        ('[presets]\na = "preset:b"\nc = "flip"', "preset 'a': there is no preset 'b'; allowed is a, c"),
        ('[presets]\na = "preset:a"', "preset 'a': it would be a part of itself: a → a"),
    ],
)
def test_a_fault_names_the_file_the_preset_and_what_is_allowed(write: Write, text: str, told: str) -> None:
    file = write(text)
    found = faults()
    assert all(fault.startswith(f"{file}: ") for fault in found)
    assert [fault for fault in found if told in fault], found


def test_all_faults_are_told_at_once(write: Write) -> None:
    file = write('[presets]\na = "blur:0/flip:2"\nb = "nope"\nc = "flip"')
    assert [fault.removeprefix(f"{file}: preset ")[:3] for fault in faults()] == ["'a'", "'a'", "'b'"]


def test_a_file_that_is_no_text_is_refused(write: Write, tmp_path: Path) -> None:
    file = tmp_path / "imgsvc.toml"
    file.write_bytes(b'[presets]\na = "\xff"')
    assert faults() == (f"{file}: not TOML: it is no UTF-8",)


def test_the_mark_that_some_editors_put_before_a_file_is_none_of_its_content(write: Write) -> None:
    write('\ufeff[presets]\r\na = "flip"\r\n')
    assert list(presets(load())) == ["a"]


def test_operations_for_tests_are_taken_only_where_they_exist(write: Write) -> None:
    write('[presets]\na = "test-sleep:1"')
    assert "there is no operation 'test-sleep'" in faults()[0]
    assert list(presets(load(test_operations=True))) == ["a"]


def test_a_service_that_is_to_make_presets_only_must_have_some(write: Write, tmp_path: Path) -> None:
    only = load(presets_only=True)
    with pytest.raises(
        SettingsRefused, match="PRESETS_ONLY=1: there are no presets, IMGSVC_CONFIG names no file"
    ):
        served(only)
    assert presets(only) == {}, "the command line makes everything"
    file = write("[presets]")
    with pytest.raises(SettingsRefused, match=f"there are no presets, {file} defines none"):
        served(load(presets_only=True))
    write('[presets]\na = "flip"')
    assert list(served(load(presets_only=True))) == ["a"]


def test_the_file_that_the_documentation_shows_is_one(write: Write) -> None:
    page = (Path(__file__).parents[3] / "docs" / "presets.md").read_text("utf-8")
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    write(shown)
    found = presets(load())
    assert found["card"].pipeline.text == "resize:1600x/sharpen/jpeg:85,progressive"
    assert found["card"].description == "A picture in a list"
