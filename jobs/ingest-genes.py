"""spark-submit entry point of the stage ``ingest-genes``; options as in ``genospark ingest-genes --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest-genes", *sys.argv[1:]]))
