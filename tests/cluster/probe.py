"""A spark-submit job: writes what the executors' Python is and where it finds its modules, as JSON, to the file named."""

import importlib
import json
import os
import pkgutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from genospark.core.session import session


def look(hidden: list[str]) -> Iterator[dict[str, object]]:
    import numpy
    import tensorflow

    import genospark

    # Everything but what only users call: the archive lacks none of the packages.
    for module in pkgutil.walk_packages(genospark.__path__, "genospark."):
        if not module.name.startswith(("genospark.sql", "genospark.cli", "genospark.pipeline")):
            importlib.import_module(module.name)
    # Long enough for the other executor to take its task.
    time.sleep(5)
    yield {
        "folder": str(Path.cwd()),
        "python": sys.executable,
        "modules": [module.__file__ for module in (genospark, numpy, tensorflow)],
        "path": sys.path,
        "environment": dict(os.environ),
        "hidden": {path: os.listdir(path) for path in hidden},  # noqa: PTH208
    }


if __name__ == "__main__":
    spark = session("probe")
    target, *folders = sys.argv[1:]
    found = spark.sparkContext.parallelize(range(2), 2).mapPartitions(lambda _: look(folders)).collect()
    Path(target).write_text(json.dumps(found))
