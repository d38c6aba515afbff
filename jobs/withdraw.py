"""spark-submit entry point of the stage ``withdraw``; options as in ``genospark withdraw --help``."""

import sys

from genospark.cli import main

if __name__ == "__main__":
    sys.exit(main(["withdraw", *sys.argv[1:]]))
