"""Stage ``build-features function``: expression and terms of genes to ``functionFeatures``, ``functionTerms`` and ``functionExamples``.

The embedding is made without labels and of all genes: principal components of their expression know nothing of terms. What is fitted on
labels (which terms there are) sees training genes only.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import SparkSession

from genospark.core.config import Fractions, StageConfig
from genospark.core.paths import absolute
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import InputError, TableError
from genospark.features.components import gene_components, places_of
from genospark.features.gene_vectors import gene_vectors, last_bundle
from genospark.features.hierarchy import ancestors_by_file, ancestors_by_name
from genospark.features.profiles import Floats, profiles
from genospark.features.split import SPLITS, dealt
from genospark.models.bundle import Bundle

UNLABELLED = "unlabelled"


class BuildFunctionFeaturesConfig(StageConfig):
    """Settings of ``build-features function``.

    Attributes:
        embedding: coexpression, or both to add the gene vectors of the expression network that was trained here last.
        components: Principal components of each source.
        observations: People in a cell type and state that the components are made of, at most.
        expression_transform: log1p for TPM, RPKM and counts; none for values that are already normalised.
        separators: Characters at which a term's name is cut to find wider terms: with ``/``, ``a/b`` lies under ``a``; none where empty.
        parents: Table of termId and parentId that says which terms lie under which, instead of their names.
        min_genes: Terms of fewer training genes are left out.
        fractions: Shares of train, validation and test genes.
        seed: Of the split.
        splits: Table of geneId and split (train, validation, test) that says where genes stand, instead of a hash.
        row_groups: Files of each split of ``functionExamples``; at least 4 a rank.
    """

    embedding: Literal["coexpression", "both"] = "coexpression"
    components: int = Field(32, ge=1)
    observations: int = Field(10_000, ge=2)
    expression_transform: Literal["log1p", "none"] = "log1p"
    separators: str = "./"
    parents: str | None = None
    min_genes: int = Field(5, ge=0)
    fractions: Fractions = (0.7, 0.15, 0.15)
    seed: int = 1
    splits: str | None = None
    row_groups: int = Field(8, ge=1)


def build_features(config: BuildFunctionFeaturesConfig, spark: SparkSession) -> str:
    """Embeds every gene with expression, splits those with labels, and writes them as examples.

    Returns:
        The run's id.

    Raises:
        TableError: A table is missing, no genes are in common, or no term has enough training genes.
        InputError: A file of splits or parents is not as asked.
    """
    warehouse = Warehouse(spark, config.warehouse)
    files = {role: [absolute(path)] for role, path in (("splits", config.splits), ("parents", config.parents)) if path}
    bundle = last_bundle(warehouse) if config.embedding == "both" else None
    facts = {"bundle": bundle.version} if bundle else {}
    return run_stage(
        "build-features function",
        config,
        warehouse,
        lambda run: _build(run, config, bundle),
        files=files,
        tables=["expression", "geneTerms"],
        facts=facts,
    )


def _build(run: Run, config: BuildFunctionFeaturesConfig, bundle: Bundle | None) -> None:
    spark = run.warehouse.spark
    with step("build-features function: co-expression"):
        genes, embedding, sources = _embedding(run.warehouse, config, bundle)
    terms, labels = _labels(run.warehouse, genes, config)
    sides = _sides(genes[~np.isnan(labels[:, 0])], config).reindex(genes).fillna(UNLABELLED).to_numpy(str)
    training = sides == "train"
    counts = np.nansum(labels[training], axis=0).astype(int)
    kept = counts >= config.min_genes
    run.note(**{f"{side} genes": int((sides == side).sum()) for side in (*SPLITS, UNLABELLED)})
    run.note(terms=int(kept.sum()), **{f"terms left out with fewer than {config.min_genes} training genes": int((~kept).sum())})
    if not terms or not training.any() or not kept.any():
        raise TableError(
            f"{run.warehouse.path}: none of {len(terms)} terms has {config.min_genes} genes among {training.sum()} training genes",
            "annotate more genes, check that terms and expression name genes the same way, or lower min_genes",
        )
    run.write("functionFeatures", spark.createDataFrame(sources, "featureIndex int, source string, component int, varianceShare double"))
    names = [name for name, keep in zip(terms, kept, strict=True) if keep]
    rows = [
        (index, name, sorted(terms[name] & set(names)), int(n), float(n / training.sum()))
        for index, (name, n) in enumerate(zip(names, counts[kept], strict=True))
    ]
    schema = "termIndex int, termId string, ancestors array<string>, trainingGenes bigint, trainingPrevalence double"
    run.write("functionTerms", spark.createDataFrame(rows, schema))
    table = pd.DataFrame({"geneId": genes, "split": sides})
    # Each split spread evenly over the order, so that every file gets its share of each.
    table["place"] = (table.groupby("split").cumcount() + 0.5) / table.groupby("split")["geneId"].transform("size")
    order = table.sort_values(["place", "geneId"]).index.to_numpy()
    examples = [
        (genes[index], str(sides[index]), embedding[index].astype("<f4").tobytes(), labels[index, kept].astype("<f4").tobytes())
        for index in order
    ]
    spread = spark.sparkContext.parallelize(examples, min(config.row_groups, len(examples)))
    run.write("functionExamples", spark.createDataFrame(spread, "geneId string, split string, embedding binary, labels binary"))


def _embedding(
    warehouse: Warehouse, config: BuildFunctionFeaturesConfig, bundle: Bundle | None
) -> tuple[NDArray[np.object_], Floats, list[tuple[int, str, int, float]]]:
    found = profiles(warehouse, config.expression_transform, config.observations, config.seed)
    found.blocks.persist()
    try:
        parts = [("coexpression", *gene_components(found, config.components, config.seed))]
    finally:
        found.blocks.unpersist()
    if bundle:
        parts.append(("network", *places_of(gene_vectors(bundle, found.genes), config.components)))
    rows = [(source, place, float(share)) for source, _, shares in parts for place, share in enumerate(shares)]
    embedding = np.concatenate([places for _, places, _ in parts], axis=1)
    return np.array(found.genes, object), embedding, [(index, *row) for index, row in enumerate(rows)]


def _labels(warehouse: Warehouse, genes: NDArray[np.object_], config: BuildFunctionFeaturesConfig) -> tuple[dict[str, set[str]], Floats]:
    """Terms with the wider ones of each, and labels [genes, terms]: 1 or 0, NaN in the rows of genes that were not looked at."""
    looked: pd.DataFrame = warehouse.read("geneTerms").select("geneId", "termId").toPandas()
    looked = looked[looked["geneId"].isin(set(genes))]
    if looked.empty:
        raise TableError(
            f"{warehouse.path}: no gene with expression was looked at for terms", "check that terms and expression name genes the same way"
        )
    own = sorted(looked["termId"].dropna().unique())
    wider = ancestors_by_file(absolute(config.parents), own) if config.parents else ancestors_by_name(own, config.separators)
    place = {term: index for index, term in enumerate(wider)}
    row = {gene: index for index, gene in enumerate(genes)}
    labels = np.full((len(genes), max(len(wider), 1)), np.nan, np.float32)
    labels[[row[gene] for gene in looked["geneId"].unique()]] = 0
    for gene, term in looked.dropna().itertuples(index=False):
        labels[row[gene], [place[name] for name in (term, *wider[term])]] = 1
    return wider, labels


def _sides(labelled: NDArray[np.object_], config: BuildFunctionFeaturesConfig) -> pd.Series[str]:
    """The side of each gene with labels."""
    if config.splits is None:
        names = pd.Series(labelled, index=labelled)
        return dealt(names, config.fractions, config.seed)
    try:
        given = pd.read_csv(config.splits, sep="\t", dtype=str)[["geneId", "split"]].dropna()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{config.splits}: not a table of geneId and split ({error})", "name the columns so, tab-separated") from None
    if not set(given["split"]) <= set(SPLITS):
        raise InputError(f"{config.splits}: a split is none of {', '.join(SPLITS)}", "write these names")
    return given.drop_duplicates("geneId").set_index("geneId")["split"].reindex(labelled)
