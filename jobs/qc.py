"""spark-submit entry point of the stage ``qc``; options as in ``genospark qc --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["qc", *sys.argv[1:]]))
