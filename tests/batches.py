"""VCF files of batches, what bcftools makes of several, and the same of a warehouse's tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pysam
import pysam.bcftools

from genospark.core.blocks import by_variant, gather
from genospark.core.pseudonyms import read_key
from genospark.core.storage import Warehouse

KEY = ["contigName", "start", "referenceAllele", "alternateAllele"]
COUNTS = ["nCalled", "alleleCount", "nAllelesCalled", "nHet", "nHomAlt"]
HEADER = (
    "##fileformat=VCFv4.2\n##contig=<ID=1,length=5000>\n##contig=<ID=X,length=5000>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t'
)


def write_vcf(path: Path, people: Sequence[str], positions: Sequence[int], seed: int) -> Path:
    """Records on two contigs, with calls of one allele on X, and some missing."""
    random = np.random.default_rng(seed)
    lines = []
    for contig, words in (("1", ["0|0", "0|1", "1|1", ".|."]), ("X", ["0", "1", "0|1", "1|1", ".", "0|0"])):
        for position in positions:
            calls = "\t".join(random.choice(words, len(people)))
            lines.append(f"{contig}\t{position}\t.\tA\tC\t30\tPASS\t.\tGT\t{calls}")
    path.write_text(HEADER + "\t".join(people) + "\n" + "\n".join(lines) + "\n")
    pysam.tabix_index(str(path), preset="vcf", force=True, keep_original=True)
    return path


def merged_by_bcftools(files: Sequence[Path], people: Sequence[str], scratch: Path) -> pd.DataFrame:
    """Rows with key, counts and a list of copies (3 missing) of `people`, of one file that bcftools makes."""
    whole, chosen = scratch / "whole.vcf", scratch / "chosen.vcf"
    if len(files) > 1:
        pysam.bcftools.merge("-m", "none", "-Ov", "-o", str(whole), *(f"{path}.gz" for path in files), catch_stdout=False)
    else:
        whole = files[0]
    pysam.bcftools.view("-s", ",".join(people), "-Ov", "-o", str(chosen), str(whole), catch_stdout=False)
    rows = []
    for line in pysam.bcftools.query("-f", "%CHROM\t%POS\t%REF\t%ALT[\t%GT]\n", str(chosen)).splitlines():
        contig, position, reference, alternate, *calls = line.split("\t")
        alleles = [call.replace("|", "/").split("/") for call in calls]
        full = [own for own in alleles if "." not in own]
        pairs = [own for own in full if len(own) == 2]
        rows.append(
            {
                "contigName": contig,
                "start": int(position) - 1,
                "referenceAllele": reference,
                "alternateAllele": alternate,
                "copies": [3 if "." in own else own.count("1") for own in alleles],
                "nCalled": len(full),
                "alleleCount": sum(own.count("1") for own in full),
                "nAllelesCalled": sum(map(len, full)),
                "nHet": sum(own.count("1") == 1 for own in pairs),
                "nHomAlt": sum(own.count("1") == 2 for own in pairs),
            }
        )
    return pd.DataFrame(rows).sort_values(KEY, ignore_index=True)


BLOCKS = pa.list_(pa.struct([("sampleBlock", pa.int32()), ("calls", pa.binary())]))


def of_warehouse(warehouse: Warehouse, people: Sequence[str]) -> pd.DataFrame:
    """The same of a warehouse's tables."""
    samples = warehouse.read("samples").toPandas().set_index("sampleId")["sampleIndex"]
    named = read_key().of(people)
    assert sorted(samples.index) == sorted(named)
    assert samples.is_unique
    rows = by_variant(warehouse.read("genotypes")).toPandas()
    blocks = pa.array([list(own) for own in rows["blocks"]], BLOCKS)
    rows["copies"] = gather(blocks, samples[named].to_numpy(np.int64)).tolist()
    variants = warehouse.read("variants").selectExpr("*", "alternateAlleles[0] as alternateAllele").toPandas()
    both = rows.drop(columns="blocks").merge(variants[[*KEY, *COUNTS, "callRate"]], on=KEY, how="outer", validate="one_to_one")
    assert np.allclose(both["callRate"], both["nCalled"] / len(people))
    return both.drop(columns="callRate").sort_values(KEY, ignore_index=True)


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected[found.columns], check_dtype=False)


def write_subset(path: Path, people: list[str], out: Path) -> Path:
    out.write_text(pysam.bcftools.view("-s", ",".join(people), str(path)))
    pysam.tabix_index(str(out), preset="vcf", force=True, keep_original=True)
    return out
