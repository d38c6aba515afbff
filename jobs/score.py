"""spark-submit entry point of the stage ``score``; options as in ``genospark score --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["score", *sys.argv[1:]]))
