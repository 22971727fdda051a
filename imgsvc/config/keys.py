"""The keys that sign links, as a setting: read once, never shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from imgsvc.config.kinds import Kind
from imgsvc.signing import MIN_SECRET, Keyring


@dataclass(frozen=True, slots=True)
class SigningKeys(Kind):
    """Ids and secrets."""

    secret: ClassVar[bool] = True

    @property
    def expected(self) -> str:
        """What may be given."""
        return f"id:secret, or several separated by commas; a secret has at least {MIN_SECRET} characters"

    def parse(self, given: object) -> Keyring | None:
        """The keys; none where nobody has to sign."""
        if given is None or str(given).strip().lower() == "none":
            return None
        return Keyring.parse(str(given).strip())

    def show(self, value: object) -> str:
        """The ids, and dots where the secrets are."""
        return ",".join(f"{key.id}:***" for key in value.keys) if isinstance(value, Keyring) else "none"

    def _validate(self, given: object) -> Keyring | None:
        """As `parse`; what is wrong is said by number, so that the secret need not be."""
        try:
            return self.parse(given)
        except ValueError as error:
            raise ValueError(f"{error}; expected {self.expected}") from None
