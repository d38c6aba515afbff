"""spark-submit entry point of the stage ``tune``; options as in ``genospark tune --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["tune", *sys.argv[1:]]))
