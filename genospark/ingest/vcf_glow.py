"""VCF files read by Glow: its reader, splitter and normaliser, and what brings their values to those of the native engine.

The only place that uses Glow's JVM half. Glow's splitter makes a row of each alternate allele; but it codes other alternate alleles as
missing and drops most FORMAT lists, so what has a value per allele is taken from the record as it stood, as ``bcftools norm -m-`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import StructType

from genospark.core import delta
from genospark.ingest.reads.reference import open_reference
from genospark.ingest.vcf.full import Declared
from genospark.ingest.vcf.full.divide import PER, REASON

_STEP = "correct the record or the header, or read it with split_multiallelics=False"
_ALTERNATES, _GENOTYPES = "_alternates", "_genotypes"
_N = f"size({_ALTERNATES})"


def read_by_glow(
    spark: SparkSession,
    files: Sequence[Path],
    fields: Sequence[Declared],
    raw: StructType,
    schema: StructType,
    divide: bool,
    reference: str | Path | None,
) -> DataFrame:
    """Reads files whose columns have been counted.

    Args:
        spark: Session with Glow's jars.
        files: VCF files.
        fields: What their headers declare.
        raw: Columns of records as they stand.
        schema: Columns of the result.
        divide: Whether to split multi-allelic records.
        reference: As in ``read_vcf``.

    Raises:
        InputError: The reference or its index is absent.
    """
    rows = repaired(glow_session(spark).read.format("vcf").schema(raw).load([delta.for_reader(str(path)) for path in files]))
    rows = rows.withColumn("genotypes", f.expr(_unphased_if_haploid(raw)))
    import glow

    if divide:
        rows = _split(glow, rows, fields, raw)
    if reference is not None:
        with open_reference(reference):
            pass
        rows = glow.transform("normalize_variants", rows, reference_genome_path=str(Path(reference).resolve()))
    # The splitter says that it is never null.
    rows = rows.withColumn("splitFromMultiAllelic", f.expr("nullif(splitFromMultiAllelic, NULL)"))
    # Casts change what may be null and the nested metadata, and no value.
    columns = (f.col(_quoted(field.name)).cast(field.dataType).alias(field.name, metadata=field.metadata) for field in schema)
    found: DataFrame = rows.select(*columns)
    return found


def glow_session(spark: SparkSession) -> SparkSession:
    """A session with Glow's functions on the same Spark; its settings are its own."""
    # Imported here: it changes how PySpark makes NumPy literals.
    import glow

    # The splitter's functions are not found in a session that is there already.
    session: SparkSession = glow.register(spark)
    return session


def _quoted(name: str) -> str:
    return f"`{name}`"


def repaired(rows: DataFrame) -> DataFrame:
    """Values that Glow's reader gives otherwise than the specification: lists that semicolons separate, and INFO END."""
    for name in ("names", "filters"):
        rows = rows.withColumn(name, f.expr(f"split(array_join({name}, ','), ';')"))
    by_reference = "start + length(referenceAllele)"
    if "INFO_END" in rows.columns:
        # Glow's reader keeps it as `end` only.
        rows = rows.withColumn("INFO_END", f.expr(f"if(end != {by_reference}, cast(end AS int), NULL)"))
    # As htslib: an END before POS (seen with breakends) says nothing about the length of the record.
    return rows.withColumn("end", f.expr(f"if(end > start, end, {by_reference})"))


def _names(raw: StructType) -> list[str]:
    """Fields of a genotype."""
    names: list[str] = raw["genotypes"].dataType.elementType.names  # type: ignore[attr-defined]
    return names


def _unphased_if_haploid(raw: StructType) -> str:
    """SQL of genotypes whose last is not phased where it has one allele.

    For a bar Glow looks behind such a genotype, which at the end of a line are bytes of a line before.
    """
    last = "element_at(genotypes, -1)"
    parts = (f"'{name}', " + ("g.phased AND size(g.calls) > 1" if name == "phased" else f"g.{_quoted(name)}") for name in _names(raw))
    return f"if({last}.phased AND size({last}.calls) = 1, transform(genotypes, g -> named_struct({', '.join(parts)})), genotypes)"


