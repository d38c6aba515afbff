"""spark-submit entry point of the stage ``ingest-bgen``; options as in ``genospark ingest-bgen --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest-bgen", *sys.argv[1:]]))
