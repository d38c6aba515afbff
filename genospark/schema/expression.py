"""Tables of the task expression."""

from __future__ import annotations

from genospark.schema.dictionary import MODEL_VERSION, RUN_ID, SAMPLE_ID, Column, Table

FEATURES = Table(
    "expressionFeatures",
    "one row per panel gene or target in each cell type and state, and one per variant; fitted on training people only",
    ("kind", "featureIndex", "cellType", "state"),
    (
        Column("kind", "string", "panel (a gene that is given), target (a gene that is predicted) or variant"),
        Column("featureIndex", "int", "position within its kind"),
        Column("geneId", "string", "gene of a panel or target row", nullable=True),
        Column("cellType", "string", "cell type of a panel or target row", nullable=True),
        Column("cellTypeIndex", "int", "position of the cell type", nullable=True),
        Column("state", "string", "state of a panel or target row", nullable=True),
        Column("stateIndex", "int", "position of the state: the order of the recurrence", nullable=True),
        Column("contigName", "string", "contig of a variant", nullable=True),
        Column("start", "bigint", "start of a variant, 0-based", nullable=True),
        Column("referenceAllele", "string", "reference allele of a variant", nullable=True),
        Column("alternateAllele", "string", "alternate allele of a variant: the one counted", nullable=True),
        Column("targetIndices", "array<int>", "targets that a cis variant speaks to; null where it speaks to all", nullable=True),
        Column("transform", "string", "what the raw value goes through before it is standardised: log1p or none"),
        Column("unit", "string", "unit of the raw value of a gene", nullable=True),
        Column("mean", "double", "training mean after the transform; null where no training person was measured", nullable=True),
        Column("standardDeviation", "double", "training standard deviation after the transform", nullable=True),
        Column("pValue", "double", "smallest p-value over contexts of a cis variant alone, on training people", nullable=True),
        RUN_ID,
    ),
    stage="build-features expression",
)

EXAMPLES = Table(
    "expressionExamples",
    "one row per person and cell type in which a target was measured",
    ("sampleId", "cellType"),
    (
        SAMPLE_ID,
        Column("cellType", "string", "cell type"),
        Column("familyId", "string", "everyone linked by a family's name or a parent; named by its first member"),
        Column("split", "string", "train, validation or test; families are kept together"),
        Column("cellTypeIndex", "binary", "position of the cell type, one int32 little-endian"),
        Column("panel", "binary", "float32 little-endian [states, panel], standardised; NaN where not measured"),
        Column("calls", "binary", "variants, 2 bits each as in `genotypes.calls`"),
        Column("targets", "binary", "float32 little-endian [states, targets], standardised; NaN where not measured"),
        RUN_ID,
    ),
    partitions=("split",),
    stage="build-features expression",
)

PREDICTIONS = Table(
    "expressionPredictions",
    "one row per person, target gene, cell type and state, of the last scoring run",
    ("sampleId", "geneId", "cellType", "state"),
    (
        SAMPLE_ID,
        Column("geneId", "string", "gene that is predicted"),
        Column("cellType", "string", "cell type"),
        Column("state", "string", "state"),
        Column(
            "predictedExpression",
            "double",
            "of the shipped default, in the unit of the training expression: the prediction with the transform undone, which for log1p is "
            "near the median of people like this one, below their mean; not below 0",
        ),
        Column("predictedTransformed", "double", "the same before the transform is undone"),
        Column("networkTransformed", "double", "transformed expression by the network alone"),
        Column("baselineTransformed", "double", "transformed expression by the linear model alone"),
        Column("panelCoverage", "double", "share of the panel measured for this person in this cell type; with 0, variants alone predict"),
        Column("variantCoverage", "double", "share of the model's variants that the scored tables have; 1 where it has none"),
        MODEL_VERSION,
        RUN_ID,
    ),
    stage="score expression",
)
