"""Genotypes that are not two one-digit alleles, read character by character, all of them at the same time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genospark.ingest.vcf.faults import Wrong
from genospark.ingest.vcf.lines import SITE_TABS, Ints, Lines

NO_CALL = 0
"""Allele code of a dot; allele k has code k + 1."""
ABSENT = 0xFFFF
"""Code of the second allele of a haploid genotype."""
WORST_ALLELE = 0xFFF0
"""All larger allele numbers are read as this one, which no record has."""
SEPARATOR, END, OTHER = 253, 254, 255


def _allele_codes() -> bytes:
    codes = {ord("."): NO_CALL, **{ord("0") + digit: digit + 1 for digit in range(10)}}
    codes |= dict.fromkeys(b"/|", SEPARATOR) | dict.fromkeys(b"\t:\n", END)
    return bytes(codes.get(byte, OTHER) for byte in range(256))


ALLELE_CODES = _allele_codes()
"""What each byte means in a genotype: the code of an allele, a separator, the end, or nothing."""
_CODES = np.frombuffer(ALLELE_CODES, np.uint8)
_NOTHING = -1


def read_irregular(lines: Lines, line: Ints, person: Ints, refused: dict[int, Wrong]) -> tuple[npt.NDArray[np.uint32], int]:
    """Read genotypes of any form, in as many steps as the longest has characters.

    A separator before the first allele, which VCF 4.4 allows, says nothing that is kept. A genotype of more than two alleles, for which
    packed calls have no room, is the highest of them and a missing one.

    Args:
        lines: Records.
        line: (m,) indexes of lines.
        person: (m,) indexes of people.
        refused: By index, lines of which a genotype has a character it cannot have, or an empty allele; they are added, and their codes
            mean nothing.

    Returns:
        (m,) allele codes as uint32: the first in the low 16 bits, the second in the high ones; and how many have more than two.
    """
    text = lines.chunk.buffer
    at = lines.tabs[lines.row[line], SITE_TABS - 1 + person] + 1
    codes = np.full((len(at), 2), ABSENT, np.int64)
    active = np.arange(len(at))
    current = np.full(len(at), _NOTHING)
    slot = np.zeros(len(at), np.int64)
    step = 0
    while len(active):
        code = _CODES[text[at[active] + step]]
        # A carriage return belongs to the end of a line, and to no other.
        returns = np.flatnonzero(text[at[active] + step] == ord("\r"))
        code[returns[text[at[active[returns]] + step + 1] == ord("\n")]] = END
        now = current[active]
        empty = now == _NOTHING
        digit = (code > NO_CALL) & (code <= 10)
        is_break = code >= SEPARATOR
        wrong = (code == OTHER) | ((code == NO_CALL) & ~empty) | (digit & (now == NO_CALL)) | (is_break & empty)
        if step == 0:
            wrong &= code != SEPARATOR
        _refuse(lines, line, person, active[wrong], refused)
        # Codes are allele numbers plus one: 1 after "0", then 10 * 1 + ... after "01".
        longer = np.minimum(10 * (now - 1) + code, WORST_ALLELE + 1)
        current[active] = np.where(is_break, _NOTHING, np.where(digit & ~empty, longer, code))
        done = active[is_break & ~empty]
        two, found = slot[done] < 2, now[is_break & ~empty]
        codes[done[two], slot[done[two]]] = found[two]
        codes[done[~two], 0] = np.maximum(codes[done[~two], 0], found[~two])
        slot[done] += 1
        active = active[(code != END) & ~wrong]
        step += 1
    many = slot > 2
    codes[many] = np.stack([codes[many].max(axis=1), np.full(int(many.sum()), NO_CALL)], axis=1)
    return (codes[:, 0] | codes[:, 1] << 16).astype(np.uint32), int(many.sum())


def _refuse(lines: Lines, line: Ints, person: Ints, which: Ints, refused: dict[int, Wrong]) -> None:
    """Adds the lines of some genotypes, each with the first of them."""
    for at in which[np.unique(line[which], return_index=True)[1]].tolist():
        row, column = int(line[at]), int(person[at])
        if row in refused:
            continue
        place = f"sample {column + 1} (column {column + 10})"
        begin = int(lines.tabs[lines.row[row], SITE_TABS - 1 + column]) + 1
        found = bytes(lines.chunk.buffer[begin : begin + 40]).split(b"\n")[0].split(b"\t")[0].split(b":")[0].decode(errors="replace")
        detail = f"{found!r}, {place}, cannot be read as a genotype"
        refused[row] = lines.wrong(row, str(column + 10), "a genotype cannot be read", "correct the genotype", detail)
