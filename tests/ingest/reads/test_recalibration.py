"""Qualities that claim too much, by a known amount, come out right; variants do not count as errors; and what is applied is the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysam
import pytest
from overstated_reads import DEPTH, REFERENCE_BP, Reads, write
from pyspark.sql import SparkSession
from reads_helpers import Files
from support import people

from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest.alignments import IngestReadsConfig, ingest_reads
from genospark.ingest.base_quality import stretches
from genospark.ingest.reads import ReadFilters, Region, pile_up
from genospark.ingest.reads import records as records_module
from genospark.ingest.reads.known_sites import KnownSites
from genospark.ingest.reads.mismatches import count_mismatches
from genospark.ingest.reads.recalibration import SHAPE, Recalibration, fit, mean_qualities

FILTERS = ReadFilters()


def region(files: Files, start: int = 0, end: int = REFERENCE_BP) -> Region:
    return Region(str(files.bam), "person", "c", start, end)


def fitted(files: Files) -> tuple[Recalibration, np.ndarray, np.ndarray]:
    bases, errors = count_mismatches(region(files), files.fasta, FILTERS)
    return fit(bases, errors), bases, errors


def mean_of(table: np.ndarray, bases: np.ndarray, *where: object) -> float:
    """Phred of the mean chance of an error of the bases in a part of the table."""
    chances, weights = 10 ** (-table.reshape(SHAPE)[where].astype(float) / 10), bases.reshape(SHAPE)[where]
    return float(-10 * np.log10((chances * weights).sum() / weights.sum()))


def test_overstated_qualities_come_out_right_and_variants_do_not_count(tmp_path: Path) -> None:
    plain, bases, errors = fitted(write(tmp_path / "plain", Reads()))
    reported, empirical = mean_qualities(bases, errors) or (0.0, 0.0)
    # A third each of qualities 12, 23 and 37, all six better than the truth.
    assert reported == pytest.approx(-10 * np.log10(np.mean([10**-1.2, 10**-2.3, 10**-3.7])), abs=0.1)
    assert empirical == pytest.approx(reported - 6, abs=0.5)
    varied, bases_there, _ = fitted(write(tmp_path / "variants", Reads(variants=2e-3)))
    for quality in (12, 23, 37):
        for found, counts in ((plain, bases), (varied, bases_there)):
            assert mean_of(found.table(), counts, quality) == pytest.approx(quality - 6, abs=1.5), quality
    assert bases.sum() > 0.9 * REFERENCE_BP * DEPTH * 0.94


def test_variants_would_count_were_they_not_left_out(tmp_path: Path) -> None:
    made = Reads(qualities=(37,), overstated=0.0, variants=3e-3)
    files = write(tmp_path, made)
    recalibration, bases, errors = fitted(files)
    assert mean_of(recalibration.table(), bases, 37) == pytest.approx(37, abs=2)
    known = np.zeros(REFERENCE_BP, bool)
    known[made.sites] = True
    there, wrong = count_mismatches(region(files), files.fasta, FILTERS, known)
    assert bases.sum() - there.sum() < 0.003 * bases.sum()
    assert errors.sum() - wrong.sum() < 0.35 * errors.sum()
    # 1.5 in a thousand bases show a variant, 0.2 in a thousand are wrong.
    assert errors.sum() < 0.25 * 1.5e-3 * bases.sum()


def test_cycles_and_contexts(tmp_path: Path) -> None:
    recalibration, bases, _ = fitted(write(tmp_path, Reads(qualities=(30,), overstated=4, late=6, after_g=5)))
    table = recalibration.table()
    after_g = [context for context in range(SHAPE[2]) if context // 4 == 2]
    others = [context for context in range(SHAPE[2]) if context // 4 in (0, 1, 3)]
    for mate in (0, 32):
        early, late = slice(mate, mate + 6), slice(mate + 6, mate + 10)
        assert mean_of(table, bases, 30, early, others) == pytest.approx(26, abs=1.5)
        assert mean_of(table, bases, 30, late, others) == pytest.approx(20, abs=1.5)
        assert mean_of(table, bases, 30, early, after_g) == pytest.approx(21, abs=1.5)
        assert mean_of(table, bases, 30, late, after_g) == pytest.approx(15, abs=1.5)


def test_bases_without_a_quality_get_that_of_all(tmp_path: Path) -> None:
    files = write(tmp_path, Reads(qualities=(255,), overstated=0))
    recalibration, bases, errors = fitted(files)
    assert mean_qualities(bases, errors) is None
    assert mean_of(recalibration.table(), bases, 94) == pytest.approx(20, abs=1)
    piled = pile_up(region(files), files.fasta, FILTERS, recalibration)
    shown = piled.tensor[:, 9:13]
    assert 19 <= shown[shown > 0].mean() <= 21


def test_old_qualities_and_none_at_all(tmp_path: Path) -> None:
    # 2 marks ends that old pipelines give up; few values otherwise.
    files = write(tmp_path, Reads(qualities=(2, 40), overstated=0))
    recalibration, bases, _ = fitted(files)
    table = recalibration.table().reshape(SHAPE)
    assert (table[2] == 2).all() and (table[0] == 0).all()
    assert mean_of(table.ravel(), bases, 40) == pytest.approx(40, abs=2.5)
    # What no base has stays, missing ones too.
    assert (table[25] == 25).all() and (table[94] == 255).all()
    nothing = np.zeros(np.prod(SHAPE), np.int64)
    kept = fit(nothing, nothing).table().reshape(SHAPE)
    assert (kept[:94] == np.arange(94)[:, None, None]).all() and (kept[94] == 255).all()
    assert mean_qualities(nothing, nothing) is None


def rewritten(files: Files, table: np.ndarray, folder: Path) -> Files:
    """The reads with the table's qualities, looked up base by base in plain Python."""
    folder.mkdir()
    made = folder / "reads.bam"
    cells = table.reshape(SHAPE)
    complement = {"A": "T", "C": "G", "G": "C", "T": "A"}
    with pysam.AlignmentFile(str(files.bam)) as source, pysam.AlignmentFile(str(made), "wb", header=source.header) as out:
        for read in source:
            sequence, qualities = read.query_sequence, list(read.query_qualities)
            if read.is_reverse:
                sequence, qualities = "".join(complement[letter] for letter in reversed(sequence)), qualities[::-1]
            found = []
            for cycle, (letter, quality) in enumerate(zip(sequence, qualities, strict=True)):
                before = "ACGT".index(sequence[cycle - 1]) if cycle else 4
                found.append(int(cells[quality, cycle // 10 + 32 * read.is_read2, 4 * before + "ACGT".index(letter)]))
            read.query_qualities = found[::-1] if read.is_reverse else found
            out.write(read)
    pysam.index(str(made))
    return Files(made, files.fasta)


def test_the_table_is_applied_to_each_base_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(tmp_path, Reads(variants=2e-3, late=5, after_g=4))
    recalibration, _, _ = fitted(files)
    kept = Recalibration.from_bytes(recalibration.to_bytes())
    assert np.abs(kept.table().astype(int) - recalibration.table()).max() <= 1
    expected = pile_up(region(rewritten(files, kept.table(), tmp_path / "new")), files.fasta)
    found = pile_up(region(files), files.fasta, FILTERS, kept)
    assert (found.tensor == expected.tensor).all()
    assert (found.tensor != pile_up(region(files), files.fasta).tensor).any()
    assert found.bases_below_quality == expected.bases_below_quality
    # Reads that wait for the next batch have their new qualities already.
    monkeypatch.setattr(records_module, "BATCH_BYTES", 20_000)
    parts = [pile_up(region(files, start, start + 4000), files.fasta, FILTERS, kept).tensor for start in range(0, REFERENCE_BP, 4000)]
    assert (np.concatenate(parts) == expected.tensor).all()


def known_sites(path: Path, *sites: tuple[int, str], contig: str = "c", index: bool = True) -> Path:
    lines = "".join(f"{contig}\t{start + 1}\t.\t{allele}\tN\t.\t.\t.\n" for start, allele in sites)
    path.with_suffix("").write_text(f"##fileformat=VCFv4.3\n##contig=<ID={contig}>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n{lines}")
    pysam.tabix_compress(str(path.with_suffix("")), str(path), force=True)
    if index:
        pysam.tabix_index(str(path), preset="vcf", force=True)
    return path


def test_known_sites_cover_their_reference_alleles(tmp_path: Path) -> None:
    sites = KnownSites(str(known_sites(tmp_path / "known.vcf.gz", (998, "ACG"), (1005, "A"), (1999, "GTT"))))
    sites.check(["b", "c"])
    assert np.flatnonzero(sites.mask(Region("", "", "c", 1000, 2000))).tolist() == [0, 5, 999]
    assert np.flatnonzero(sites.mask(Region("", "", "c", 0, 1000))).tolist() == [998, 999]
    assert not sites.mask(Region("", "", "b", 0, 1000)).any()
    with pytest.raises(InputError, match=r"no contig of the reference has a site in it; its first is c \(they differ by the prefix chr\)"):
        sites.check(["chrc"])
    bare = KnownSites(str(known_sites(tmp_path / "bare.vcf.gz", (5, "A"), index=False)))
    with pytest.raises(InputError, match=r"no index \(bare.vcf.gz.tbi or .csi\) beside it") as caught:
        bare.check(["c"])
    assert "tabix -p vcf" in caught.value.next_step
    (tmp_path / "bare.vcf.gz.tbi").write_bytes(b"none")
    with pytest.raises(InputError, match="cannot be read as an indexed VCF"):
        bare.check(["c"])


def test_the_sample_is_spread_over_the_regions() -> None:
    regions = [Region("p", person, "c", start, start + 100_000) for person in ("ann", "bob") for start in (0, 200_000)]
    found = stretches(regions, 50_000)
    assert [(region.sample_id, region.start) for region in found] == [
        (person, start) for person in ("ann", "bob") for start in (0, 40_000, 80_000, 220_000, 260_000)
    ]
    assert sum(region.end - region.start for region in stretches(regions, 10_000_000)) == 400_000


def test_a_persons_windows_have_recalibrated_qualities(tmp_path: Path, spark: SparkSession) -> None:
    made = Reads(variants=2e-3)
    files = {"Ann": write(tmp_path / "a", made, "Ann"), "Bob": write(tmp_path / "b", Reads(overstated=0), "Bob")}
    files["Cid"] = write(tmp_path / "c", Reads(depth=0), "Cid")
    sites = known_sites(tmp_path / "known.vcf.gz", *((site, "A") for site in made.sites))
    config = {"warehouse": str(tmp_path / "w"), "inputs": [str(found.bam) for found in files.values()], "recalibrate_bp": 30_000}
    config |= {"reference": str(files["Ann"].fasta), "known_sites": str(sites)}
    with pytest.raises(ConfigError, match="known_sites are given, and recalibrate is not"):
        ingest_reads(IngestReadsConfig.model_validate(config), spark)
    ingest_reads(IngestReadsConfig.model_validate({**config, "recalibrate": True}), spark)
    warehouse = Warehouse(spark, str(tmp_path / "w"))
    quality = {row["sampleId"]: row for row in warehouse.read("readQuality").collect()}
    windows = warehouse.read("readWindows").orderBy("sampleId", "start").toPandas()
    nobody = quality[people("Cid")[0]].asDict()
    assert nobody["nReads"] == nobody["meanDepth"] == 0
    assert nobody["reportedQuality"] is nobody["empiricalQuality"] is nobody["referenceShare"] is nobody["contamination"] is None
    for (person, found), loss in zip(list(files.items())[:2], (6, 0), strict=True):
        (name,) = people(person)
        assert quality[name]["reportedQuality"] - quality[name]["empiricalQuality"] == pytest.approx(loss, abs=1)
        sample = [count_mismatches(part, found.fasta, FILTERS) for part in stretches([region(found)], 30_000)]
        assert len(sample) == 3
        tensor = np.stack([np.frombuffer(one, np.uint8).reshape(1000, -1) for one in windows.loc[windows["sampleId"] == name, "pileup"]])
        plain = pile_up(region(found), found.fasta).tensor.reshape(tensor.shape)
        shown = plain[..., 9:13] > 0
        # The worst third is below the least quality with the loss.
        change = plain[..., 9:13][shown & (tensor[..., 9:13] > 0)].mean() - tensor[..., 9:13][shown & (tensor[..., 9:13] > 0)].mean()
        assert abs(change) < 1.5 if not loss else 3 < change < 9