def _split(glow: object, rows: DataFrame, fields: Sequence[Declared], raw: StructType) -> DataFrame:
    info = [field for field in fields if field.kind == "INFO" and field.is_list and field.number in PER]
    kept = {_ALTERNATES: f.col("alternateAlleles")} | {f"_{field.column}": f.col(_quoted(field.column)) for field in info}
    # The splitter drops rows without an alternate allele.
    some = f.coalesce("alternateAlleles", f.array(f.lit(None).cast("string")))
    # Not shown genotypes: of a FORMAT field that is named as a column of sites (FT: `filters`) it would drop that column.
    rows = rows.withColumns(kept).withColumnRenamed("genotypes", _GENOTYPES).withColumn("alternateAlleles", some)
    rows = glow.transform("split_multiallelics", rows)  # type: ignore[attr-defined]
    allele = f.expr(f"cast(array_position({_ALTERNATES}, alternateAlleles[0]) AS int)")
    made = {"alternateAlleles": f.expr(f"if({_ALTERNATES} IS NULL, NULL, alternateAlleles)")}
    for field in info:
        old = _quoted(f"_{field.column}")
        made[field.column] = f.expr(f"if(splitFromMultiAllelic, {_divided(old, field)}, {old})")
    made["genotypes"] = f.expr(f"if(splitFromMultiAllelic, {_people(fields, raw)}, {_GENOTYPES})")
    return rows.withColumn("_allele", allele).withColumns(made)


def _people(fields: Sequence[Declared], raw: StructType) -> str:
    """SQL of the genotypes of a split row."""
    divided = {field.column: field for field in fields if field.kind == "FORMAT" and field.is_list and field.number in PER}
    parts = []
    for name in _names(raw):
        value = f"g.{_quoted(name)}"
        if name == "calls":
            value = f"transform({value}, x -> if(x > 0, if(x = _allele, 1, 0), x))"
        elif name in divided:
            value = _divided(value, divided[name])
        parts.append(f"'{name}', {value}")
    return f"transform({_GENOTYPES}, g -> named_struct({', '.join(parts)}))"


def _divided(value: str, field: Declared) -> str:
    """SQL of a list's values of the reference and the row's allele; null for a null, and empty for several nulls."""
    one = "(_allele * (_allele + 1) div 2)"
    per_allele = f"array({value}[0], {value}[_allele])"
    if field.number == "A":
        fits, picked = f"size({value}) = {_N}", f"array({value}[_allele - 1])"
    elif field.number == "R":
        fits, picked = f"size({value}) = {_N} + 1", per_allele
    else:
        diploid = f"size({value}) = ({_N} + 1) * ({_N} + 2) div 2"
        fits = f"{diploid} OR size({value}) = {_N} + 1"
        picked = f"if({diploid}, array({value}[0], {value}[{one}], {value}[{one} + _allele]), {per_allele})"
    empty = "NULL" if field.number == "A" else value
    nothing = "NULL" if field.number == "A" else f"filter({picked}, x -> x IS NOT NULL)"
    reason = REASON.format(field.kind, field.name, PER[field.number])
    where = "concat(contigName, ':', start + 1, ': '"
    kind = f"array<{ {'Integer': 'int', 'Float': 'double'}.get(field.type, 'string') }>"
    error = f"cast(raise_error({where}, '{reason}; next step: {_STEP}')) AS {kind})"
    return (
        f"CASE WHEN {value} IS NULL THEN NULL WHEN size({value}) = 0 THEN {empty} WHEN NOT ({fits}) THEN {error} "
        f"WHEN forall({picked}, x -> x IS NULL) THEN {nothing} ELSE {picked} END"
    )
