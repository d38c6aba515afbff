"""The ``genospark`` command: every stage, pipelines, SQL and the demo. Heavy packages are imported only once a command runs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from genospark import __version__
from genospark.errors import GenosparkError
from genospark.stages import EVERYTHING, stage

_DEMO = "run all stages on a simulated cohort"
_RUN = "run the stages that a file lists, in one Spark session"
_KEY = "make the key of the names that people have in tables"
_CALL = "call variants of aligned reads: BAM or CRAM files to a VCF, with the caller that comes with the package"
_CHECK_VCF = "check VCF files against the specification, 4.1 to 4.5: a line per finding; needs neither Spark nor Java"
_SQL = "query the tables of a warehouse; prints the first 100 rows, or all with --csv"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="genospark", description="Cohort genomics with deep learning on Apache Spark.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    everything = list(EVERYTHING.values())
    for job in dict.fromkeys(entry.job for entry in everything):
        entries = [entry for entry in everything if entry.job == job]
        summary = "; ".join(f"{entry.task}: {entry.summary}" if entry.task else entry.summary for entry in entries)
        command = commands.add_parser(job, help=summary, description=summary)
        if entries[0].task:
            command.add_argument("task", choices=[entry.task for entry in entries], help="which task")
        command.add_argument("--config", type=Path, metavar="FILE", help=f"settings, such as conf/{entries[0].config_file}")
        command.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting; repeatable, a.b=c reaches inside"
        )
        command.add_argument("--warehouse", metavar="DIR", help="folder of the tables; needed here or in --config")
        if entries[0].inputs:
            command.add_argument("--input", action="append", metavar="PATH", help=entries[0].inputs)
        command.set_defaults(own=[option.replace("-", "_") for option in entries[0].options])
        for option in entries[0].options:
            command.add_argument(f"--{option}", metavar=option.upper(), help=f"the setting {option.replace('-', '_')}")
        if job.startswith("ingest-"):
            command.add_argument("--mode", choices=("strict", "quarantine"), help="what bad records do: end the stage, or go aside")
            command.add_argument("--max-bad", metavar="SHARE", help="in quarantine, the share of a file's records that may be bad")
        command.add_argument("--rerun", action="store_true", help="run even where the same run is already there")
    demo = commands.add_parser("demo", help=_DEMO, description=_DEMO)
    demo.add_argument("--warehouse", default="demo", metavar="DIR", help="folder of the demo's files and tables")
    demo.add_argument("--rerun", action="store_true", help="run stages again whose run is already there")
    pipeline = commands.add_parser("run", help=_RUN, description=_RUN)
    pipeline.add_argument("--config", type=Path, required=True, metavar="FILE", help="such as conf/cohort-1000g.yaml")
    pipeline.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting")
    pipeline.add_argument("--warehouse", metavar="DIR", help="folder of the tables")
    pipeline.add_argument("--rerun", action="store_true", help="run stages again whose run is already there")
    sql = commands.add_parser("sql", help=_SQL, description=_SQL)
    sql.add_argument("--warehouse", required=True, metavar="DIR", help="folder of the tables")
    sql.add_argument("--csv", action="store_true", help="print every row as CSV")
    sql.add_argument("--crosswalk", metavar="DIR", help="folder of the crosswalk, which is a table then: sampleId, originalId")
    sql.add_argument("--engine", choices=("spark", "duckdb"), default="spark", help="DuckDB answers within a second and needs no Java")
    sql.add_argument("query", help="SQL over the tables' names, in the engine's dialect")
    key = commands.add_parser("key", help=_KEY, description=_KEY)
    key.add_argument("file", type=Path, metavar="FILE", help="file to write; keep it where tables are not, and never lose it")
    call = commands.add_parser("call", help=_CALL, description=_CALL)
    call.add_argument("--reads", action="append", metavar="FILE", help="BAM or CRAM file, one person each; repeatable, globs")
    call.add_argument("--samples", metavar="TABLE", help="people and their files: columns sampleId and path, tabs or commas")
    call.add_argument("--reference", required=True, metavar="FASTA", help="what they were aligned to, with its .fai")
    call.add_argument("--out", metavar="VCF", help="file to write (calls.vcf.gz)")
    call.add_argument("--gvcf", metavar="DIR", help="folder to write a gVCF a person into")
    call.add_argument("--regions", metavar="BED", help="where to look; everywhere where not given")
    call.add_argument("--bundle", metavar="DIR", help="another caller than the package's")
    call.add_argument("--warehouse", metavar="DIR", help="keep the tables in this folder")
    check = commands.add_parser("check-vcf", help=_CHECK_VCF, description=_CHECK_VCF)
    check.add_argument("files", nargs="+", metavar="FILE", help="plain, bgzipped or gzipped")
    check.add_argument("--limit", type=int, default=20, metavar="N", help="findings of a rule that are shown; all are counted (20)")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, or that of the error, whose message goes to stderr."""
    options = parser().parse_args(arguments)
    try:
        return _dispatch(options)
    except GenosparkError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever reads our output (`| head`) has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("error: stopped by the user\n  next step: run it again; what was committed stays", file=sys.stderr)
        return 130
    except Exception as error:
        from genospark.core.failures import user_error

        known = user_error(error)
        if known is None:
            raise
        print(f"error: {known}", file=sys.stderr)
        return known.exit_code
    return 0


