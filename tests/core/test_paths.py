"""Paths of the local disk and behind URLs, by the same functions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from genospark.core import paths, stores
from genospark.core.config import expand
from genospark.errors import ConfigError, InputError


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path)
        return
    url = f"memory://{uuid.uuid4().hex}"
    yield url
    fsspec.filesystem("memory").store.clear()


def test_files_are_written_found_and_read(folder: str) -> None:
    for name in ("a.tsv", "b.tsv", "c.txt"):
        paths.write_whole(paths.place(folder) / name, name.encode() * 3)
    found = expand([f"{folder}/*.tsv", f"{folder}/a.tsv"])
    assert [str(path) for path in found] == [f"{folder}/a.tsv", f"{folder}/b.tsv"]
    assert found[0].read_bytes() == b"a.tsv" * 3
    assert found[0].stat().st_size == 15
    with paths.open_bytes(str(found[0])) as file:
        file.seek(5)
        assert file.read(5) == b"a.tsv"
    paths.write_whole(found[0], b"new")
    assert found[0].read_text() == "new"
    found[0].unlink()
    assert not found[0].exists()


def test_what_is_not_there_is_said_as_it_was_given(folder: str) -> None:
    with pytest.raises(InputError, match=r"nothing\.tsv: no such file"):
        expand([f"{folder}/nothing.tsv"])
    with pytest.raises(InputError, match=r"\*\.vcf: no such file"):
        expand([f"{folder}/*.vcf"])


def test_a_local_folder_is_put_where_it_belongs(folder: str) -> None:
    target = paths.place(folder) / "out"
    with paths.local_folder(target) as local:
        (local / "inner").mkdir()
        (local / "inner" / "x").write_text("1")
        (local / "y").write_text("2")
    assert (target / "inner" / "x").read_text() == "1"
    assert (target / "y").read_text() == "2"


def test_a_file_url_is_a_local_path(tmp_path: Path) -> None:
    (tmp_path / "a b").write_text("1")
    assert paths.absolute(f"file://{tmp_path}/a b") == tmp_path / "a b"
    assert isinstance(paths.place("x"), Path)
    assert paths.absolute("x") == Path.cwd() / "x"


@pytest.mark.parametrize("url", ["https://me:secret@host/f.vcf", "https://host/f.vcf?X-Amz-Signature=secret", "https://host/f?sig=secret"])
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="holds credentials") as caught:
        expand([url])
    assert "secret" not in str(caught.value)
    assert "me:" not in str(caught.value)


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match="nowhere://x/y: no way to read such URLs"):
        expand(["nowhere://x/y"])


def test_each_library_gets_its_own_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert str(paths.absolute("s3a://bucket/w/")) == "s3://bucket/w"
    assert stores.for_hadoop("s3://bucket/w") == "s3a://bucket/w"
    assert stores.for_hadoop("/w") == "/w"
    assert stores.delta_options("/w") is None
    options = stores.delta_options("s3://bucket/w")
    assert options is not None
    assert (options["AWS_ENDPOINT_URL"], options["AWS_ALLOW_HTTP"], options["AWS_REGION"]) == ("http://127.0.0.1:9", "true", "eu-north-1")
    hadoop = stores.hadoop_options()
    assert (hadoop["fs.s3a.endpoint"], hadoop["fs.s3a.connection.ssl.enabled"]) == ("http://127.0.0.1:9", "false")
    assert not any("key" in name for name in (*options, *hadoop))
