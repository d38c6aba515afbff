"""Stage ``qc samples``: everyone's calls, counted, to ``sampleQuality``, with the reasons for which a person would be filtered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from genospark.core.columns import spark_schema
from genospark.core.config import StageConfig
from genospark.core.progress import step
from genospark.core.runlog import Run, run_stage
from genospark.core.storage import Warehouse
from genospark.core.tallies import statistics, tally
from genospark.quality.carriers import COUNTED, TOTALS, UNIT, Sites, substitutions, tally_people
from genospark.quality.cohort import Cohort
from genospark.quality.contigs import Build, kinds
from genospark.quality.measured import LowConfig, kept, of_people
from genospark.quality.packed import only, rows_at_once
from genospark.quality.sums import summed
from genospark.schema import table


class QcSamplesConfig(StageConfig):
    """Settings of ``qc samples``.

    Attributes:
        min_call_rate: People with calls at a smaller share of variants are filtered,
        max_inbreeding: and those whose inbreeding coefficient is further from 0.
        max_female_x: Inbreeding on X up to which a person counts as female,
        min_male_x: and from which on as male.
        min_male_y: Share of Y's variants that men have calls at, and women have not.
        reference_build: GRCh37 or GRCh38, which say where X and Y are like autosomes; nowhere if not given.
        low: Below what depths and qualities count as low, where they are kept.
    """

    min_call_rate: float = Field(0.95, ge=0, le=1)
    max_inbreeding: float = Field(0.2, ge=0)
    max_female_x: float = 0.2
    min_male_x: float = 0.8
    min_male_y: float = Field(0.5, ge=0, le=1)
    reference_build: Build | None = None
    low: LowConfig = LowConfig()


def qc_samples(config: QcSamplesConfig, spark: SparkSession) -> str:
    """Says of everyone what their calls are like; nobody is taken out.

    Returns:
        The run's id.

    Raises:
        TableError: There are no genotypes.
    """
    warehouse = Warehouse(spark, config.warehouse)
    return run_stage("qc samples", config, warehouse, lambda run: _check(run, config), tables=Cohort.tables(warehouse))


def _check(run: Run, config: QcSamplesConfig) -> None:
    cohort = Cohort.read(run.warehouse)
    with step("qc samples: counting calls"), cohort.bounded():
        people, totals = _counted(cohort, config.reference_build)
        measured = of_people(cohort, kept(cohort), config.low)
    rows = quality(cohort.people, people[cohort.places], totals, config).assign(**measured)
    run.note(**{name: int(totals[TOTALS.index(name)]) for name in ("variants", "variantsX", "variantsY", "variantsOther")})
    run.note(people=len(rows), passing=sum(not reasons for reasons in rows["reasons"]))
    run.note(**{reason: int(count) for reason, count in rows["reasons"].explode().value_counts().sort_index().items()})
    schema = [column for column in spark_schema(table("sampleQuality")) if column.name != "runId"]
    values = rows[[column.name for column in schema]].astype(object)
    found = values.where(values.notna(), None).values.tolist()
    run.write("sampleQuality", run.warehouse.spark.createDataFrame(found, StructType(schema)))


def _counted(cohort: Cohort, build: Build | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``COUNTED`` at each place of the layout, and ``TOTALS``, over all variants."""
    layout, founders = cohort.layout, only(cohort.at(cohort.people["isFounder"]))
    n, at_once = 4 * layout.width, rows_at_once(layout.width)

    def work(batch: pa.RecordBatch) -> NDArray[Any]:
        packed = layout.side_by_side(batch.column("blocks"))
        haploid_rows, haploid = layout.haploid(batch.column("blocks"))
        bits = np.packbits(haploid, axis=1, bitorder="little")
        everyone, among = tally(packed, n, haploid_rows, bits), tally(packed | founders, n, haploid_rows, bits)
        alternate = [alleles[0] for alleles in batch.column("alternateAlleles").to_pylist()]
        sites = Sites(
            kinds(batch.column("contigName").to_pylist(), batch.column("start").to_numpy(), build),
            statistics(among, n)["alleleFrequency"].to_numpy(zero_copy_only=False),
            substitutions(batch.column("referenceAllele").to_pylist(), alternate),
            everyone.nHet + 2 * everyone.nHomAlt + everyone.nHaploidAlt == 1,
        )
        people, totals = np.zeros((n, len(COUNTED)), np.int64), np.zeros(len(TOTALS), np.int64)
        for i in range(0, len(packed), at_once):
            mine = (haploid_rows >= i) & (haploid_rows < i + at_once)
            found = tally_people(packed[i : i + at_once], haploid[mine], haploid_rows[mine] - i, sites.among(slice(i, i + at_once)))
            people += found[0]
            totals += found[1]
        return np.append(people.ravel(), totals)

    found = summed(cohort.rows(haploid=True), work, (n * len(COUNTED) + len(TOTALS),), np.int64)
    return found[: -len(TOTALS)].reshape(n, len(COUNTED)), found[-len(TOTALS) :]


