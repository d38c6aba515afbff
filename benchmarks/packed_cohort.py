"""Cohorts that are written straight into the tables of a warehouse, packed, and as PLINK's files: simulated calls of many people."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from genospark.core.calls import pack, unpack
from genospark.core.config import StageConfig
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.ingest.vcf.genotypes import Calls
from genospark.ingest.vcf.parse import PARSED_SCHEMA, block_columns
from genospark.ingest.vcf_landing import Landed, Target, land

Bytes = NDArray[np.uint8]
CONTIGS = 22
MISSING = 0.001
DISEASE = "simulated"
PREVALENCE = 0.3
_DRAWN = 20_000_000
"""Calls that are drawn at once."""
# PLINK 1's codes of no, one and two copies of its first allele, which is ALT here, and of a missing call.
_BED = np.array([3, 2, 0, 1], np.uint8)
_CODES = np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3
_TO_BED = np.bitwise_or.reduce(_BED[_CODES] << np.arange(0, 8, 2, dtype=np.uint8), axis=1)


@dataclass(frozen=True)
class Cohort:
    """What is drawn: independent variants in Hardy-Weinberg proportions, 1 call in 1,000 missing, and a disease.

    Attributes:
        people, variants: How many.
        causes: Variants that make the disease more or less likely.
        seed: Of the draw.
    """

    people: int
    variants: int
    causes: int = 50
    seed: int = 10

    @property
    def ids(self) -> list[str]:
        """Names of the people."""
        return [f"P{number:06d}" for number in range(self.people)]

    def frequencies(self) -> NDArray[np.float32]:
        """Of the alternate alleles, log-uniform from 0.02 to 0.5."""
        rng = np.random.default_rng(self.seed)
        return np.exp(rng.uniform(np.log(0.02), np.log(0.5), self.variants)).astype(np.float32)

    def sites(self) -> pd.DataFrame:
        """CHROM, POS (1-based), ID of each variant; all are A to G."""
        number = np.arange(self.variants)
        contig = number * CONTIGS // self.variants + 1
        within = number - np.searchsorted(contig, contig)
        return pd.DataFrame({"CHROM": [f"chr{name}" for name in contig], "POS": 100 * (within + 1), "ID": [f"v{one}" for one in number]})

    def calls(self) -> Iterator[tuple[NDArray[np.int64], Bytes]]:
        """Variants of one contig, some at a time, and their packed calls."""
        rng = np.random.default_rng(self.seed + 1)
        contig = np.arange(self.variants) * CONTIGS // self.variants
        frequency, step = self.frequencies(), max(1, _DRAWN // self.people)
        for own in np.split(np.arange(self.variants), np.flatnonzero(np.diff(contig)) + 1):
            for first in range(0, len(own), step):
                some = own[first : first + step]
                p = frequency[some, None]
                drawn = rng.random((len(some), self.people), np.float32)
                codes = (drawn < 1 - (1 - p) ** 2).view(np.uint8) + (drawn < p * p)
                codes[drawn > 1 - MISSING] = 3
                yield some, pack(codes)


class _Liability:
    """What the causes add up to in each person, while calls are drawn."""

    def __init__(self, cohort: Cohort) -> None:
        rng = np.random.default_rng(cohort.seed + 2)
        self._effects = np.zeros(cohort.variants)
        self._effects[rng.choice(cohort.variants, min(cohort.causes, cohort.variants), replace=False)] = rng.normal(size=cohort.causes)
        self._noise = rng.normal(size=cohort.people)
        self._sum = np.zeros(cohort.people)

    def add(self, variants: NDArray[np.int64], packed: Bytes) -> None:
        some = np.flatnonzero(self._effects[variants])
        codes = unpack(packed[some], len(self._sum))
        self._sum += self._effects[variants[some]] @ np.where(codes == 3, 0, codes)

    def labels(self) -> NDArray[np.int64]:
        """1 for cases, the people of highest liability, half of which is inherited."""
        found = (self._sum - self._sum.mean()) / max(self._sum.std(), 1e-9) + self._noise
        return (found > np.quantile(found, 1 - PREVALENCE)).astype(np.int64)


def make(cohort: Cohort, warehouse: Path, spark: SparkSession, bed: Path | None = None) -> None:
    """Writes ``variants``, ``genotypes``, ``samples`` and ``phenotypes``, in a file a contig, and the same calls as `bed`.pgen."""

    def body(run: Run) -> None:
        ids, liability = cohort.ids, _Liability(cohort)
        with (
            run.landing("genotypes/main") as genotypes,
            run.landing("variants") as variants,
            bed.with_suffix(".bed").open("wb") if bed else nullcontext() as file,
        ):
            if file:
                file.write(b"\x6c\x1b\x01")
            landed = list(_landed(cohort, Target(genotypes, variants, [0]), liability, file))
            run.publish(genotypes, [path for entry in landed for path in entry.genotypes])
            run.publish(variants, [path for entry in landed for path in entry.variants])
        run.write_small("samples/main", {"sampleId": ids, "sampleIndex": list(range(len(ids))), "batch": ["main"] * len(ids)})
        labels = liability.labels().tolist()
        run.write_small("phenotypes/main", {"sampleId": ids, "disease": [DISEASE] * len(ids), "label": labels})

    run_stage("ingest-vcf", StageConfig(warehouse=str(warehouse)), Warehouse(spark, str(warehouse)), body)
    if bed:
        _companions(cohort, bed)
        subprocess.run(["plink2", "--bfile", str(bed), "--make-pgen", "--out", str(bed)], check=True, stdout=subprocess.DEVNULL)
        bed.with_suffix(".bed").unlink()


def _landed(cohort: Cohort, target: Target, liability: _Liability, bed: BinaryIO | None) -> Iterator[Landed]:
    sites = cohort.sites()
    contig = sites["CHROM"].to_numpy(str)

    def rows(drawn: Iterable[tuple[NDArray[np.int64], Bytes]]) -> Iterator[pa.RecordBatch]:
        for variants, packed in drawn:
            liability.add(variants, packed)
            if bed:
                bed.write(_TO_BED[packed].tobytes())
            yield _rows(sites.iloc[variants], packed, cohort.people)

    for number, (_, drawn) in enumerate(groupby(cohort.calls(), lambda found: contig[found[0][0]])):
        yield land(rows(drawn), number, 0, target)


def _rows(sites: pd.DataFrame, packed: Bytes, people: int) -> pa.RecordBatch:
    """Rows as parsers of files make them."""
    n, start = len(sites), sites["POS"].to_numpy() - 1
    nobody = np.zeros(0, np.int64), np.zeros((0, -(-people // 8)), np.uint8)
    found = {
        "contigName": sites["CHROM"],
        "start": start,
        "end": start + 1,
        "names": [[name] for name in sites["ID"]],
        "referenceAllele": ["A"] * n,
        "alternateAlleles": [["G"]] * n,
        "qual": pa.nulls(n),
        "filters": [[]] * n,
        "splitFromMultiAllelic": np.zeros(n, bool),
        "line": np.zeros(n, np.int64),
    } | block_columns(Calls(packed, *nobody), people)
    arrays = [found[entry.name] if isinstance(found[entry.name], pa.Array) else pa.array(found[entry.name]) for entry in PARSED_SCHEMA]
    return pa.record_batch([array.cast(entry.type) for array, entry in zip(arrays, PARSED_SCHEMA, strict=True)], schema=PARSED_SCHEMA)


def _companions(cohort: Cohort, bed: Path) -> None:
    sites = cohort.sites()
    bim = sites[["CHROM", "ID"]].assign(morgans=0, POS=sites["POS"], ALT="G", REF="A")
    bim.to_csv(bed.with_suffix(".bim"), sep="\t", header=False, index=False)
    fam = pd.DataFrame({"family": 0, "person": cohort.ids, "father": 0, "mother": 0, "sex": 0, "phenotype": -9})
    fam.to_csv(bed.with_suffix(".fam"), sep="\t", header=False, index=False)


def weights(cohort: Cohort, path: Path, name: str) -> None:
    """A scoring file of the PGS Catalog's format with a weight for each variant, of copies of ALT."""
    rng = np.random.default_rng(cohort.seed + 3)
    sites = cohort.sites()
    rows = pd.DataFrame(
        {
            "rsID": sites["ID"],
            "chr_name": sites["CHROM"].str.removeprefix("chr"),
            "chr_position": sites["POS"],
            "effect_allele": "G",
            "other_allele": "A",
            "effect_weight": rng.normal(0, 0.01, cohort.variants).round(6),
        }
    )
    head = "###PGS CATALOG SCORING FILE\n#format_version=2.0\n#pgs_id={}\n#genome_build=GRCh38\n#weight_type=beta\n"
    with path.open("w") as file:
        file.write(head.format(name))
        rows.to_csv(file, sep="\t", index=False)
