"""Tables of published polygenic scores."""

from __future__ import annotations

from genospark.schema.dictionary import RUN_ID, SAMPLE_ID, Column, Table

_PGS_ID = Column("pgsId", "string", "polygenic score, as its file calls it, such as PGS000001")

PGS_CATALOG = Table(
    "pgsCatalog",
    "one row per polygenic score that was ingested",
    ("pgsId",),
    (
        _PGS_ID,
        Column("pgsName", "string", "its name", nullable=True),
        Column("trait", "string", "what it predicts", nullable=True),
        Column("genomeBuild", "string", "build of its positions, GRCh37 or GRCh38", nullable=True),
        Column("weightType", "string", "what the file has: beta, OR ..., before ratios become logarithms", nullable=True),
        Column("nWeights", "bigint", "rows of `pgsWeights`"),
        RUN_ID,
    ),
    stage="ingest-pgs",
    parts="score",
)

PGS_WEIGHTS = Table(
    "pgsWeights",
    "one row per weight of a polygenic score",
    ("pgsId", "line"),
    (
        _PGS_ID,
        Column("line", "bigint", "line of the scoring file, from 1"),
        Column("contigName", "string", "contig, as the file names it; null where it gives no place", nullable=True),
        Column("start", "bigint", "position, 0-based; null where the file gives no place", nullable=True),
        Column("effectAllele", "string", "allele whose copies are weighed"),
        Column("otherAllele", "string", "the other one", nullable=True),
        Column("weight", "double", "of each copy; logarithms of odds and hazard ratios"),
        RUN_ID,
    ),
    stage="ingest-pgs",
    parts="score",
)

PGS_SCORES = Table(
    "pgsScores",
    "one row per person and polygenic score, of the last scoring run",
    ("sampleId", "pgsId"),
    (
        SAMPLE_ID,
        _PGS_ID,
        Column("scoreSum", "double", "sum of weights times copies of the effect allele, as plink2's SCORE1_SUM"),
        Column(
            "scoreAverage",
            "double",
            "the same over the alleles that it is of, as plink2's SCORE1_AVG; null where there are none",
            nullable=True,
        ),
        Column("nVariants", "bigint", "variants that were scored"),
        Column("nCalled", "bigint", "of these, variants at which the person has a call"),
        Column("matchRate", "double", "share of the score's weights whose variant was scored"),
        RUN_ID,
    ),
    stage="score pgs",
)
