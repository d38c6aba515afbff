"""The ninth column of GTF and GFF3: keys and values."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# Attributes by preference: GENCODE's and Ensembl's name, then those of RefSeq and of plain GFF3.
ID_KEYS = ["gene_id", "ID"]
NAME_KEYS = ["gene_name", "Name", "gene"]
BIOTYPE_KEYS = ["gene_type", "gene_biotype", "biotype"]
# GTF: key "value"; values may be bare, and a semicolon between quotes ends nothing. GFF3: key=value, with no meaning of quotes.
_GTF_ITEM = r'(?:[^;"]|"(?:[^"\\]|\\.)*")*;'
_GTF = rf'^(?:{_GTF_ITEM})*?\s*KEY\s+(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^";\s][^;]*?))\s*(?:;|$)'
_GFF3 = r"(?:^|;)\s*KEY\s*=\s*(?P<value>[^;]*?)\s*(?:;|$)"


def first_of(attributes: pd.Series, keys: list[str], gff3: bool) -> pd.Series:
    """Value of the first of the keys that is there, or None."""
    values = pd.Series(None, index=attributes.index, dtype=object)
    for key in keys:
        left = values.isna()
        if left.any():
            values[left] = attribute(attributes[left], key, gff3)
    return values


def attribute(attributes: pd.Series, key: str, gff3: bool) -> pd.Series:
    """Value of a key in each line's attributes, or None where it is not there or empty.

    Args:
        attributes: Ninth column of GTF or GFF3.
        key: The key.
        gff3: Whether it is GFF3.
    """
    pattern = (_GFF3 if gff3 else _GTF).replace("KEY", re.escape(key))
    found = pc.extract_regex(pa.array(attributes, pa.string()), pattern)
    values = pc.struct_field(found, "value").to_pandas().astype(object) if gff3 else _gtf_value(found)
    values = values.where(values.notna() & (values != ""), None)
    values.index = attributes.index
    if gff3:
        values = values.str.replace(r'^"(.*)"$', r"\1", regex=True)
        coded = values.str.contains("%", regex=False, na=False)
        values[coded] = values[coded].map(unquote)
    return values


def _gtf_value(found: pa.StructArray) -> pd.Series:
    quoted, bare = (pc.struct_field(found, name) for name in ("quoted", "bare"))
    values: pd.Series = pc.if_else(pc.equal(quoted, ""), bare, quoted).to_pandas().astype(object)
    return values.str.replace(r'\\(["\\])', r"\1", regex=True)
