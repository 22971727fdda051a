"""The environment becomes settings, or is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgsvc.config import Settings, SettingsRefused, describe, entries, load

MIB = 2**20


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("MAX_BODY", "64MiB", 64 * MIB),
        ("MAX_BODY", "5000", 5000),
        ("MAX_BODY", "1.5 GiB", 1536 * MIB),
        ("MAX_BODY", "2MB", 2_000_000),
        ("MAX_PIXELS", "50MP", 50_000_000),
        ("MAX_PIXELS", "50_000_000", 50_000_000),
        ("RETENTION", "4", 4.0),
        ("RETENTION", "24h", 86400.0),
        ("RETENTION", "7d", 7 * 86400.0),
        ("JOB_TIMEOUT", "1", 1.0),
        ("JOB_TIMEOUT", "500ms", 0.5),
        ("IMAGE_RETENTION", "none", None),
        ("RESULT_BYTES", "none", None),
        ("RESULT_BYTES", "0", 0),
        ("RESULT_BYTES", "1.5GiB", 3 * 2**29),
        ("IMAGE_RETENTION", "1h", 3600.0),
        ("WORKER_MEMORY", "None", None),
        ("REDUCE_GAP", "1.25", 1.25),
        ("INPUT_FORMATS", "jpeg, png,jpeg", ("jpeg", "png")),
        ("CORS_ORIGINS", "https://a.example,https://b.example", ("https://a.example", "https://b.example")),
        ("PUBLIC_URL", "https://images.example.org/", "https://images.example.org"),
        ("PUBLIC_URL", "http://[::1]:8000/a&b,c/d%20(e)@2", "http://[::1]:8000/a&b,c/d%20(e)@2"),
        ("PUBLIC_URL", "none", None),
        ("TEST_OPERATIONS", "1", True),
        ("TEST_OPERATIONS", "off", False),
        ("LOG_FORMAT", "JSON", "json"),
        ("PORT", "0", 0),
    ],
)
def test_a_setting_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str, value: object
) -> None:
    monkeypatch.setenv(f"IMGSVC_{name}", given)
    assert getattr(load(), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("PORT", "eighty", "a whole number, from 0 to 65535"),
        ("PORT", "65536", "a whole number, from 0 to 65535"),
        ("PORT", "80.5", "a whole number"),
        ("WORKERS", "0", "from 1 to 1024"),
        ("WORKERS", "-1", "from 1 to 1024"),
        ("WORKERS", "none", "from 1 to 1024"),
        ("RESULT_BYTES", "-1", "or none"),
        ("MAX_BODY", "64M", "bytes, as a plain number or with a unit (64MiB, 20GB)"),
        ("MAX_BODY", "0.3", "bytes"),
        ("MAX_PIXELS", "lots", "megapixels (50MP)"),
        ("RETENTION", "a week", "seconds, as a plain number or with a unit"),
        ("RETENTION", "inf", "seconds"),
        ("RETENTION", "nan", "seconds"),
        ("LOG_FORMAT", "xml", "one of auto, json, console"),
        ("TEST_OPERATIONS", "maybe", "1 or 0"),
        ("PUBLIC_URL", "images.example.org", "an address such as https://"),
        ("PUBLIC_URL", "https://a.example/my images", "percent-encoded"),
        ("PUBLIC_URL", "https://a.example/\tb", "percent-encoded"),
        ("PUBLIC_URL", 'https://a.example/"b', "percent-encoded"),
        ("PUBLIC_URL", "https://a.example/'b", "percent-encoded"),
        ("PUBLIC_URL", "https://a.example/<b>", "percent-encoded"),
        ("PUBLIC_URL", "https://a.example/größe", "percent-encoded"),
        ("PUBLIC_URL", "https://a.example/100%", "percent-encoded"),
        ("PUBLIC_URL", "https://a.example/b?", "no user, query, #"),
        ("PUBLIC_URL", "https://a.example/b#c", "no user, query, #"),
        ("PUBLIC_URL", "https://me:secret@a.example", "no user, query, #"),
        ("PUBLIC_URL", "https://a.example:70000", "an address such as https://"),
        ("STORAGE", "/srv/images", "a URL such as file:///srv/imgsvc"),
        ("DATA_DIR", "  ", "a folder"),
        ("INPUT_FORMATS", ",", "names separated by commas"),
        ("INPUT_FORMATS", "jpeg,bmq", "there is no format 'bmq'"),
        ("INPUT_FORMATS", "auto", "there is no format 'auto'"),
        ("HOST", "a\nb", "an address or a host name"),
    ],
)
def test_a_bad_value_is_refused_naming_variable_value_and_what_is_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str, expected: str
) -> None:
    monkeypatch.setenv(f"IMGSVC_{name}", given)
    with pytest.raises(SettingsRefused) as refused:
        load()
    (fault,) = refused.value.faults
    assert fault.startswith(f"IMGSVC_{name}")
    assert expected in fault
    assert repr(given) in fault or name == "INPUT_FORMATS"


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGSVC_PORT", "x")
    monkeypatch.setenv("IMGSVC_WORKERS", "y")
    monkeypatch.setenv("IMGSVC_WORKER", "2")
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert [fault.partition("=")[0].partition(":")[0] for fault in refused.value.faults] == [
        "IMGSVC_WORKER",
        "IMGSVC_WORKERS",
        "IMGSVC_PORT",
    ]


def test_an_unknown_variable_is_refused_with_the_nearest_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGSVC_MAX_BODDY", "1")
    with pytest.raises(SettingsRefused, match=r"IMGSVC_MAX_BODDY: .* did you mean IMGSVC_MAX_BODY"):
        load()


def test_what_kubernetes_injects_for_a_service_of_our_name_is_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMGSVC_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("IMGSVC_PORT", "tcp://10.0.0.1:8000")
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert all("enableServiceLinks: false" in fault for fault in refused.value.faults)
    assert len(refused.value.faults) == 2


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGSVC_PORT", "")
    assert load().port == 8000


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGSVC_PORT", "9000")
    assert load(port="9001").port == 9001


def test_a_fault_on_the_command_line_is_named_as_it_was_given() -> None:
    with pytest.raises(SettingsRefused, match=r"--data-dir='': expected a folder"):
        load(data_dir="")


def test_where_things_live_follows_the_data_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMGSVC_DATA_DIR", str(tmp_path))
    settings = load()
    assert settings.storage == f"file://{tmp_path}"
    assert settings.jobs == f"sqlite://{tmp_path}/imgsvc.sqlite3"


def test_a_relative_data_directory_starts_where_the_server_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(data_dir="here").data_dir == tmp_path / "here"
    assert load().data_dir == tmp_path / "uploads"
    (described,) = (setting for setting in describe() if setting.variable == "IMGSVC_DATA_DIR")
    assert described.default == "uploads"
    assert "a relative path starts at the current directory" in described.about.text


def test_settings_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().port = 1  # type: ignore[misc]  # that is the point


def test_every_setting_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGSVC_WORKERS", "3")
    found = {entry.variable: entry for entry in entries(load(port="0"), chosen=frozenset({"port"}))}
    assert found["IMGSVC_WORKERS"].source == "environment"
    assert found["IMGSVC_PORT"].source == "command line"
    assert found["IMGSVC_MAX_BODY"].source == "default"
    assert found["IMGSVC_MAX_BODY"].value == "64MiB"
    assert len(found) == len(Settings.model_fields)


def test_what_is_shown_can_be_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load()
    for entry in entries(before):
        monkeypatch.setenv(entry.variable, entry.value)
    assert load() == before
