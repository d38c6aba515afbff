"""The variant caller that comes with the package, on reads and genotypes that no training saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysam
import pysam.bcftools
import pytest
from pyspark.sql import SparkSession
from support import Cohort

from genospark.calling import CallConfig, call
from genospark.core.pileup import INDEX, MODEL_CHANNELS, WINDOW_BP
from genospark.ingest.vcf.check import check_files
from genospark.models.bundle import load
from genospark.models.likelihoods import GENOTYPES, HEADS
from genospark.scoring.calls import phred
from genospark.tasks.bundles import shipped
from genospark.tasks.variants import TASK, Caller, VariantModel

MOST_BYTES = 10e6


def test_it_is_small() -> None:
    assert 0 < sum(path.stat().st_size for path in shipped("variants").rglob("*") if path.is_file()) <= MOST_BYTES


def _carried(vcf: Path, person: str) -> dict[tuple[str, int, str, str], int]:
    """Copies of each alternate allele, as bcftools writes them out."""
    asked = ["-s", person, "-f", "[%CHROM\t%POS\t%REF\t%ALT\t%GT\n]"]
    found = {}
    for line in pysam.bcftools.query(*asked, str(vcf)).splitlines():
        contig, position, ref, alt, genotype = line.split("\t")
        if "1" in genotype:
            found[contig, int(position), ref, alt] = genotype.count("1")
    return found


def test_reads_become_calls_in_one_command(spark: SparkSession, cohort: Cohort, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bams = sorted((cohort.files / "reads").glob("*.bam"))
    out, regions = tmp_path / "calls.vcf.gz", str(cohort.files / "reads" / "regions.bed")
    call(CallConfig(reads=list(map(str, bams)), reference=str(cohort.files / "reference.fa"), out=str(out), regions=regions))
    assert {path.name for path in tmp_path.iterdir()} == {"calls.vcf.gz", "calls.vcf.gz.tbi"}
    assert check_files([str(out)], 20) == 0
    assert " 0 errors, 0 warnings" in capsys.readouterr().out
    truth, split = tmp_path / "truth.vcf.gz", tmp_path / "split.vcf.gz"
    pysam.bcftools.view("-R", regions, "-Oz", "-o", str(truth), str(cohort.files / "genotypes.vcf.gz"), catch_stdout=False)
    pysam.bcftools.norm("-m-any", "-Oz", "-o", str(split), str(truth), catch_stdout=False)
    n_true = n_called = n_right = 0
    for person in (bam.stem for bam in bams):
        true, called = _carried(split, person), _carried(out, person)
        n_true, n_called = n_true + len(true), n_called + len(called)
        n_right += sum(called.get(key) == copies for key, copies in true.items())
    assert n_true > 50
    assert n_right >= 0.95 * n_true
    assert n_called - n_right <= 0.05 * n_true


@pytest.mark.parametrize("which", ["network", "baseline"])
def test_windows_without_evidence_have_no_call(which: str) -> None:
    pileup = np.zeros((3, WINDOW_BP, len(MODEL_CHANNELS)), np.uint8)
    pileup[..., INDEX["forward_A"]], pileup[..., INDEX["quality_A"]] = 20, 30
    judged = Caller(VariantModel.of(load(shipped(TASK), TASK)), which).judge(pileup)
    assert judged.logits.shape == (0, len(HEADS), len(GENOTYPES))
    assert not judged.genotype.any()
    assert phred(judged, 0, 1e-3, judged.genotype[..., 0] > 0) == {}
