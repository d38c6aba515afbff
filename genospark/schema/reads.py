"""Tables of the task variant detection: from aligned reads to calls."""

from __future__ import annotations

from genospark.schema.dictionary import MODEL_VERSION, RUN_ID, SAMPLE_ID, Column, Table

_WINDOW = (
    SAMPLE_ID,
    Column("contigName", "string", "contig, as in the BAM"),
    Column("start", "bigint", "first position of the window, 0-based; a multiple of 1,000"),
)
_PILEUP = Column("pileup", "binary", "uint8 [1000, channels]: what reads show at each position; `core/pileup.py` names the channels")

REFERENCE_CONTIGS = Table(
    "referenceContigs",
    "one row per contig of the reference that reads were aligned to",
    ("contigName",),
    (
        Column("contigName", "string", "contig"),
        Column("contigIndex", "int", "place in the reference, from 0: the order of calls in a VCF"),
        Column("lengthBp", "bigint", "length"),
        RUN_ID,
    ),
    stage="ingest-reads",
)

READ_WINDOWS = Table(
    "readWindows",
    "one row per sample and window of 1,000 positions",
    ("sampleId", "contigName", "start"),
    (
        *_WINDOW,
        _PILEUP,
        Column(
            "indels",
            "array<struct<position: bigint, rank: int, referenceAllele: string, alternateAllele: string>>",
            "left-aligned insertions and deletions that reads show: base before them (0-based), rank by support (1, 2), alleles",
        ),
        Column("regionQuality", "string", "in the first window of each region that was read at once: its counts, JSON", nullable=True),
        RUN_ID,
    ),
    partitions=("contigName",),
    version=3,
    stage="ingest-reads",
    parts="batch",
    since=3,
)

READ_QUALITY = Table(
    "readQuality",
    "one row per sample: what became of its reads in the regions asked for",
    ("sampleId",),
    (
        SAMPLE_ID,
        Column("nReads", "bigint", "alignment records that begin in the regions"),
        Column("dropped", "map<string, bigint>", "records dropped, by reason"),
        Column("nLowQualityBases", "bigint", "bases below the least base quality"),
        Column("nOverlappingBases", "bigint", "bases that the other read of the pair shows too, counted once"),
        Column("meanDepth", "double", "mean number of bases that count at a position"),
        Column("referenceShare", "double", "share of the bases that count that are the reference's; null without any", nullable=True),
        Column(
            "duplicateShare", "double", "share of the records with a place that are marked as duplicates; null without any", nullable=True
        ),
        Column("medianInsertBp", "int", "median length of the templates of proper pairs, to 10 bp; null without pairs", nullable=True),
        Column(
            "errorRate", "double", "share of other bases where the reference's are at least 80% of 8 or more; null without", nullable=True
        ),
        Column(
            "contamination",
            "double",
            "estimated share of somebody else's reads, by reference bases at homozygous alternate sites; null below 20 of these",
            nullable=True,
        ),
        Column(
            "errorProfile",
            "binary",
            "float32: how often its reads err where no variant shows, by kind of error; `core/profile.py` names them",
            nullable=True,
        ),
        Column(
            "reportedQuality",
            "double",
            "Phred of the mean chance of an error that base qualities state; null unless recalibrated",
            nullable=True,
        ),
        Column(
            "empiricalQuality",
            "double",
            "the same as mismatches show it, by which bases were recalibrated; null unless recalibrated",
            nullable=True,
        ),
        RUN_ID,
    ),
    version=5,
    stage="ingest-reads",
    parts="batch",
)

VARIANT_EXAMPLES = Table(
    "variantExamples",
    "one row per sample and window of 1,000 positions with known genotypes; for training, per as many sites as have room in one",
    ("sampleId", "contigName", "start"),
    (
        SAMPLE_ID,
        Column("contigName", "string", "contig, as in the BAM"),
        Column("start", "bigint", "first position of the window, or of the first of its sites, 0-based"),
        Column("split", "string", "train, validation or test; neither a family nor a locus stands on two sides"),
        Column("pileup", "binary", "uint8 [1000, model channels]: the window's, and how often the sample's reads err (`core/pileup.py`)"),
        Column("snv", "binary", "int8 [1000]: genotype of the best-supported bases: 0 0/0, 1 0/1, 2 1/1, 3 1/2, -1 not learnt from"),
        Column("indel", "binary", "int8 [1000]: the same of the indels that begin after a position"),
        Column("nMissedSnv", "int", "true SNV genotypes that the reads' two best-supported bases cannot tell"),
        Column("nMissedIndel", "int", "true indel genotypes that the reads' two best-supported indels cannot tell"),
        Column("contextBp", "int", "positions on either side of each site, which lie side by side; null for a whole window", nullable=True),
        RUN_ID,
    ),
    partitions=("split",),
    version=4,
    stage="build-features variants",
    since=4,
)

VARIANT_CALLS = Table(
    "variantCalls",
    "one row per sample and non-reference call, or stretch of positions without a call; all else in `readWindows` is homozygous reference",
    ("sampleId", "contigName", "start", "referenceAllele", "alternateAlleles"),
    (
        SAMPLE_ID,
        Column("contigName", "string", "contig, as in the BAM"),
        Column("start", "bigint", "first base of the reference allele, or of the stretch, 0-based"),
        Column("end", "bigint", "end of the reference allele or of the stretch, exclusive"),
        Column("referenceAllele", "string", "reference allele; empty for a stretch without a call"),
        Column("alternateAlleles", "array<string>", "the one alternate allele, left-aligned; empty for a stretch without a call"),
        Column("calls", "array<int>", "allele numbers: [0,1], [1,1], or [-1,-1] for no call; of two alternate alleles each has a row"),
        Column("conditionalQuality", "int", "Phred-scaled chance of a wrong call (GQ), at most 99; null without one", nullable=True),
        Column("depth", "int", "bases (for indels: reads across) that count there; null without a call", nullable=True),
        Column("alleleDepths", "array<int>", "reads that show the reference and the alternate allele; null without a call", nullable=True),
        Column(
            "phredLikelihoods",
            "array<int>",
            "Phred-scaled likelihoods of 0, 1 and 2 copies, the best one 0, at most 255; null without a call and for two alternates",
            nullable=True,
        ),
        MODEL_VERSION,
        RUN_ID,
    ),
    partitions=("contigName",),
    version=2,
    stage="score variants",
)
