"""Settings that say which signet it is."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from hashing.params import TARGET_TIMESPAN, signet, signet_magic
from monitor.config_fields import Section


class SignetSettings(Section):
    """Which signet it is where `network` is signet; the default one if nothing is set."""

    challenge: str = Field("", description="The node's signetchallenge (hex).")
    magic: str = Field(
        "", description="The magic that follows from it (8 hex digits), if only that is known."
    )
    spacing: int | None = Field(
        None,
        ge=1,
        le=TARGET_TIMESPAN // 2,
        description="Seconds between blocks: the node's signetblocktime, if it has one.",
    )

    @field_validator("challenge", "magic", mode="before")
    @classmethod
    def _hex(cls, value: Any) -> str:
        try:
            return bytes.fromhex(str(value)).hex()  # digits alone come as a number
        except ValueError:
            raise ValueError("must be hexadecimal digits, in quotes, two for each byte") from None

    @model_validator(mode="after")
    def _one_signet(self) -> SignetSettings:
        if len(self.magic) not in {0, 8}:
            raise ValueError("signet.magic has 8 hexadecimal digits")
        if self.challenge and self.magic and self.name != self._name_of(self.magic):
            raise ValueError("signet.magic is not that of signet.challenge; set one of them")
        if self.spacing is not None and not (self.challenge or self.magic):
            raise ValueError("signet.spacing needs signet.challenge or signet.magic")
        return self

    @property
    def name(self) -> str:
        """The name of the network that these settings stand for; empty if nothing is set."""
        magic = signet_magic(bytes.fromhex(self.challenge)).hex() if self.challenge else self.magic
        return self._name_of(magic) if magic else ""

    def _name_of(self, magic: str) -> str:
        return signet(bytes.fromhex(magic), self.spacing).name
