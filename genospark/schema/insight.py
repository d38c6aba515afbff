"""Tables of what genes do, and of who regulates whom."""

from __future__ import annotations

from genospark.schema.dictionary import MODEL_VERSION, RUN_ID, Column, Table

FUNCTION_FEATURES = Table(
    "functionFeatures",
    "one row per number of a gene's embedding",
    ("featureIndex",),
    (
        Column("featureIndex", "int", "position in `functionExamples.embedding`"),
        Column(
            "source", "string", "coexpression (principal components of all genes' profiles) or network (of an expression model's vectors)"
        ),
        Column("component", "int", "place within the source, by variance, from 0"),
        Column("varianceShare", "double", "share of the source's variance that the component carries"),
        RUN_ID,
    ),
    stage="build-features function",
)

FUNCTION_TERMS = Table(
    "functionTerms",
    "one row per term with enough training genes",
    ("termIndex",),
    (
        Column("termIndex", "int", "position in `functionExamples.labels`"),
        Column("termId", "string", "function, process or other term"),
        Column("ancestors", "array<string>", "wider terms among these: who has the term has them too"),
        Column("trainingGenes", "bigint", "training genes with the term or a narrower one"),
        Column("trainingPrevalence", "double", "their share of the training genes"),
        RUN_ID,
    ),
    stage="build-features function",
)

FUNCTION_EXAMPLES = Table(
    "functionExamples",
    "one row per gene with expression",
    ("geneId",),
    (
        Column("geneId", "string", "gene"),
        Column("split", "string", "train, validation or test; unlabelled for genes that the annotation says nothing about"),
        Column("embedding", "binary", "float32 little-endian, in the order of `functionFeatures`"),
        Column("labels", "binary", "float32 little-endian, 1 or 0 a term in the order of `functionTerms`; NaN where not known"),
        RUN_ID,
    ),
    partitions=("split",),
    stage="build-features function",
)

GENE_FUNCTIONS = Table(
    "geneFunctions",
    "one row per gene with expression and term of the model, of the last scoring run",
    ("geneId", "termId"),
    (
        Column("geneId", "string", "gene"),
        Column("termId", "string", "function, process or other term"),
        Column("probability", "double", "of the shipped default that the gene has the term; never below that of a narrower term"),
        Column("networkProbability", "double", "by the network alone"),
        Column("baselineScore", "double", "share of the gene's nearest training genes, itself left out, that have the term"),
        Column("isAnnotated", "boolean", "the annotation says so; null for genes that it says nothing about", nullable=True),
        MODEL_VERSION,
        RUN_ID,
    ),
    stage="score function",
)

REGULATORY_EDGES = Table(
    "regulatoryEdges",
    "one row per regulator and gene that it may act on, of the last run",
    ("regulatorId", "targetId"),
    (
        Column("regulatorId", "string", "gene that may act"),
        Column("targetId", "string", "gene that it may act on"),
        Column("weight", "double", "of the shipped default: both methods' reciprocal ranks among all pairs, from 0 to 1, the likeliest 1"),
        Column("networkWeight", "double", "mean absolute change of the target per standard deviation of the regulator, by the network"),
        Column("baselineWeight", "double", "share of the target's explained variance that a forest (GENIE3) owes to the regulator"),
        Column("sign", "tinyint", "1 where more of the regulator goes with more of the target, -1 where with less, by the network"),
        Column("rank", "bigint", "place by weight, from 1"),
        MODEL_VERSION,
        RUN_ID,
    ),
    stage="infer-network",
)
