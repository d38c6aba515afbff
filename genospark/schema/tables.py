"""Every table of a warehouse. Coordinates are 0-based and half-open; names follow Glow wherever Glow has one."""

from __future__ import annotations

from genospark.schema.dictionary import Column, Table

RUN_ID = Column("runId", "string", "run that wrote the row: hash of inputs, configuration and code version")
MODEL_VERSION = Column("modelVersion", "string", "bundle that made the row")
SAMPLE_ID = Column("sampleId", "string", "person, as named in the input files")

LOCUS = (
    Column("contigName", "string", "contig, as written in the VCF"),
    Column("start", "bigint", "first base of the reference allele, 0-based"),
    Column("end", "bigint", "end of the reference allele, exclusive (start + its length, or INFO END where present)"),
    Column("referenceAllele", "string", "reference allele (REF)"),
    Column("alternateAlleles", "array<string>", "the one alternate allele (ALT) of the split record"),
)

VARIANTS = Table(
    "variants",
    "one row per biallelic variant (multi-allelic records are split as `bcftools norm -m-` does)",
    ("contigName", "start", "referenceAllele", "alternateAlleles"),
    (
        *LOCUS,
        Column("names", "array<string>", "identifiers (ID); empty where the VCF has a dot"),
        Column("qual", "double", "Phred-scaled quality (QUAL)", nullable=True),
        Column("filters", "array<string>", "FILTER entries; empty where the VCF has a dot"),
        Column("splitFromMultiAllelic", "boolean", "true where the record had more than one alternate allele"),
        Column("nCalled", "int", "people with a call"),
        Column("callRate", "double", "share of people with a call, 0 to 1; null without people", nullable=True),
        Column("alleleCount", "int", "copies of the alternate allele among the calls (AC)"),
        Column("nAllelesCalled", "int", "called alleles (AN)"),
        Column("alleleFrequency", "double", "alleleCount / nAllelesCalled (AF); null without calls", nullable=True),
        Column("nHet", "int", "diploid people with one copy of the alternate allele"),
        Column("nHomAlt", "int", "diploid people with two copies of the alternate allele"),
        Column("pValueHwe", "double", "exact Hardy-Weinberg p-value over diploid calls (Wigginton et al. 2005)", nullable=True),
        RUN_ID,
    ),
    partitions=("contigName",),
)

GENOTYPES = Table(
    "genotypes",
    "one row per variant and block of 16,384 samples",
    ("contigName", "start", "referenceAllele", "alternateAlleles", "sampleBlock"),
    (
        *LOCUS,
        Column("sampleBlock", "int", "samples with sampleIndex in [16384 * sampleBlock, 16384 * (sampleBlock + 1))"),
        Column(
            "calls",
            "binary",
            "2 bits a sample, lowest bits first: copies of the alternate allele 0, 1, 2, or 3 for missing; padded with 3",
        ),
        RUN_ID,
    ),
    partitions=("contigName",),
)

SAMPLES = Table(
    "samples",
    "one row per person with genotypes",
    ("sampleId",),
    (
        SAMPLE_ID,
        Column("sampleIndex", "int", "position of the person in `genotypes.calls`, counted over all blocks from 0"),
        RUN_ID,
    ),
)

EXPRESSION = Table(
    "expression",
    "one row per person, gene, cell type and state that was measured",
    ("sampleId", "geneId", "cellType", "state"),
    (
        SAMPLE_ID,
        Column("geneId", "string", "gene, as named in the input file"),
        Column("cellType", "string", "cell type"),
        Column("state", "string", "cell state"),
        Column("expressionValue", "double", "raw value in the unit of `expressionUnit`"),
        Column("expressionUnit", "string", "TPM, RPKM, counts ..."),
        RUN_ID,
    ),
)

PHENOTYPES = Table(
    "phenotypes",
    "one row per person and disease with a known label",
    ("sampleId", "disease"),
    (
        SAMPLE_ID,
        Column("disease", "string", "disease (or other binary target)"),
        Column("label", "tinyint", "1 case, 0 control; people whose label is not known have no row"),
        RUN_ID,
    ),
)

COVARIATES = Table(
    "covariates",
    "one row per person and covariate with a known value",
    ("sampleId", "covariate"),
    (
        SAMPLE_ID,
        Column("covariate", "string", "covariate, such as ageYears"),
        Column("covariateValue", "double", "value; people whose value is not known have no row"),
        RUN_ID,
    ),
)

PEDIGREE = Table(
    "pedigree",
    "one row per person of the pedigree file",
    ("sampleId",),
    (
        SAMPLE_ID,
        Column("familyId", "string", "family: its members never stand on two sides of a split"),
        Column("fatherId", "string", "father, where known", nullable=True),
        Column("motherId", "string", "mother, where known", nullable=True),
        Column("sex", "tinyint", "1 male, 2 female", nullable=True),
        RUN_ID,
    ),
)

