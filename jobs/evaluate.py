"""spark-submit entry point of the stage ``evaluate``; options as in ``genospark evaluate --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
