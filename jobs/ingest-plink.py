"""spark-submit entry point of the stage ``ingest-plink``; options as in ``genospark ingest-plink --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest-plink", *sys.argv[1:]]))
