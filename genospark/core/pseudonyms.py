"""What people are called in tables: keyed hashes of their ids, which nobody without the key can make or undo."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from genospark.core.config import StageConfig
from genospark.core.environment import command
from genospark.errors import ConfigError

KEY_BYTES = 32
_NAME_BYTES, _TAG_BYTES = 15, 5
_LENGTH = (_NAME_BYTES + _TAG_BYTES) * 8 // 5


class NamingConfig(StageConfig):
    """What stages are told that name people.

    Attributes:
        key_file: File of the key; where not given, the one that the environment's GENOSPARK_KEY_FILE names, or the key GENOSPARK_KEY.
        crosswalk: Folder of the table that says whose pseudonym is whose; the warehouse's name with ``-crosswalk`` where not given.
    """

    key_file: str | None = None
    crosswalk: str | None = None

    @property
    def crosswalk_folder(self) -> str:
        """Where the crosswalk lies."""
        return self.crosswalk or f"{self.warehouse.rstrip('/')}-crosswalk"


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms under one key: HMAC-SHA256 (RFC 2104), of which 120 bits name a person, as 32 small letters and digits.

    Attributes:
        key: At least 32 bytes; never shown.
    """

    key: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Tells keys apart, and tells nothing of them."""
        return self._hash(b"fingerprint")[:16].hex()

    def of(self, ids: Iterable[str]) -> list[str]:
        """Pseudonyms of ids, some microseconds each.

        What is a pseudonym under this key already stays as it is, so that files made from tables can be read again. Only the key makes
        such names: 40 of their bits are a hash of the others.
        """
        return [one if self.knows(one) else self._pseudonym(one) for one in ids]

    def knows(self, name: str) -> bool:
        """Whether this is a pseudonym under this key."""
        if len(name) != _LENGTH:
            return False
        try:
            made = base64.b32decode(name.upper())
        except ValueError:
            return False
        return name == name.lower() and hmac.compare_digest(made[_NAME_BYTES:], self._tag(made[:_NAME_BYTES]))

    def _pseudonym(self, one: str) -> str:
        name = self._hash(b"person", one.encode())[:_NAME_BYTES]
        return base64.b32encode(name + self._tag(name)).decode().lower()

    def _tag(self, name: bytes) -> bytes:
        return self._hash(b"pseudonym", name)[:_TAG_BYTES]

    def _hash(self, purpose: bytes, message: bytes = b"") -> bytes:
        return hmac.digest(self.key, purpose + b"\0" + message, hashlib.sha256)


def new_key(path: Path) -> None:
    """Writes a random key that only this user can read.

    Raises:
        ConfigError: The file is there already, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{secrets.token_hex(KEY_BYTES)}\n")
    except FileExistsError:
        raise ConfigError(f"{path}: is there already", "keep it: people named with it are known by no other key") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})", "name another file") from None


def read_key(key_file: str | None = None) -> Pseudonyms:
    """The key of a file, or the one that the environment names.

    Raises:
        ConfigError: There is none, its file cannot be read, or it is too short.
    """
    path = key_file or os.environ.get("GENOSPARK_KEY_FILE")
    again = f"make one with `{command()} key FILE`"
    if not path:
        key, where = os.environ.get("GENOSPARK_KEY", "").strip(), "GENOSPARK_KEY"
        if not key:
            raise ConfigError(
                "no key is given for the names that people have in tables",
                f"{again}, and name it with --key-file or in GENOSPARK_KEY_FILE",
            )
    else:
        where = path
        try:
            key = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise ConfigError(f"{path}: the key cannot be read ({reason})", f"check the path, or {again}") from None
    if len(key) < KEY_BYTES:
        raise ConfigError(f"{where}: the key is shorter than {KEY_BYTES} characters", again)
    return Pseudonyms(key.encode())
