"""spark-submit entry point of the stage ``compact``; options as in ``genospark compact --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["compact", *sys.argv[1:]]))
