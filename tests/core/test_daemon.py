"""What Spark's workers import from."""

from __future__ import annotations

import sys
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

from genospark.core.daemon import without_archives


def test_archives_of_the_installed_pyspark_alone_are_left_out(tmp_path: Path) -> None:
    package = Path(pyspark.__file__).parent
    own = [str(package / "python" / "lib" / "pyspark.zip"), str(package / "jars" / "spark-core.jar")]
    others = [str(tmp_path / "mine.zip"), "/usr/lib/python311.zip", *sys.path]
    assert without_archives([*own, *others]) == others
    # Where there is none but that of the archives, they stay.
    assert without_archives([*own, str(tmp_path)]) == [*own, str(tmp_path)]


def test_workers_are_forked_from_it(spark: SparkSession) -> None:
    def places(batches):  # type: ignore[no-untyped-def]
        import pyarrow as pa

        for _ in batches:
            yield pa.RecordBatch.from_pydict({"place": list(sys.path_importer_cache)})

    found = [row["place"] for row in spark.range(0, 1, 1, 1).mapInArrow(places, "place string").collect()]
    assert found and not [place for place in found if place.endswith(".jar")]