def _dispatch(options: argparse.Namespace) -> int:
    if options.command == "check-vcf":
        # A second at most for a small file: nothing else is imported.
        from genospark.ingest.vcf.check import check_files

        return check_files(options.files, options.limit)
    from genospark.core import environment
    from genospark.core.progress import configure_logging

    environment.pin()
    configure_logging()
    if options.command == "key":
        from genospark.core.pseudonyms import new_key

        new_key(options.file)
        print(f"{options.file}: use it with: export GENOSPARK_KEY_FILE={options.file.resolve()}")
    elif options.command == "sql":
        if options.engine == "duckdb":
            from genospark.sql import duck

            duck.query(options.warehouse, options.query, options.csv, options.crosswalk)
        else:
            from genospark.core.session import session
            from genospark.sql import query

            query(
                session("genospark sql", options.warehouse, options.crosswalk),
                options.warehouse,
                options.query,
                options.csv,
                options.crosswalk,
            )
    elif options.command == "call":
        from genospark import calling
        from genospark.core.config import load

        names = calling.CallConfig.model_fields
        given = {name: value for name, value in vars(options).items() if name in names and value is not None}
        calling.call(load(calling.CallConfig, None, [], given))
    elif options.command in ("demo", "run"):
        from genospark import pipeline
        from genospark.core.config import load

        if options.command == "run":
            config = load(pipeline.PipelineConfig, options.config, options.set, _flags(options))
        else:
            config = pipeline.demo_config(options.warehouse).model_copy(update={"rerun": options.rerun})
        pipeline.run(config)
    else:
        _run_stage(options)
    return 0


def _run_stage(options: argparse.Namespace) -> None:
    from genospark.core.config import load

    entry = stage(f"{options.command} {getattr(options, 'task', '')}".strip())
    function, model = entry.load()
    config = load(model, options.config, options.set, _flags(options))
    if entry.needs_spark:
        from genospark.core.session import session

        function(config, session(f"genospark {entry.name}", config.warehouse, getattr(config, "out", None)))
    else:
        function(config)


def _flags(options: argparse.Namespace) -> dict[str, object]:
    """The flags that were given, as settings."""
    flags: dict[str, object] = {}
    if options.warehouse:
        flags["warehouse"] = options.warehouse
    if getattr(options, "input", None):
        flags["inputs"] = options.input
    for name in ("mode", "max_bad", *getattr(options, "own", ())):
        if getattr(options, name, None) is not None:
            flags[name] = getattr(options, name)
    if options.rerun:
        flags["rerun"] = True
    return flags


if __name__ == "__main__":
    sys.exit(main())
