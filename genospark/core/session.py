"""The only place a SparkSession is made."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from genospark.core import environment, install, stores
from genospark.core.glow_jars import named_jars
from genospark.errors import SetupError

# What the code relies on wherever it runs. Masters, memory and cores belong into conf/spark/*.conf.
REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.python.daemon.module": "genospark.core.daemon",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    # Files of the three splits are written side by side: to write one at a time Spark sorts by split, and drops an order that was asked
    # for. Tables by contig have as many files open in a task, and rows of further contigs are sorted.
    "spark.sql.maxConcurrentOutputFileWriters": "3",
    # Spark makes this folder, which nothing here uses, where it is started.
    "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/spark-warehouse",
}


_S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"


def session(name: str = "genospark", *folders: str | None) -> SparkSession:
    """The running Spark session, or a new one that uses this environment's Python and Java.

    Args:
        name: Of the application.
        folders: What Spark is to read and write. Where one is on S3, Hadoop's program for it is fetched once.

    Raises:
        SetupError: There is no fitting Java, or Hadoop's program for S3 cannot be fetched.
    """
    environment.pin()
    builder = SparkSession.builder.appName(name)
    for key, value in REQUIRED.items():
        builder = builder.config(key, value)
    # A session that runs takes no more jars. Under spark-submit the program has started: they stand in its own settings.
    if SparkSession.getActiveSession() is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
        jars = [*map(str, install.s3_jars() if any(stores.is_s3(str(folder)) for folder in folders) else ()), *named_jars()]
        if jars:
            builder = builder.config("spark.jars", ",".join(jars))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    # PySpark 3.5 asks pandas for types that pandas 2.2 warns about, once a column.
    warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
    return spark


def prepare(spark: SparkSession, url: str) -> None:
    """Tells a session how to reach the store behind a URL.

    Raises:
        SetupError: Spark was started without Hadoop's program for S3.
    """
    if not stores.is_s3(url):
        return
    jvm: Any = spark.sparkContext._jvm
    try:
        jvm.java.lang.Class.forName(_S3A, True, jvm.java.lang.Thread.currentThread().getContextClassLoader())
    except Py4JJavaError:
        step = f"start it with `spark-submit --packages {install.HADOOP_AWS}`"
        raise SetupError(f"{url}: this Spark was started without Hadoop's program for S3", step) from None
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    for key, value in stores.hadoop_options().items():
        hadoop.set(key, value)
