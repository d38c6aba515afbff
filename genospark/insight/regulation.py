"""Stage ``infer-network``: expression to ``regulatoryEdges``, by attributions of a network and by GENIE3 side by side.

Both see expression less the mean of its cell type and state, so that these explain no edge. A factor that genes share without regulating
each other is not taken out: it can look like regulation.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType
from scipy.stats import rankdata

from genospark.core.columns import spark_schema
from genospark.core.config import StageConfig
from genospark.core.paths import place
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.errors import TableError
from genospark.features.profiles import Profiles, profiles
from genospark.insight.expression_gradients import panel_weights
from genospark.insight.forests import ForestConfig, forest_weights
from genospark.insight.gold import areas, read_gold
from genospark.insight.networks import OwnNetworksConfig, network_weights
from genospark.models.bundle import Bundle
from genospark.models.expression_spec import ExpressionSpec
from genospark.schema import table
from genospark.tasks.bundles import chosen
from genospark.tasks.expression import fields

PART = "regulation"
Doubles = NDArray[np.float64]
METHODS = {"baseline": "GENIE3", "default": "reciprocal rank fusion of both"}
_FUSED = 60


class InferNetworkConfig(StageConfig):
    """Settings of ``infer-network``.

    Attributes:
        network: own for small networks, one a gene, that see every regulator but the gene itself; expression for the expression network
            that was trained here last, which says of the genes of its panel what they do to its targets.
        bundle: Folder of another bundle of the task expression.
        own: How own networks are trained.
        forest: How GENIE3's forests are grown.
        observations: People in a cell type and state to take, at most.
        expression_transform: log1p for TPM, RPKM and counts; none for values that are already normalised.
        edges: Edges to keep, the likeliest.
        gold_standard: Table of regulatorId and targetId to measure against.
        seed: Of everything that is drawn.
    """

    network: Literal["own", "expression"] = "own"
    bundle: str | None = None
    own: OwnNetworksConfig = OwnNetworksConfig()
    forest: ForestConfig = ForestConfig()
    observations: int = Field(10_000, ge=10)
    expression_transform: Literal["log1p", "none"] = "log1p"
    edges: int = Field(100_000, ge=1)
    gold_standard: str | None = None
    seed: int = 1


def infer_network(config: InferNetworkConfig, spark: SparkSession) -> str:
    """Ranks every pair of a regulator and another gene. All genes count as regulators where ``genes`` does not say which are.

    Returns:
        The run's id.

    Raises:
        TableError: A table is missing, or nothing can regulate anything.
        InputError: The gold standard or the bundle cannot be read.
    """
    warehouse = Warehouse(spark, config.warehouse)
    files = {"gold standard": [place(config.gold_standard)]} if config.gold_standard else {}
    bundle = chosen(warehouse, "expression", config.bundle) if config.network == "expression" else None
    tables = ["expression", *(["expressionExamples"] if bundle else []), *(["genes"] if warehouse.producer("genes") else [])]
    work = config.model_copy(update={"bundle": bundle and bundle.version})
    facts = {"bundle": bundle.version} if bundle else {}
    return run_stage("infer-network", work, warehouse, lambda run: _infer(run, config, bundle), files=files, tables=tables, facts=facts)


@dataclasses.dataclass(frozen=True)
class Edges:
    """Weights of all pairs.

    Attributes:
        regulators: Genes.
        targets: Genes.
        network: Mean absolute derivative, [targets, regulators].
        mean: Mean derivative.
        baseline: Importance in a forest.
    """

    regulators: NDArray[np.str_]
    targets: NDArray[np.str_]
    network: Doubles
    mean: Doubles
    baseline: Doubles

    @property
    def possible(self) -> NDArray[np.bool_]:
        """Nothing acts on itself."""
        return np.not_equal.outer(self.targets, self.regulators)

    @property
    def weight(self) -> Doubles:
        """Reciprocal rank fusion (Cormack et al. 2009) of both methods' ranks among all possible pairs; 1 for what is first in both."""
        total = np.zeros(self.network.shape)
        for weights in (self.network, self.baseline):
            total[self.possible] += (_FUSED + 1) / (_FUSED + rankdata(-weights[self.possible])) / 2
        return total


def _infer(run: Run, config: InferNetworkConfig, bundle: Bundle | None) -> None:
    found = profiles(run.warehouse, config.expression_transform, config.observations, config.seed)
    found.blocks.persist()
    try:
        edges = _edges(run, config, bundle, found)
    finally:
        found.blocks.unpersist()
    version = bundle.version if bundle else f"{PART}-{run.run_id[:12]}"
    run.note(regulators=len(edges.regulators), targets=len(edges.targets), observations=len(found.observations))
    rows = _rows(edges, config.edges).assign(modelVersion=version)
    schema = [column for column in spark_schema(table("regulatoryEdges")) if column.name != "runId"]
    run.write("regulatoryEdges", run.warehouse.spark.createDataFrame(rows, StructType(schema)))
    if config.gold_standard:
        _measure(run, config, edges, version)


