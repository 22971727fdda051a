"""The keys that sign links are read from the environment and shown to nobody."""

from __future__ import annotations

import pytest

from imgsvc.config import SettingsRefused, entries, load
from imgsvc.signing import Keyring

SECRET = "0123456789abcdef" * 2


def test_keys_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGSVC_SIGNING_KEYS", f"a:{SECRET}, b:{SECRET}x")
    assert load().signing_keys == Keyring.parse(f"a:{SECRET},b:{SECRET}x")


@pytest.mark.parametrize("given", ["", "none"])
def test_without_keys_nobody_signs(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("IMGSVC_SIGNING_KEYS", given)
    assert load().signing_keys is None


@pytest.mark.parametrize(
    "given", [SECRET, f"a:{SECRET}\u00e9", f"a:{SECRET[1:]}", f"a:{SECRET},b", f"{SECRET}:a"]
)
def test_a_fault_names_the_variable_and_shows_nothing_of_its_value(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("IMGSVC_SIGNING_KEYS", given)
    with pytest.raises(SettingsRefused) as refused:
        load()
    (fault,) = refused.value.faults
    assert fault.startswith("IMGSVC_SIGNING_KEYS: ")
    assert "expected id:secret" in fault
    assert SECRET[1:9] not in fault
    assert refused.value.__context__ is None


def test_signatures_are_not_asked_for_where_nobody_can_check_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().signed_results is False
    monkeypatch.setenv("IMGSVC_SIGNED_RESULTS", "1")
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert refused.value.faults == (
        "IMGSVC_SIGNED_RESULTS=1: there are no keys to check signatures with; set IMGSVC_SIGNING_KEYS",
    )
    monkeypatch.setenv("IMGSVC_SIGNING_KEYS", f"a:{SECRET}")
    assert load().signed_results is True


def test_what_is_shown_of_keys_are_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGSVC_SIGNING_KEYS", f"a:{SECRET},b:{SECRET}x")
    settings = load()
    (shown,) = (entry for entry in entries(settings) if entry.variable == "IMGSVC_SIGNING_KEYS")
    assert (shown.value, shown.plain) == ("a:***,b:***", "a:***,b:***")
    assert SECRET not in repr(settings)
