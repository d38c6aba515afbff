"""Any cut of a file gives the same rows."""

import itertools
import os
import pickle
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vcf_helpers import bgzf, dosages, gt_code, read, vcf, write

from genospark.ingest.vcf import Split, chunks, plan_splits, read_header


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, int]:
    n = draw(st.integers(0, 40))
    records = []
    genotypes = st.sampled_from(["0/0", "0|1", "1/1", "./.", "0", ".", "1/."])
    for i in range(draw(st.integers(0, 12))):
        info = "X" * draw(st.sampled_from([1, 3, 50, 400]))
        kind = draw(st.sampled_from(["\tGT", "\tGT:DP"]))
        calls = [draw(genotypes) if i % 3 else "0|1" for _ in range(min(n, 6))] + ["0|0"] * max(0, n - 6)
        suffix = ":9" if ":" in kind else ""
        records.append(f"1\t{i + 1}\tid{i}\tA\tC\t.\t.\t{info}" + (kind + "".join(f"\t{c}{suffix}" for c in calls) if n else ""))
    data = vcf(records, n).encode()
    return (data if draw(st.booleans()) else data[:-1]), n


@settings(max_examples=150, deadline=None)
@given(files(), st.data())
def test_any_cut_gives_the_same_rows(file: tuple[bytes, int], draw: st.DataObject) -> None:
    data, n = file
    lines = [line.split(b"\t") for line in data.split(b"\n") if line and not line.startswith(b"#")]
    sizes = draw.draw(st.one_of(st.lists(st.integers(1, 300), min_size=1, max_size=6), st.just([0])), label="sizes")
    if sizes == [0]:
        # Every newline ends a block.
        sizes = [len(line) + 1 for line in data.split(b"\n")]
    target = draw.draw(st.integers(40, 3000), label="target")
    chunk = draw.draw(st.sampled_from([1, 100, 5000]), label="chunk")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_BYTES", chunk)
        for name in ("a.vcf", "a.vcf.gz"):
            table = read(write(Path(folder) / name, data, itertools.cycle(sizes)), target)
            assert table["names"].to_pylist() == [[line[2].decode()] for line in lines]
            assert table["start"].to_pylist() == [int(line[1]) - 1 for line in lines]
            expected = [[gt_code(c.split(b":")[0].decode()) for c in line[9:]] for line in lines]
            assert dosages(table, n).tolist() == expected


def test_every_single_byte_as_boundary(tmp_path: Path) -> None:
    records = [f"1\t{i}\tid{i}\tA\tC\t.\t.\t.\tGT\t0/1\t1/1" for i in range(1, 8)]
    text = vcf(records, 2)
    ids = [[f"id{i}"] for i in range(1, 8)]
    plain = write(tmp_path / "a.vcf", text)
    for target in range(1, 120):
        assert read(plain, target)["names"].to_pylist() == ids
    for size in range(20, 60):
        path = write(tmp_path / "a.vcf.gz", text, itertools.repeat(size))
        for target in (1, 30, 64, 200):
            assert read(path, target)["names"].to_pylist() == ids


def test_line_longer_than_splits_and_blocks(tmp_path: Path) -> None:
    # Text that does not compress: a line of several blocks and splits.
    noise = os.urandom(400_000).hex()
    records = [f"1\t{i}\tid{i}\tA\tC\t.\t.\tX={noise if i % 2 else 'y'}\tGT\t0/1" for i in range(1, 6)]
    for name in ("a.vcf", "a.vcf.gz"):
        path = write(tmp_path / name, vcf(records, 1))
        splits = plan_splits(read_header(path), 50_000)
        assert len(splits) > 20
        assert read(path, 50_000)["names"].to_pylist() == [[f"id{i}"] for i in range(1, 6)]


def test_split_is_picklable_and_header_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf.gz", vcf(["1\t2\t.\tA\tC\t.\t.\t.\tGT\t0/1\t1/1"], 2))
    header = read_header(path)
    assert header.sample_ids == ("s0", "s1")
    assert header.contigs == {"1": 1000000, "X": None}
    assert (header.version, header.compression, header.n_columns) == ("4.2", "bgzf", 11)
    (split,) = plan_splits(header, 1 << 20)
    assert pickle.loads(pickle.dumps(split)) == split  # noqa: S301
    assert isinstance(split, Split)
    assert split.first
    assert split.n_samples == 2


def test_header_over_many_blocks_and_no_records(tmp_path: Path) -> None:
    text = vcf([], 3)
    for sizes in (itertools.repeat(7), itertools.repeat(len(text)), itertools.repeat(60000)):
        path = write(tmp_path / "a.vcf.gz", text, sizes)
        assert read(path).num_rows == 0
    assert read(write(tmp_path / "a.vcf", text)).num_rows == 0


def test_magic_within_compressed_data_is_no_block(tmp_path: Path) -> None:
    # Blocks that are stored, not compressed, and hold the header of a block in their text.
    fake = bgzf(b"x", end=b"")[:18].decode("latin1")
    clean = fake.translate({9: 65, 10: 65, 0: 65}).encode("latin1")
    record = b"1\t%d\tid\tA\tC\t.\t.\t" + clean * 30 + b"\tGT\t0/1\n"
    data = vcf([], 1).encode() + b"".join(record % i for i in range(1, 400))
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(bgzf(data, itertools.repeat(5000)))
    assert read(path, 100)["start"].to_pylist() == list(range(399))