def _edges(run: Run, config: InferNetworkConfig, bundle: Bundle | None, found: Profiles) -> Edges:
    genes = np.array(found.genes)
    spec = ExpressionSpec.of(bundle.definition["spec"], bundle.arrays) if bundle else None
    regulators, targets = _regulators(run.warehouse, genes), np.arange(len(genes))
    if spec:
        # A target that its network is shown would explain itself.
        regulators = regulators[np.isin(genes[regulators], spec.panel)]
        targets = targets[np.isin(genes, list(set(spec.targets) - set(spec.panel)))]
    if not len(regulators) or not len(targets) or len(set(regulators) | set(targets)) < 2:
        raise TableError(
            f"{run.warehouse.path}: {len(regulators)} regulators among {len(genes)} genes with expression leave nothing to infer",
            "check that annotation and expression name genes the same way, or train expression with `panel: regulators`",
        )
    with step(f"{run.stage}: attributions of the network"):
        if bundle and spec:
            examples = run.warehouse.read("expressionExamples").select(*(field.name for field in fields(spec)))
            network, mean = panel_weights(examples, bundle, list(genes[regulators]))
            places = [spec.targets.index(gene) for gene in genes[targets]]
            network, mean = network[places], mean[places]
        else:
            network, mean = network_weights(found, regulators, targets, config.own, config.seed)
    with step(f"{run.stage}: GENIE3"):
        baseline = forest_weights(found, regulators, targets, config.forest, config.seed)
    return Edges(genes[regulators], genes[targets], network, mean, baseline)


def _regulators(warehouse: Warehouse, genes: NDArray[np.str_]) -> NDArray[np.int64]:
    """Indices of the genes that can regulate: those that ``genes`` says, or all where it does not."""
    if warehouse.producer("genes"):
        listed: pd.DataFrame = warehouse.read("genes").where("isRegulator is not null").select("geneId", "isRegulator").toPandas()
        if len(listed):
            return np.flatnonzero(np.isin(genes, listed.loc[listed["isRegulator"].astype(bool), "geneId"].to_numpy(str)))
    return np.arange(len(genes))


def _rows(edges: Edges, most: int) -> pd.DataFrame:
    """The likeliest edges, by rank; ties by names."""
    target, regulator = np.nonzero(edges.possible)
    columns = {name: values[target, regulator] for name, values in (("weight", edges.weight), ("networkWeight", edges.network))}
    columns["baselineWeight"] = edges.baseline[target, regulator]
    ids = {"regulatorId": edges.regulators[regulator].astype(object), "targetId": edges.targets[target].astype(object)}
    rows = pd.DataFrame(ids | columns | {"sign": np.where(edges.mean[target, regulator] < 0, -1, 1)})
    rows = rows.sort_values(["weight", "networkWeight", "regulatorId", "targetId"], ascending=[False, False, True, True], ignore_index=True)
    return rows.head(most).assign(rank=lambda kept: np.arange(1, len(kept) + 1))


def _measure(run: Run, config: InferNetworkConfig, edges: Edges, version: str) -> None:
    """AUROC and AUPRC of all possible pairs of genes that the gold standard and the tables both name."""
    gold = read_gold(place(str(config.gold_standard)))
    truth = np.array([[float((regulator, target) in gold) for regulator in edges.regulators] for target in edges.targets])
    truth[~edges.possible] = np.nan
    words = "networks of each gene's own" if config.network == "own" else "expression network"
    methods = METHODS | {"network": f"attributions of {words}"}
    chance = float(np.nanmean(truth))
    run.note(chance_AUPRC=round(chance, 5))
    n, positive = int(np.isfinite(truth).sum()), int(np.nansum(truth))
    rows = []
    for model, weights in (("network", edges.network), ("baseline", edges.baseline), ("default", edges.weight)):
        values, ends = areas(weights, truth)
        for metric, value, (low, high) in zip(("AUROC", "AUPRC"), values, ends, strict=True):
            figures = [None if np.isnan(number) else float(number) for number in (value, low, high)]
            rows.append((PART, "all edges", metric, model, methods[model], "test", *figures, n, positive, version))
    columns = [column for column in spark_schema(table("metrics")) if column.name != "runId"]
    run.write(f"metrics/{PART}", run.warehouse.spark.createDataFrame(rows, StructType(columns)))
