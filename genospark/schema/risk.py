"""Tables of the task disease risk."""

from __future__ import annotations

from genospark.schema.dictionary import MODEL_VERSION, RUN_ID, SAMPLE_ID, Column, Table

FEATURES = Table(
    "riskFeatures",
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
        Column(
            "transform",
            "string",
            "steps from the raw value to the one that is standardised, joined by +: see expression_transform",
        ),
        Column("mean", "double", "training mean: copies of the alternate allele, transformed expression, or covariate value"),
        Column("standardDeviation", "double", "training standard deviation in the same unit"),
        Column("pValue", "double", "smallest association p-value over the diseases, on training people", nullable=True),
        Column("neighbours", "array<int>", "expression features that fill one that was not measured, the nearest first", nullable=True),
        Column("distances", "array<double>", "root mean square difference from each of these, on training people", nullable=True),
        RUN_ID,
    ),
    stage="build-features risk",
)

RIDGE = Table(
    "riskRidge",
    "one row per variant of the ridge scores, fitted on training people only; none without such features",
    ("contigName", "start", "referenceAllele", "alternateAllele"),
    (
        Column("contigName", "string", "contig"),
        Column("start", "bigint", "start, 0-based"),
        Column("referenceAllele", "string", "reference allele"),
        Column("alternateAllele", "string", "alternate allele: the one counted"),
        Column("mean", "double", "training mean of its copies"),
        Column(
            "weights",
            "array<double>",
            "of each copy, by score: in the order of the covariates of `riskFeatures` called `ridge: ...`",
        ),
        RUN_ID,
    ),
    stage="build-features risk",
)

TARGETS = Table(
    "riskTargets",
    "one row per target of the model",
    ("targetIndex",),
    (
        Column("targetIndex", "int", "position in `riskExamples.labels`"),
        Column("disease", "string", "disease, or another target: trait or population"),
        Column("kind", "string", "binary, multiclass or continuous"),
        Column("classes", "array<string>", "classes of a multi-class target, in the order of its labels; else empty"),
        Column("trainingPrevalence", "double", "share of cases among the training people with a label; binary targets", nullable=True),
        Column("mean", "double", "training mean of a continuous target", nullable=True),
        Column("standardDeviation", "double", "training standard deviation of a continuous target", nullable=True),
        Column("populationPrevalence", "double", "share of cases in the population, where the configuration says it", nullable=True),
        RUN_ID,
    ),
    version=2,
    since=2,
    stage="build-features risk",
)

EXAMPLES = Table(
    "riskExamples",
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
        Column(
            "labels",
            "binary",
            "one float32 a target in the order of `riskTargets`: 0 or 1, the class's place, or the standardised value; NaN where not known",
        ),
        Column("weights", "binary", "one float32 a target: how much the label counts"),
        Column("draw", "binary", "one byte: the family's draw, 0 to 239, by which members of the network leave families out"),
        RUN_ID,
    ),
    version=2,
    since=2,
    partitions=("split",),
    stage="build-features risk",
)

RISK_SCORES = Table(
    "riskScores",
    "one row per person, target and class, of the last scoring run (earlier ones stay in the table's Delta history)",
    ("sampleId", "disease", "class"),
    (
        SAMPLE_ID,
        Column("disease", "string", "disease, or another target: trait or population"),
        Column("class", "string", "class of a multi-class target; `case` for a disease, `value` for a continuous target"),
        Column("riskProbability", "double", "calibrated probability of the shipped default model; null for continuous", nullable=True),
        Column("predictedValue", "double", "value of a continuous target by the shipped default model, in its own unit", nullable=True),
        Column("valueLow", "double", "lower end of the 95% interval of either, by leaving families out of the training", nullable=True),
        Column("valueHigh", "double", "upper end of this interval; it says how certain the model is, not what will be", nullable=True),
        Column(
            "percentile",
            "double",
            "percent of the validation people below this person, adjusted for ancestry components; null for multi-class",
            nullable=True,
        ),
        Column("networkProbability", "double", "probability by the network alone, not calibrated; null for continuous", nullable=True),
        Column("logisticProbability", "double", "probability by the penalised regression alone, not calibrated", nullable=True),
        Column("used", "string", "what is known of the person of what the model takes: genotypes, expression, covariates, joined by +"),
        Column("variantCoverage", "double", "share of the model's variants that the scored tables have"),
        Column("expressionCoverage", "double", "share of the model's expression features measured for this person"),
        Column(
            "predictedExpressionShare",
            "double",
            "share of them taken from `expressionPredictions`, for people of whom none was measured; else 0",
        ),
        MODEL_VERSION,
        RUN_ID,
    ),
    version=2,
    since=2,
    stage="score risk",
)
