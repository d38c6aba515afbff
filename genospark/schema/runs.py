"""Tables of runs: what they were, what they left out, and how good their models are."""

from __future__ import annotations

from genospark.schema.dictionary import MODEL_VERSION, RUN_ID, Column, Table

METRICS = Table(
    "metrics",
    "one row per task, target, metric, model and split, of the task's last training run",
    ("task", "target", "metric", "model", "split"),
    (
        Column("task", "string", "risk, expression, variants ..."),
        Column("target", "string", "what is predicted: a disease, a cell type and state, SNV ..."),
        Column("metric", "string", "AUC, R2, F1 ..."),
        Column("model", "string", "network, baseline, or default (what scoring ships)"),
        Column("method", "string", "what the model is, in words"),
        Column("split", "string", "validation or test"),
        Column("value", "double", "value of the metric; null where it is not defined, such as an AUC without cases", nullable=True),
        Column("valueLow", "double", "lower end of its 95% interval", nullable=True),
        Column("valueHigh", "double", "upper end of its 95% interval", nullable=True),
        Column("n", "bigint", "examples with a known label"),
        Column("nPositive", "bigint", "positive ones among them, where labels are binary", nullable=True),
        MODEL_VERSION,
        RUN_ID,
    ),
    stage="train",
    parts="task",
)

TRIALS = Table(
    "trials",
    "one row per trial of the last tuning of a task",
    ("task", "trial"),
    (
        Column("task", "string", "risk ..."),
        Column("trial", "int", "number of the trial, in the order in which they were begun"),
        Column("state", "string", "complete; pruned: ended early, as others had lower losses by then; or failed"),
        Column("settings", "string", "what was tried, JSON: settings of `train` by their place, such as network.dropout"),
        Column("validationLoss", "double", "least loss on validation examples; null where it failed", nullable=True),
        Column("bestEpoch", "int", "pass after which that was", nullable=True),
        Column("epochs", "int", "passes over the training examples", nullable=True),
        Column("seconds", "double", "time that it took", nullable=True),
        Column("isBest", "boolean", "the complete trial of the least loss, which `train` takes where it is set `tuned`"),
        RUN_ID,
    ),
    stage="tune",
    parts="task",
)

EVALUATIONS = Table(
    "evaluations",
    "one row per task, target, metric, model and fold of the last nested cross-validation of a task; null for all folds together",
    ("task", "target", "metric", "model", "fold"),
    (
        Column("task", "string", "risk ..."),
        Column("target", "string", "what is predicted, as in `metrics`"),
        Column("metric", "string", "as in `metrics`; AUC difference ...: to the best of the baselines, of the same people"),
        Column("model", "string", "as in `metrics`"),
        Column("method", "string", "what the model is, in words; of a difference, the baseline too"),
        Column("fold", "string", "fold whose people were tested, by models that others made; null: all of them", nullable=True),
        Column("value", "double", "value of the metric; null where it is not defined", nullable=True),
        Column("valueLow", "double", "lower end of its 95% interval, by bootstrap over families", nullable=True),
        Column("valueHigh", "double", "upper end of its 95% interval", nullable=True),
        Column("n", "bigint", "people with a known label"),
        Column("nPositive", "bigint", "cases among them, where labels are binary", nullable=True),
        RUN_ID,
    ),
    stage="evaluate",
    parts="task",
)

QUARANTINE = Table(
    "quarantine",
    "one row per record of an input file that the last run of an ingest stage in the mode `quarantine` left out",
    ("stage", "path", "line"),
    (
        Column("stage", "string", "stage"),
        Column("path", "string", "file"),
        Column("line", "bigint", "line of the file, from 1"),
        Column("columnName", "string", "column that is wrong: its name, or its number if it is a person's; empty for the whole line"),
        Column("reason", "string", "what is wrong"),
        Column(
            "content",
            "string",
            "of a VCF the columns CHROM to FORMAT, of other files the text that is wrong; at most 200 characters, nobody's other values",
        ),
        RUN_ID,
    ),
    stage="ingest-... --mode quarantine",
    parts="stage",
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
