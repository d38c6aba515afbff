"""Where Glow's JVM half comes from: jars that the user names, as no release of ours brings them."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from py4j.java_gateway import JavaClass

from genospark.errors import SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

VARIABLE = "GENOSPARK_GLOW_JARS"
_NAME_THEM = (
    f"start the session with them: {VARIABLE}=PATHS (with commas between; globs), or `spark.jars` or `spark.jars.packages` in its "
    "configuration; or take the native engine"
)


def named_jars() -> list[str]:
    """The jars that ``GENOSPARK_GLOW_JARS`` names: paths and globs with commas between.

    Raises:
        SetupError: One of them names no file.
    """
    jars: dict[str, None] = {}
    for pattern in filter(None, (part.strip() for part in os.environ.get(VARIABLE, "").split(","))):
        found = sorted(glob.glob(pattern))  # noqa: PTH207 absolute patterns
        if not found:
            raise SetupError(f"{VARIABLE}: {pattern}: no such file", "correct the path, or leave the variable out")
        jars |= dict.fromkeys(found)
    return list(jars)


def has_glow(spark: SparkSession) -> bool:
    """Whether a session has Glow's jars, whichever setting they came by."""
    return spark._jvm is not None and isinstance(spark._jvm.io.projectglow.Glow, JavaClass)


def need_glow(spark: SparkSession) -> None:
    """Refuses a session without Glow's jars.

    Raises:
        SetupError: It has none.
    """
    if not has_glow(spark):
        named = f" ({VARIABLE} names some, but the session was started without them)" if os.environ.get(VARIABLE) else ""
        raise SetupError(f"engine glow: this Spark session has no Glow jars{named}", _NAME_THEM)
