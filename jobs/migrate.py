"""spark-submit entry point of the stage ``migrate``; options as in ``genospark migrate --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["migrate", *sys.argv[1:]]))
