"""spark-submit entry point of the stage ``ingest-expression``; options as in ``genospark ingest-expression --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest-expression", *sys.argv[1:]]))