FEATURES = Table(
    "features",
    "one row per feature of the fused vector, fitted on training people only",
    ("kind", "featureIndex"),
    (
        Column("kind", "string", "variant, expression or covariate"),
        Column("featureIndex", "int", "position within its kind"),
        Column("contigName", "string", "contig of a variant", nullable=True),
        Column("start", "bigint", "start of a variant, 0-based", nullable=True),
        Column("referenceAllele", "string", "reference allele of a variant", nullable=True),
        Column("alternateAllele", "string", "alternate allele of a variant: the one counted", nullable=True),
        Column("geneId", "string", "gene of an expression feature", nullable=True),
        Column("cellType", "string", "cell type of an expression feature", nullable=True),
        Column("state", "string", "state of an expression feature", nullable=True),
        Column("covariate", "string", "name of a covariate", nullable=True),
        Column("transform", "string", "what the raw value goes through before it is standardised: log1p or none"),
        Column("mean", "double", "training mean: copies of the alternate allele, log1p expression, or covariate value"),
        Column("standardDeviation", "double", "training standard deviation in the same unit"),
        Column("pValue", "double", "smallest association p-value over the diseases, on training people", nullable=True),
        RUN_ID,
    ),
)

TARGETS = Table(
    "targets",
    "one row per disease of the model",
    ("targetIndex",),
    (
        Column("targetIndex", "int", "position in `examples.labels`"),
        Column("disease", "string", "disease"),
        Column("trainingPrevalence", "double", "share of cases among the training people with a label"),
        RUN_ID,
    ),
)

EXAMPLES = Table(
    "examples",
    "one row per person with at least one label: the fused vector, made for training",
    ("sampleId",),
    (
        SAMPLE_ID,
        Column("familyId", "string", "everyone linked by a family's name or a parent; named by its first member"),
        Column("split", "string", "train, validation or test; families are kept together"),
        Column("calls", "binary", "variant features, 2 bits each as in `genotypes.calls`"),
        Column(
            "measurements",
            "binary",
            "expression then covariate features, standardised, float32 little-endian; NaN where not known",
        ),
        Column("labels", "binary", "one float32 a disease in the order of `targets`; NaN where not known"),
        RUN_ID,
    ),
    partitions=("split",),
)

RISK_SCORES = Table(
    "riskScores",
    "one row per person and disease, of the last scoring run (earlier ones stay in the table's Delta history)",
    ("sampleId", "disease"),
    (
        SAMPLE_ID,
        Column("disease", "string", "disease"),
        Column("riskProbability", "double", "calibrated probability of the shipped default model"),
        Column("networkProbability", "double", "probability by the network alone, not calibrated"),
        Column("logisticProbability", "double", "probability by the L1 logistic regression alone, not calibrated"),
        Column("variantCoverage", "double", "share of the model's variants that the scored tables have"),
        Column("expressionCoverage", "double", "share of the model's expression features measured for this person"),
        MODEL_VERSION,
        RUN_ID,
    ),
)

METRICS = Table(
    "metrics",
    "one row per disease, model and split of a training run",
    ("modelVersion", "disease", "model", "split"),
    (
        Column("disease", "string", "disease"),
        Column("model", "string", "network, logistic or default"),
        Column("split", "string", "validation or test"),
        Column("auc", "double", "area under the ROC curve; null where the split lacks cases or controls", nullable=True),
        Column("aucLow", "double", "lower end of the 95% interval (bootstrap over families)", nullable=True),
        Column("aucHigh", "double", "upper end of the 95% interval", nullable=True),
        Column("nCases", "int", "cases with a known label"),
        Column("nControls", "int", "controls with a known label"),
        MODEL_VERSION,
        RUN_ID,
    ),
)

RUNS = Table(
    "runs",
    "one row per completed run of a stage: the commit of its tables",
    ("runId", "finishedAt"),
    (
        RUN_ID,
        Column("stage", "string", "stage"),
        Column("configuration", "string", "resolved configuration, JSON"),
        Column(
            "inputs",
            "array<struct<path: string, sizeBytes: bigint, sha256: string>>",
            "input files, or the tables and versions read",
        ),
        Column(
            "outputs",
            "array<struct<table: string, version: bigint, rows: bigint>>",
            "Delta version and rows of each table written",
        ),
        Column("notes", "string", "counts and warnings, JSON"),
        Column("referenceBuild", "string", "genome build, as configured", nullable=True),
        Column("codeVersion", "string", "version of this package"),
        Column("startedAt", "timestamp", "start, UTC"),
        Column("finishedAt", "timestamp", "end, UTC"),
    ),
)

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        VARIANTS, GENOTYPES, SAMPLES, EXPRESSION, PHENOTYPES, COVARIATES, PEDIGREE, FEATURES, TARGETS, EXAMPLES,
        RISK_SCORES, METRICS, RUNS,
    )
}  # fmt: skip


def table(name: str) -> Table:
    """The table of that name.

    Raises:
        KeyError: No such table; a mistake of ours, not of the user's.
    """
    return TABLES[name]
