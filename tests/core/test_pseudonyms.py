"""Names of people: equal to an HMAC made by hand, stable, and made by nobody without the key."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genospark.cli import main
from genospark.core import crosswalk
from genospark.core.pseudonyms import Pseudonyms, new_key, read_key
from genospark.errors import ConfigError, TableError

KEY = b"0123456789abcdef0123456789abcdef"
ONE, OTHER = Pseudonyms(KEY), Pseudonyms(KEY[::-1])


def _hmac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 as RFC 2104 writes it."""
    inner, outer = (bytes(byte ^ pad for byte in key.ljust(64, b"\0")) for pad in (0x36, 0x5C))
    return hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).digest()


def test_names_are_keyed_hashes() -> None:
    name = _hmac(KEY, b"person\0NA12878")[:15]
    assert ONE.of(["NA12878"]) == [base64.b32encode(name + _hmac(KEY, b"pseudonym\0" + name)[:5]).decode().lower()]


@given(st.lists(st.text(min_size=1), unique=True))
def test_names_are_as_many_as_ids_and_stay_when_read_again(ids: list[str]) -> None:
    names = ONE.of(ids)
    assert len(set(names)) == len(ids)
    assert ONE.of(names) == names
    assert not set(names) & set(OTHER.of(ids))
    assert not set(OTHER.of(names)) & set(names)
    assert not any(
        OTHER.knows(name) or ONE.knows(name.upper()) or ONE.knows(f"{name[:-1]}{'a' if name[-1] != 'a' else 'b'}") for name in names
    )


def test_a_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "safe" / "key"
    assert main(["key", str(path)]) == 0
    key = path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(key) == 64
    assert key not in "".join(capsys.readouterr())
    with pytest.raises(ConfigError, match="is there already"):
        new_key(path)
    monkeypatch.setenv("GENOSPARK_KEY_FILE", str(path))
    found = read_key()
    assert found == Pseudonyms(key.encode())
    assert key not in repr(found)
    assert read_key(str(path)) == found
    monkeypatch.delenv("GENOSPARK_KEY_FILE")
    for value, says in (("", "no key is given"), ("short", "shorter than 32")):
        monkeypatch.setenv("GENOSPARK_KEY", value)
        with pytest.raises(ConfigError, match=says) as caught:
            read_key()
        assert "genospark key FILE" in caught.value.next_step
    with pytest.raises(ConfigError, match="cannot be read"):
        read_key(str(tmp_path / "none"))


def test_only_withdrawal_takes_people_out_of_a_crosswalk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = "names"
    crosswalk.write(place, "ingest-vcf/main", {"p1": "Ann", "p2": "Bob"})
    crosswalk.write(place, "ingest-reads/main", {"p2": "Bob", "p3": "Cid"})
    crosswalk.write(place, "ingest-reads/main", {"p4": "Dan"})
    assert crosswalk.read(place) == {"p1": "Ann", "p2": "Bob", "p3": "Cid", "p4": "Dan"}
    assert crosswalk.holds(place, {"p2", "p9"})
    crosswalk.withdraw(place, {"p2"})
    assert not crosswalk.holds(place, {"p2", "p9"})
    assert all(Path(path).is_file() for path in crosswalk.files(place))
    # Nor do older versions hold them.
    left = b"".join(path.read_bytes() for path in (tmp_path / place).rglob("*") if path.is_file())
    assert [name for name in (b"Ann", b"Bob", b"Cid", b"Dan") if name in left] == [b"Ann", b"Cid", b"Dan"]
    with pytest.raises(TableError, match="no crosswalk there"):
        crosswalk.files(str(tmp_path / "other"))
