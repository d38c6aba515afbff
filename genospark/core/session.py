"""The only place a SparkSession is made."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings

from pyspark.sql import SparkSession

from genospark.core import environment
from genospark.core.glow_jars import named_jars

# What the code relies on wherever it runs. Masters, memory and cores belong into conf/spark/*.conf.
REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    # Spark makes this folder, which nothing here uses, where it is started.
    "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/spark-warehouse",
}


def session(name: str = "genospark") -> SparkSession:
    """The running Spark session, or a new one that uses this environment's Python and Java."""
    environment.pin()
    builder = SparkSession.builder.appName(name)
    for key, value in REQUIRED.items():
        builder = builder.config(key, value)
    # A session that runs already takes no more jars, and under spark-submit they stand in its own settings.
    if SparkSession.getActiveSession() is None and "PYSPARK_GATEWAY_PORT" not in os.environ and (jars := named_jars()):
        builder = builder.config("spark.jars", ",".join(jars))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    # PySpark 3.5 asks pandas for types that pandas 2.2 warns about, once a column.
    warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
    return spark