def quality(people: pd.DataFrame, counts: NDArray[np.int64], totals: NDArray[np.int64], config: QcSamplesConfig) -> pd.DataFrame:
    """Rows of ``sampleQuality``.

    Args:
        people: Columns sampleId and sex.
        counts: Of each person, (people, ``COUNTED``).
        totals: ``TOTALS``.
        config: What would be filtered.
    """
    of = {name: counts[:, place] for place, name in enumerate(COUNTED)}
    total = dict(zip(TOTALS, totals.tolist(), strict=True))
    expected = (total["expectedHet"] - of["missingExpectedHet"]) / UNIT
    expected_x = (total["expectedHetX"] - of["missingExpectedHetX"]) / UNIT
    n = total["variants"] + total["variantsX"] + total["variantsOther"]
    rows = pd.DataFrame(
        {
            "sampleId": people["sampleId"],
            "callRate": 1 - _ratio(of["missing"] + of["missingX"] + of["missingOther"], n),
            "nCalled": total["variants"] - of["missing"],
            "nHet": of["het"],
            "nHomAlt": of["homAlt"],
            "hetHomRatio": _ratio(of["het"], of["homAlt"]),
            "nTransitions": of["transitions"],
            "nTransversions": of["transversions"],
            "tiTvRatio": _ratio(of["transitions"], of["transversions"]),
            "nSingletons": of["singletons"],
            "expectedHet": expected,
            "inbreeding": 1 - _ratio(of["het"] - of["hetUnexpected"], expected),
            "inbreedingX": 1 - _ratio(of["hetX"] - of["hetUnexpectedX"], expected_x),
            "callRateY": 1 - _ratio(of["missingY"], total["variantsY"]),
            "sex": people["sex"],
        }
    )
    x, y = rows["inbreedingX"], rows["callRateY"]
    male = (x >= config.min_male_x) & ~(y < config.min_male_y)
    female = (x <= config.max_female_x) & ~(y >= config.min_male_y)
    rows["inferredSex"] = np.where(male, 1, np.where(female, 2, np.nan))
    against = {
        "callRate": ~(rows["callRate"] >= config.min_call_rate),
        "inbreeding": rows["inbreeding"].abs() > config.max_inbreeding,
        "sex": rows["sex"].notna() & x.notna() & (rows["sex"] != rows["inferredSex"]),
    }
    rows["reasons"] = [[reason for reason, is_so in zip(against, row, strict=True) if is_so] for row in zip(*against.values(), strict=True)]
    return rows.astype({"sex": "Int64", "inferredSex": "Int64"})


def _ratio(one: NDArray[Any], other: Any) -> NDArray[np.float64]:
    """NaN where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(other) > 0, one / other, np.nan)
