"""``genospark call``: from aligned reads to a VCF in one command, with the caller that comes with the package."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import Any

from genospark.core.config import Settings
from genospark.core.paths import absolute, is_url
from genospark.core.progress import log
from genospark.core.pseudonyms import new_key
from genospark.core.session import session
from genospark.errors import ConfigError
from genospark.pipeline import PipelineConfig, run_stages

SHIPPED = "shipped"


class CallConfig(Settings):
    """Settings of ``call``.

    Attributes:
        reads: BAM or CRAM files, sorted and indexed, one person each; paths or globs.
        samples: Sheet of people and their files, beside ``reads`` or in their place: columns sampleId and path.
        reference: FASTA file that they were aligned to, with its index.
        out: VCF of all people, ``.vcf.gz``; people are called as in the sheet, or as in the files.
        gvcf: Folder to write a gVCF a person into; none where not given.
        regions: BED file of the regions to look at; everything where not given.
        bundle: Folder of a bundle; the one that comes with the package by default.
        warehouse: Folder of the tables, which are kept there; where not given, they are thrown away once the VCF is written.
    """

    reads: list[str] = []
    samples: str | None = None
    reference: str
    out: str = "calls.vcf.gz"
    gvcf: str | None = None
    regions: str | None = None
    bundle: str = SHIPPED
    warehouse: str | None = None


def call(config: CallConfig) -> None:
    """Piles up the reads, calls variants, and writes them.

    Raises:
        GenosparkError: An input was refused; nothing is written then.
    """
    reads = [*config.reads, *([f"samples={config.samples}"] if config.samples else [])]
    if not reads:
        raise ConfigError("no reads are given", "name their files with --reads, or a sheet of them with --samples")
    out = absolute(config.out)
    if not out.name.endswith(".vcf.gz"):
        raise ConfigError(f"{config.out}: not the name of a bgzipped VCF", "give --out a name that ends with .vcf.gz")
    with ExitStack() as stack:
        ingest: dict[str, Any] = {"inputs": reads, "reference": config.reference, "regions": config.regions, "named_by_file": True}
        warehouse = config.warehouse
        if warehouse is None:
            if not is_url(str(out)):
                out.parent.mkdir(parents=True, exist_ok=True)
            # Tables are large: they lie where there is room for what is asked for.
            folder = None if is_url(str(out)) else out.parent
            scratch = absolute(stack.enter_context(tempfile.TemporaryDirectory(prefix=".genospark-call-", dir=folder)))
            warehouse, key = str(scratch / "warehouse"), scratch / "key"
            new_key(key)
            ingest["key_file"] = str(key)
        score = {"bundle": config.bundle, "vcf": str(out), "gvcf": config.gvcf, "crosswalk": f"{warehouse}-crosswalk"}
        spark = session("genospark call", warehouse, str(out))
        run_stages(spark, PipelineConfig(warehouse=warehouse, stages={"ingest-reads": ingest, "score variants": score}))
        if config.warehouse is None:
            log.info("call: the tables are thrown away now (--warehouse FOLDER keeps them, with the quality of reads and what was refused)")
        log.info("call: %s is written; look at it with: bcftools view %s", out, out)
