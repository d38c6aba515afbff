"""Between NumPy and Arrow, by buffers.

``pa.array``, ``to_numpy`` and plain values as arguments of Arrow's functions import pandas, which takes longer than checking a small file.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from genospark.ingest.vcf.lines import Ints

Bools = npt.NDArray[np.bool_]


def integers(values: Ints) -> pa.Int64Array:
    """Integers as an Arrow array."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values, np.int64))])


def flags(values: Bools) -> pa.BooleanArray:
    """Booleans as an Arrow array."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(np.packbits(values, bitorder="little"))])


def strings(values: list[str]) -> pa.StringArray:
    """Texts as an Arrow array."""
    texts = [value.encode() for value in values]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(texts)))


def take(array: pa.Array, where: Ints) -> pa.Array:
    """Some values of an array."""
    return array.take(integers(where))


def mask(array: pa.Array) -> Bools:
    """An Arrow array of booleans for NumPy."""
    bits = np.frombuffer(array.buffers()[1] or b"", np.uint8)
    return np.unpackbits(bits, bitorder="little")[array.offset : array.offset + len(array)].view(bool)


def as_integers(array: pa.Array) -> Ints:
    """An Arrow array of integers without nulls for NumPy."""
    kind = np.dtype(str(array.type))
    return np.frombuffer(array.buffers()[1] or b"", kind)[array.offset : array.offset + len(array)].astype(np.int64)


def whole_numbers(array: pa.StringArray) -> Ints:
    """The numbers that texts of digits stand for."""
    return as_integers(array.cast(pa.int64()))


def dots(array: pa.StringArray) -> Bools:
    """Which texts are a dot."""
    return matches(array, "[.]")


def matches(array: pa.StringArray, pattern: str) -> Bools:
    """Which texts a pattern takes as a whole."""
    return mask(pc.match_substring_regex(array, f"^(?:{pattern})$")) if len(array) else np.zeros(0, bool)


def encode(array: pa.StringArray) -> tuple[list[str], Ints]:
    """The different texts of an array, and of each of its texts which of them it is."""
    encoded = array.dictionary_encode()
    return encoded.dictionary.to_pylist(), as_integers(encoded.indices)


def repeats(codes: Ints) -> Bools:
    """Which codes stand earlier in the array, too."""
    later = np.ones(len(codes), bool)
    later[np.unique(codes, return_index=True)[1]] = False
    return later
