"""Several stages in one Spark session, and what a person sees at the end: metrics, where the tables are, one query."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pyspark.sql import Row, SparkSession

from genospark.core.config import Settings, load
from genospark.core.environment import command
from genospark.core.paths import absolute
from genospark.core.progress import log
from genospark.core.session import session
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError
from genospark.sql import query, show
from genospark.stages import STAGES, stage

QUERY = """SELECT s.sampleId, s.disease, round(s.riskProbability, 3) AS risk, p.label AS knownLabel
FROM riskScores s LEFT JOIN phenotypes p USING (sampleId, disease)
ORDER BY s.riskProbability DESC, s.sampleId LIMIT 5"""


class PipelineConfig(Settings):
    """A warehouse and the settings of each stage to run, in order.

    Attributes:
        warehouse: Folder of the tables.
        stages: Stage name to its settings.
        rerun: Run stages even where their run is already there.
    """

    warehouse: str
    stages: dict[str, dict[str, Any] | None]
    rerun: bool = False


def demo_config(warehouse: str) -> PipelineConfig:
    """The demo: every stage at its defaults, on a simulated cohort."""
    files = f"{absolute(warehouse)}/input"
    roles = {"phenotypes": "phenotypes.tsv", "covariates": "covariates.tsv", "pedigree": "pedigree.ped", "populations": "truth/people.tsv"}
    genes = {"genes": "genes.gtf.gz", "regulators": "regulators.tsv", "terms": "gene_terms.tsv"}
    settings: dict[str, dict[str, Any]] = {
        "ingest-vcf": {"inputs": [f"{files}/genotypes.vcf.gz"]},
        "ingest-expression": {"inputs": [f"{files}/expression.tsv.gz"]},
        "ingest-phenotypes": {"inputs": [f"{role}={files}/{name}" for role, name in roles.items()]},
        "ingest-genes": {"inputs": [f"{role}={files}/{name}" for role, name in genes.items()]},
        "ingest-reads": {
            "inputs": [f"{files}/reads/*.bam"],
            "reference": f"{files}/reference.fa",
            "regions": f"{files}/reads/regions.bed",
        },
        "infer-network": {"gold_standard": f"{files}/truth/network.tsv"},
    }
    for entry in STAGES.values():
        if "key-file" in entry.options:
            settings[entry.name] |= {"key_file": f"{files}/pseudonym.key", "crosswalk": f"{absolute(warehouse)}/crosswalk"}
    return PipelineConfig(warehouse=warehouse, stages={name: settings.get(name, {}) for name in STAGES})


def run(config: PipelineConfig) -> None:
    """Runs the stages in a session of their own and prints the summary."""
    spark = session("genospark pipeline", config.warehouse)
    run_stages(spark, config)
    summarise(Warehouse(spark, config.warehouse))


def run_stages(spark: SparkSession, config: PipelineConfig) -> None:
    """Runs the stages; the settings of all are checked before the first starts.

    Raises:
        GenosparkError: A stage was refused or failed.
    """
    planned: list[tuple[str, Any, BaseModel]] = []
    for name, settings in config.stages.items():
        function, model = stage(name).load()
        flags = {"warehouse": config.warehouse} | ({"rerun": True} if config.rerun else {})
        try:
            planned.append((name, function, load(model, None, [], (settings or {}) | flags)))
        except ConfigError as error:
            raise ConfigError(f"stage {name}: {error.problem}", error.next_step) from None
    for number, (name, function, checked) in enumerate(planned, 1):
        log.info("stage %d of %d: %s", number, len(planned), name)
        function(checked, spark)


def summarise(warehouse: Warehouse) -> None:
    """Prints what was measured on test examples, where the tables are, and one query with its result."""
    if warehouse.has("metrics"):
        show(["task", "target", "metric", "network", "95% interval", "baseline", "95% interval", "baseline is", "n"], results(warehouse))
    print(f"Tables: {warehouse.path}/tables")
    if warehouse.producer("riskScores"):
        print(f'Query:  {command()} sql --warehouse {warehouse.path} "{QUERY}"')
        query(warehouse.spark, warehouse.path, QUERY)


def results(warehouse: Warehouse) -> list[list[object]]:
    """One row a task, target and metric of test examples: network and baseline side by side.

    Where a task is measured over all its targets together, only that is shown, and of risk one measure of everyone; ``metrics`` has
    the rest.
    """
    of_risk = "metric in ('AUC', 'R2', 'macro AUC') and target not like '%, population %' and target not like '%, sex %'"
    shown = f"split = 'test' and model in ('network', 'baseline') and (task != 'risk' or {of_risk})"
    measured = warehouse.read("metrics").where(shown).collect()
    models = {(m["task"], m["target"], m["metric"], m["model"]): m for m in measured}
    rows: list[list[object]] = []
    keys = {key[:3] for key in models}
    whole = {task for task, target, _ in keys if target.startswith("all")}
    for task, target, metric in sorted(key for key in keys if key[0] not in whole or key[1].startswith("all")):
        network, baseline = (models.get((task, target, metric, model)) for model in ("network", "baseline"))
        one = network or baseline
        assert one is not None
        rows.append([task, target, metric, *_value(network), *_value(baseline), baseline and baseline["method"], one["n"]])
    return rows


def _value(measured: Row | None) -> tuple[object, str]:
    if measured is None:
        return None, ""
    low, high = measured["valueLow"], measured["valueHigh"]
    return measured["value"], "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
