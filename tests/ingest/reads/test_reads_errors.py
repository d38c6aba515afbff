"""Every refusal names file, reason and next step."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest
from reads_helpers import Files, Read, reblocked, write_bam, write_reference

from genospark.errors import InputError
from genospark.ingest.reads import check_reference, pile_up, plan_regions, read_alignment_header

REFERENCE = "ACGT" * 300
VCF = reblocked(gzip.compress(b"##fileformat=VCFv4.2\n"), 9)
READS = [Read(f"r{i}", i, "8M", "ACGTACGT") for i in range(0, 400, 4)]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return write_bam(tmp_path, REFERENCE, READS, 500)


def refused(path: Path, *parts: str) -> None:
    with pytest.raises(InputError) as error:
        read_alignment_header(path)
    for part in (str(path), *parts):
        assert part in str(error.value)
    assert error.value.next_step


def with_header(folder: Path, *lines: str, length: int = len(REFERENCE)) -> Path:
    text = "".join(line + "\n" for line in (f"@SQ\tSN:c\tLN:{length}", *lines))
    text = text if text.startswith("@HD") else "@HD\tVN:1.6\tSO:coordinate\n" + text
    return write_bam(folder, REFERENCE, READS, header=text).bam


def test_absent(tmp_path: Path) -> None:
    refused(tmp_path / "absent.bam", "cannot be opened", "check the path")


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "neither a BAM nor a CRAM"),
        (b"@HD\tVN:1.6\n", "neither a BAM nor a CRAM"),
        (b"CRAM\3\1", "the block that ends a CRAM is absent"),
        (VCF, "not a BAM"),
    ],
    ids=["empty", "SAM", "CRAM", "VCF"],
)
def test_not_bam(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.bam"
    path.write_bytes(content)
    refused(path, reason)


def test_truncated(files: Files) -> None:
    data = files.bam.read_bytes()
    for left in (len(data) - 28, len(data) // 2, 60):
        files.bam.write_bytes(data[:left])
        refused(files.bam, "truncated", "samtools quickcheck")


def test_no_index(files: Files) -> None:
    Path(f"{files.bam}.bai").unlink()
    refused(files.bam, "no index", "samtools index")


def test_unsorted_by_header(tmp_path: Path) -> None:
    text = f"@HD\tVN:1.6\tSO:queryname\n@SQ\tSN:c\tLN:{len(REFERENCE)}\n@RG\tID:1\tSM:a\n"
    refused(write_bam(tmp_path, REFERENCE, READS, header=text, index=False).bam, "SO:queryname", "samtools sort")


def test_samples(tmp_path: Path) -> None:
    refused(with_header(tmp_path, "@RG\tID:1\tSM:ann", "@RG\tID:2\tSM:bob"), "reads of 2 samples", "samtools split")
    refused(with_header(tmp_path), "names a sample", "samtools addreplacerg")
    two_runs = with_header(tmp_path, "@RG\tID:1\tSM:ann", "@RG\tID:2\tSM:ann")
    assert read_alignment_header(two_runs).sample_id == "ann"


def test_reference(files: Files, tmp_path: Path) -> None:
    header = read_alignment_header(files.bam)
    check_reference(header, files.fasta)
    for fasta, reason in (
        (write_reference(tmp_path / "chr.fa", chrc=REFERENCE), "contigs are not in"),
        (write_reference(tmp_path / "short.fa", c=REFERENCE[:-1]), "1200 and 1199 bp"),
    ):
        with pytest.raises(InputError, match=reason):
            check_reference(header, fasta)
    with pytest.raises(InputError, match="differ by the prefix chr"):
        check_reference(header, tmp_path / "chr.fa")
    (tmp_path / "new.fa").write_text(">c\nACGT\n")
    for fasta, step in ((tmp_path / "new.fa", "samtools faidx"), (tmp_path / "absent.fa", "check the path")):
        with pytest.raises(InputError, match=step):
            check_reference(header, fasta)
    assert not (tmp_path / "new.fa.fai").exists()


@pytest.mark.parametrize("kind", ["bam", "cram"])
def test_contigs_that_the_reference_lacks(tmp_path: Path, kind: str) -> None:
    """All reads are on c: d is not missed where nobody asks for it, nor is c where d is asked for."""
    path = with_header(tmp_path, "@SQ\tSN:d\tLN:700", "@RG\tID:1\tSM:ann")
    fasta = write_reference(tmp_path / "both.fa", c=REFERENCE, d="A" * 700)
    if kind == "cram":
        pysam.samtools.view("-C", "-T", str(fasta), "-o", str(tmp_path / "a.cram"), str(path), catch_stdout=False)
        path = tmp_path / "a.cram"
        pysam.index(str(path))
    header = read_alignment_header(path)
    of_c, of_d = write_reference(tmp_path / "c.fa", c=REFERENCE), write_reference(tmp_path / "d.fa", d="A" * 700)
    assert check_reference(header, fasta) == []
    assert check_reference(header, of_c) == check_reference(header, of_c, {"c"}) == ["d"]
    assert check_reference(header, of_d, {"d"}) == ["c"]
    for lacking, name, wanted in ((of_c, "d", {"c", "d"}), (of_d, "c", None)):
        with pytest.raises(InputError, match=f"1 contigs are not in .*: {name}") as caught:
            check_reference(header, lacking, wanted)
        assert "regions" in str(caught.value.next_step)


def test_nobody_is_called_as_the_file_unless_asked_to(tmp_path: Path) -> None:
    path = with_header(tmp_path).rename(tmp_path / "ann.chr22.bam")
    pysam.index(str(path))
    refused(path, "names a sample")
    assert read_alignment_header(path, named_by_file=True).sample_id == "ann.chr22"
    assert read_alignment_header(path, "bob", named_by_file=True).sample_id == "bob"
    named = with_header(tmp_path, "@RG\tID:1\tSM:ann")
    assert read_alignment_header(named, named_by_file=True).sample_id == "ann"


def piled(files: Files) -> None:
    for region in plan_regions(read_alignment_header(files.bam), 1000):
        pile_up(region, files.fasta)


def test_damaged_records(files: Files) -> None:
    plain = bytearray(gzip.decompress(files.bam.read_bytes()))
    last = plain.rindex(b"r396\0") - 36
    cigar = last + 36 + 5

    def damaged(at: int, new: bytes, reason: str) -> None:
        data = plain[:at] + new + plain[at + len(new) :]
        # As one block, as large as all of it: the index then still points to the first record.
        files.bam.write_bytes(reblocked(gzip.compress(bytes(data)), 500))
        with pytest.raises(InputError, match=reason) as error:
            piled(files)
        assert str(files.bam) in str(error.value)

    piled(files)
    damaged(cigar, (9 << 4).to_bytes(4, "little"), "read r396 at position 397 has a CIGAR of another length")
    damaged(cigar, (8 << 4 | 9).to_bytes(4, "little"), "unknown CIGAR operation")
    damaged(last + 8, (3).to_bytes(4, "little"), "not sorted by coordinate, whatever the header says")
    damaged(last + 20, (1 << 20).to_bytes(4, "little"), "a record is shorter than its fields")
    damaged(last, (1 << 20).to_bytes(4, "little"), "truncated within a record")


def test_damaged_block_and_index(files: Files) -> None:
    data = bytearray(files.bam.read_bytes())
    data[len(data) // 2] ^= 0xFF
    files.bam.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        piled(files)
    index = Path(f"{files.bam}.bai")
    content = index.read_bytes()
    for bad in (b"", b"TBI\1" + content[4:], content[:30]):
        index.write_bytes(bad)
        with pytest.raises(InputError, match="not an index of a BAM, or truncated") as error:
            piled(files)
        assert "samtools index" in error.value.next_step


def test_index_of_another_file(files: Files, tmp_path: Path) -> None:
    with pysam.AlignmentFile(str(files.bam)) as file:
        header = file.header.to_dict()
    header["SQ"].append({"SN": "d", "LN": 50})
    with pysam.AlignmentFile(str(files.bam), "wb", header=header):
        pass
    (region,) = plan_regions(read_alignment_header(files.bam), 1000, ["d"])
    with pytest.raises(InputError, match="fewer than the BAM"):
        pile_up(region, write_reference(tmp_path / "both.fa", c=REFERENCE, d="A" * 50))
    with pytest.raises(InputError, match="no contig d"):
        pile_up(region, files.fasta)
