"""Two writers of a warehouse behind a URL: the second is refused, and a killed one's lease expires."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import fsspec
import pytest

from genospark.core import leases
from genospark.core.locks import writing
from genospark.errors import BusyError


@pytest.fixture
def warehouse() -> str:
    return f"memory://{uuid.uuid4().hex}"


def _age(warehouse: str, seconds: float) -> None:
    """Makes what is there look as if nobody had touched it for so long."""
    files = fsspec.filesystem("memory")
    for path in files.find(f"{warehouse}/locks"):
        files.store[path].modified = datetime.now(UTC) - timedelta(seconds=seconds)


def test_a_second_run_of_a_stage_is_refused_until_the_first_has_ended(warehouse: str) -> None:
    with writing(warehouse, "train risk") as check:
        with pytest.raises(BusyError, match=r"`train risk` runs on .*, process \d+, since 2"), writing(warehouse, "train risk"):
            pass
        with writing(warehouse, "train variants"):
            pass
        with pytest.raises(BusyError, match="`withdraw` cannot write now: `train risk`"), writing(warehouse, "withdraw", alone=True):
            pass
        check()
    with writing(warehouse, "withdraw", alone=True), pytest.raises(BusyError), writing(warehouse, "train risk"):
        pass
    with writing(warehouse, "train risk"):
        pass


def test_the_lease_of_a_killed_process_expires(warehouse: str) -> None:
    files = fsspec.filesystem("memory")
    files.makedirs(f"{warehouse}/locks")
    files.pipe_file(f"{warehouse}/locks/train-risk.00000007", b"`train risk` runs on nowhere")
    with pytest.raises(BusyError, match="nowhere"), writing(warehouse, "train risk"):
        pass
    _age(warehouse, leases.EXPIRY_S + 1)
    with writing(warehouse, "train risk"):
        assert [path[-8:] for path in files.find(f"{warehouse}/locks")] == ["00000008"]


def test_a_holder_that_was_taken_for_dead_publishes_nothing(warehouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWAL_S", 0.05)
    files = fsspec.filesystem("memory")
    with writing(warehouse, "train risk") as check:
        check()
        files.pipe_file(f"{warehouse}/locks/train-risk.00000002", b"`train risk` runs elsewhere")
        deadline = datetime.now(UTC) + timedelta(seconds=10)
        while datetime.now(UTC) < deadline:
            try:
                check()
            except BusyError as error:
                assert "lost its lease" in str(error)
                break
        else:
            pytest.fail("the holder did not notice")
    assert files.cat_file(f"{warehouse}/locks/train-risk.00000002")


def test_a_lease_is_renewed(warehouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWAL_S", 0.05)
    with writing(warehouse, "train risk"):
        _age(warehouse, leases.EXPIRY_S + 1)
        deadline = datetime.now(UTC) + timedelta(seconds=10)
        files = fsspec.filesystem("memory")
        while files.modified(f"{warehouse}/locks/train-risk.00000001") < datetime.now(UTC) - timedelta(seconds=5):
            assert datetime.now(UTC) < deadline
        with pytest.raises(BusyError), writing(warehouse, "train risk"):
            pass
