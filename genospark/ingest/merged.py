"""``variants`` of several batches: one row a variant that any of them has, counted over all people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from genospark.core.tallies import Tallies, statistics
from genospark.ingest.blocks import KEY, TALLY_SUMS
from genospark.ingest.vcf import PARSED_SCHEMA

SITE = ["end", "names", "qual", "filters", "splitFromMultiAllelic"]
"""What a file says of a variant, beside its key and the calls."""
_ROWS = pa.schema([field for field in PARSED_SCHEMA if field.name not in ("blocks", "line")])


def merged(sites: list[DataFrame], genotypes: DataFrame, n_people: int) -> DataFrame:
    """Rows of ``variants``.

    Args:
        sites: Rows with ``KEY`` and ``SITE``; of a variant that several have, the first one counts.
        genotypes: Rows of ``genotypes`` of all batches.
        n_people: People of all batches.
    """
    ranked = (rows.select(*KEY, f.lit(rank).alias("rank"), f.struct(*SITE).alias("site")) for rank, rows in enumerate(sites))
    first = reduce(DataFrame.unionByName, ranked).groupBy(*KEY).agg(f.min_by("site", "rank").alias("site"))
    counts = genotypes.groupBy(*KEY).agg(*(f.sum(name).cast("bigint").alias(name) for name in TALLY_SUMS))
    joined = counts.join(first, KEY).select(*KEY, "site.*", *TALLY_SUMS)

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = Tallies(*(batch.column(name).to_numpy() for name in TALLY_SUMS))
            counted = statistics(found, n_people)
            columns = [counted[field.name] if field.name in counted else batch.column(field.name) for field in _ROWS]
            yield pa.record_batch([column.cast(field.type) for column, field in zip(columns, _ROWS, strict=True)], schema=_ROWS)

    return (
        joined.mapInArrow(work, from_arrow_schema(_ROWS))
        .repartitionByRange("contigName", "start")
        .sortWithinPartitions("contigName", "start")
    )
