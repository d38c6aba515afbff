"""From pieces of text to Arrow arrays of the type that the header declares, null where there is no value.

Lists are Glow's: null for a dot, and empty where several values are all dots.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from genospark.ingest.vcf.full.declared import Declared
from genospark.ingest.vcf.full.spans import Bools, Ints, Spans, cut

_LARGEST = np.iinfo(np.int32).max
_DIGITS = 10
_FLOAT = r"^[-+]?([0-9]+\.?[0-9]*([eE][-+]?[0-9]+)?|\.[0-9]+([eE][-+]?[0-9]+)?|(?i:inf(inity)?|nan))$"


def parse(spans: Spans, field: Declared) -> tuple[pa.Array, Bools]:
    """Read the values of a field.

    Args:
        spans: (n,) its text for each record or person.
        field: What the header declares.

    Returns:
        (n,) array of the field's type, and (n,) which text cannot be read as that (these are null).
    """
    return parse_lists(spans, field.type) if field.is_list else parse_single(spans, field.type)


def parse_single(spans: Spans, kind: str) -> tuple[pa.Array, Bools]:
    """Read one value of each span; as ``parse``."""
    missing = spans.missing
    if kind == "Integer":
        values, wrong = integers(spans, missing)
        return pa.array(values, mask=missing | wrong), wrong
    strings = pc.if_else(pa.array(missing), None, spans.strings()) if missing.any() else spans.strings()
    if kind == "Float":
        return _floats(strings)
    return strings, _not_utf8(strings)


def parse_lists(spans: Spans, kind: str) -> tuple[pa.ListArray, Bools]:
    """Read values that are separated by commas; as ``parse``."""
    if spans.marks is not None:
        values, wrong = parse_single(Spans(spans.text, (spans.marks[:, :-1] + 1).ravel(), spans.marks[:, 1:].ravel()), kind)
        if not (values.null_count or wrong.any()):
            offsets = np.arange(len(spans) + 1, dtype=np.int32) * (spans.marks.shape[1] - 1)
            return pa.ListArray.from_arrays(pa.array(offsets), values), wrong[: len(spans)]
    missing = spans.missing
    there = np.flatnonzero(~missing)
    offsets, parts = cut(spans if len(there) == len(spans) else spans.take(there), b",")
    last = offsets[1:] - 1
    # Glow reads nothing after a last comma.
    trailing = last[(np.diff(offsets) > 1) & (parts.begin[last] == parts.end[last])]
    if len(trailing):
        kept = np.ones(len(parts), bool)
        kept[trailing] = False
        offsets, parts = _left(offsets, kept), parts.take(kept)
    values, wrong_parts = parse_single(parts, kind)
    wrong = np.zeros(len(spans), bool)
    if wrong_parts.any():
        wrong[there[np.searchsorted(offsets, np.flatnonzero(wrong_parts), side="right") - 1]] = True
    counts = np.zeros(len(spans), np.int64)
    counts[there] = np.diff(offsets)
    return make_lists(counts, values, missing), wrong


def make_lists(counts: Ints, values: pa.Array, missing: Bools) -> pa.ListArray:
    """Lists of given lengths; one null makes a null, several make an empty list.

    Args:
        counts: (n,) lengths.
        values: All values, one list after the other.
        missing: (n,) lists that are null; their length is 0.
    """
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    if values.null_count:
        nulls = np.zeros(len(values) + 1, np.int64)
        np.cumsum(values.is_null().to_numpy(zero_copy_only=False), out=nulls[1:])
        nothing = (nulls[offsets[1:]] - nulls[offsets[:-1]] == counts) & (counts > 0)
        if nothing.any():
            kept = ~np.repeat(nothing, counts)
            offsets, values = _left(offsets, kept), values.filter(pa.array(kept))
            missing = missing | (nothing & (counts == 1))
    mask = pa.array(missing) if missing.any() else None
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, mask=mask)


def _left(offsets: Ints, kept: Bools) -> Ints:
    before = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(kept, out=before[1:])
    left: Ints = before[offsets]
    return left


def integers(spans: Spans, missing: Bools) -> tuple[npt.NDArray[np.int32], Bools]:
    """Read integers of 32 bits, all of them at the same time.

    Args:
        spans: (n,) pieces.
        missing: (n,) those without a value.

    Returns:
        (n,) values, 0 where there is none; and (n,) which pieces are no such integers.
    """
    wrong = np.zeros(len(spans), bool)
    size = spans.end - spans.begin
    values, known = _short_integers(spans, size)
    known |= missing
    values[missing] = 0
    if not known.all():
        other = np.flatnonzero(~known)
        values[other], wrong[other] = _long_integers(spans.take(other), size[other])
    return values, wrong


def _short_integers(spans: Spans, size: Ints) -> tuple[npt.NDArray[np.int32], Bools]:
    """Numbers of one to four digits without a sign, and which pieces are such."""
    # Digits move into the highest bytes of a word, the last into the top one; those of other pieces move out.
    words = np.zeros(len(spans), np.uint32)
    for place in range(min(4, int(size.max(initial=0)))):
        words |= spans.text.take(spans.begin + place).astype(np.uint32) << np.uint32(8 * place)
    words ^= np.uint32(0x30303030)
    words <<= (np.uint32(32) - (size.astype(np.uint32) << np.uint32(3))) & np.uint32(31)
    known: Bools = (words & np.uint32(0xF0F0F0F0) | (words + np.uint32(0x06060606)) & np.uint32(0xF0F0F0F0)) == 0
    known &= (size > 0) & (size <= 4)
    pairs = (words & np.uint32(0x00FF00FF)) * np.uint32(10) + ((words >> np.uint32(8)) & np.uint32(0x00FF00FF))
    return ((pairs & np.uint32(0xFFFF)) * np.uint32(100) + (pairs >> np.uint32(16))).astype(np.int32), known


def _long_integers(spans: Spans, size: Ints) -> tuple[npt.NDArray[np.int32], Bools]:
    first = spans.text[spans.begin]
    signed = (first == ord("-")) | (first == ord("+"))
    n_digits = size - signed
    wrong = (n_digits == 0) | (n_digits > _DIGITS)
    n_digits[wrong] = 0
    values = np.zeros(len(spans), np.int64)
    for place in range(int(n_digits.max(initial=0))):
        which = np.flatnonzero(n_digits > place)
        digit = spans.text[spans.end[which] - 1 - place] - np.uint8(ord("0"))
        values[which] += digit.astype(np.int64) * 10**place
        wrong[which] |= digit > 9
    negative = first == ord("-")
    wrong |= values > _LARGEST + negative
    # The lowest number stands for a missing value in BCF; Java and Arrow have it.
    values[wrong] = 0
    return np.where(negative, -values, values).astype(np.int32), wrong


def _floats(strings: pa.StringArray) -> tuple[pa.DoubleArray, Bools]:
    # Arrow takes no plus sign, and no point without a digit before it or after it where an exponent follows.
    try:
        values = strings.cast(pa.float64())
        if not _hides_a_fault(values):
            return values, np.zeros(len(strings), bool)
    except pa.ArrowInvalid:
        pass
    # Bytes that are not UTF-8 are no number either, and are matched as bytes.
    right = pc.fill_null(pc.match_substring_regex(strings.cast(pa.binary()), _FLOAT), True)
    good = pc.utf8_ltrim(pc.if_else(right, strings, None), "+")
    return good.cast(pa.float64()), ~right.to_numpy(zero_copy_only=False)


def _hides_a_fault(values: pa.DoubleArray) -> bool:
    """Whether there are infinities or NaNs: Arrow reads `nan(x)` as well."""
    return not bool(pc.all(pc.is_finite(values)).as_py() in (True, None))


def _not_utf8(strings: pa.StringArray) -> Bools:
    try:
        strings.validate(full=True)
    except pa.ArrowInvalid:
        return np.array([not _decodes(value) for value in strings.cast(pa.binary())])
    return np.zeros(len(strings), bool)


def _decodes(value: pa.BinaryScalar) -> bool:
    try:
        (value.as_py() or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
