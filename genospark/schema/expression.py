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
        Column(
            "transform",
            "string",
            "steps from the raw value to the one that is standardised, joined by +: see expression_transform",
        ),
        Column("unit", "string", "unit of the raw value of a gene", nullable=True),
        Column("mean", "double", "training mean after the transform; null where no training person was measured", nullable=True),
        Column("standardDeviation", "double", "training standard deviation after the transform", nullable=True),
        Column("pValue", "double", "smallest p-value over contexts of a cis variant alone, on training people", nullable=True),
        Column("neighbours", "array<int>", "places (state by state) of the panel that fill one not measured, nearest first", nullable=True),
        Column("distances", "array<double>", "root mean square difference from each of these, on training people", nullable=True),
        RUN_ID,
    ),
    stage="build-features expression",
)

NORMALISATION = Table(
    "expressionNormalisation",
    "one row per gene, cell type and state that a task normalises by what it fitted on training people; none for log1p, log and none",
    ("task", "cellType", "state", "geneIndex"),
    (
        Column("task", "string", "task whose features are normalised: risk or expression"),
        Column("cellType", "string", "cell type"),
        Column("state", "string", "state"),
        Column("geneIndex", "int", "position of the gene"),
        Column("geneId", "string", "gene"),
        Column("transform", "string", "steps, joined by +"),
        Column("wholeSample", "boolean", "whether a gene's value depends on the sample's others, of which half need to be measured"),
        Column("logScale", "double", "cpm: mean of the training samples' log TMM factors"),
        Column("meanLibrary", "double", "cpm: mean of the training samples' counts times their TMM factors"),
        Column("referenceCount", "double", "cpm: count of the gene in the reference sample", nullable=True),
        Column("quantile", "double", "quantile: mean of the training samples' values of rank geneIndex, from the lowest", nullable=True),
        Column("knotValues", "array<double>", "inverse-normal: training values of the gene before the step, ascending", nullable=True),
        Column("knotProbabilities", "array<double>", "inverse-normal: their places in the normal distribution, by Blom", nullable=True),
        Column("mean", "double", "hidden factors: training mean after all steps; null where the gene is not kept", nullable=True),
        Column("standardDeviation", "double", "hidden factors: training standard deviation after all steps", nullable=True),
        Column("loadings", "array<double>", "hidden factors: the gene's part of each; null where the gene is not kept", nullable=True),
        RUN_ID,
    ),
    parts="task",
    stage="build-features",
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
            "near the median of people like this one, below their mean; not below 0. Of cpm in counts per million; of quantile and "
            "inverse-normal, and where hidden factors are removed, the same as predictedTransformed",
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
