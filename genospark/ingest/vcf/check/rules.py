"""The rules that ``check-vcf`` knows: one table, from which ``docs/check-vcf.md`` is made.

Severity: an error breaks what a version of the specification demands; a warning breaks what it recommends, or what it demands but
widespread tools and the specification's own examples do not keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
VERSIONS = ("4.1", "4.2", "4.3", "4.4", "4.5")


def since(first: str) -> tuple[str, ...]:
    """The versions from one on."""
    return VERSIONS[VERSIONS.index(first) :]


def until(last: str) -> tuple[str, ...]:
    """The versions up to one."""
    return VERSIONS[: VERSIONS.index(last) + 1]


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        id: Name, as findings show it.
        says: What a valid file does.
        error: Versions in which a breach is an error.
        warning: Versions in which it is a warning.
    """

    id: str
    says: str
    error: tuple[str, ...] = VERSIONS
    warning: tuple[str, ...] = ()

    def severity(self, version: str) -> Severity | None:
        """Severity of a breach; None where the version does not have the rule."""
        return "error" if version in self.error else "warning" if version in self.warning else None


def _advice(name: str, says: str, versions: tuple[str, ...] = VERSIONS) -> Rule:
    return Rule(name, says, (), versions)


_TABLE = (
    # The file.
    Rule("file-readable", "The file can be opened, and its compressed data are whole."),
    Rule("file-bgzf-end", "A bgzipped file ends with the empty block that marks its end."),
    _advice("file-gzip", "Compressed files are bgzipped: gzip alone cannot be read in parallel or by region."),
    Rule("file-empty", "The file is not empty."),
    Rule("file-bom", "The file does not begin with a byte order mark."),
    Rule("file-utf8", "The text is UTF-8.", since("4.3"), until("4.2")),
    Rule("file-control", "No control characters, and carriage returns at line ends only.", since("4.3"), until("4.2")),
    Rule("file-line-end", "The last line ends with a line separator.", since("4.3"), until("4.2")),
    Rule("file-empty-line", "No empty lines between others."),
    _advice("file-empty-end", "No empty lines after the last record."),
    # Meta lines.
    Rule("fileformat", "The first line is ##fileformat=VCFv4.1, or 4.2 to 4.5, and no other line repeats it."),
    Rule("meta-pair", "A meta line is ##KEY=VALUE, neither of them empty."),
    Rule("meta-structure", "ALT, FILTER, FORMAT, INFO, META, PEDIGREE, SAMPLE and contig lines are <KEY=VALUE,...>, well-formed."),
    Rule("meta-key", "The keys that a structured line needs are there."),
    Rule("meta-key-repeated", "No key stands twice in a structured line."),
    _advice("meta-description", "FILTER and ALT lines have a Description.", since("4.4")),
    Rule("meta-order", "ID, Number, Type and Description stand in this order.", until("4.3"), since("4.4")),
    Rule("meta-quotes", "Description, Source and Version are quoted, ID, Number and Type are not; quotes inside are escaped."),
    _advice("meta-optional-quotes", "Optional fields of INFO, FORMAT, FILTER and ALT lines are quoted.", since("4.3")),
    Rule("meta-number", "Number is an integer, a dot, A or G; R from 4.2; in FORMAT P from 4.4, LA, LR, LG and M from 4.5."),
    Rule("meta-type", "Type is Integer, Float, Flag (not in FORMAT), Character or String."),
    _advice("meta-flag", "Number is 0 where Type is Flag, and nowhere else."),
    Rule("meta-id", "An ID has the characters that its kind of line allows."),
    Rule("meta-id-repeated", "IDs are unique among the lines of a kind.", since("4.3"), until("4.2")),
    _advice("meta-contig-repeated", "No contig is declared twice."),
    Rule("meta-reserved", "A reserved INFO or FORMAT key has the Number and Type that the specification gives it."),
    _advice("meta-reserved-sv", "A key reserved for structural variants has the Number and Type that the specification gives it."),
    Rule("meta-alt-type", "Subtypes of structural variants (TYPE:SUBTYPE) are of DEL, INS, DUP, INV, CNV or, until 4.3, BND."),
    _advice("meta-alt-first", "ALT lines declare DEL, INS, DUP, INV or CNV, with or without a subtype.", until("4.2")),
    Rule("meta-contig-length", "The length of a contig is a positive integer."),
    _advice("meta-contig-md5", "The md5 of a contig is 32 hexadecimal digits.", since("4.3")),
    Rule("meta-url", "assembly and pedigreeDB are URLs of a host that can be one."),
    _advice("meta-url-form", "assembly and pedigreeDB are URLs."),
    Rule("meta-sample", "A SAMPLE line has ID, Genomes, Mixture and Description, and only Description is quoted.", until("4.2")),
    Rule("meta-pedigree", "Ids in PEDIGREE lines have no whitespace."),
    Rule("meta-values", "The Values of a META line are a list in square brackets.", since("4.3")),
    # The line of column names.
    Rule("columns-missing", "A line of column names (#CHROM ...) stands between meta lines and records."),
    Rule("columns-names", "The columns are #CHROM POS ID REF ALT QUAL FILTER INFO and, with genotypes, FORMAT, divided by tabs."),
    Rule("columns-samples", "FORMAT is followed by samples."),
    Rule("sample-empty", "No sample id is empty."),
    Rule("sample-repeated", "No sample id stands twice."),
    # Records: columns of sites.
    Rule("record-columns", "A record has as many columns as there are names, divided by tabs."),
    Rule("chrom", "CHROM is a name of a contig, or <ID>, without whitespace, commas, brackets or quotes."),
    _advice("chrom-undeclared", "Contigs are declared by ##contig lines."),
    Rule("pos", "POS is an integer from 0 to 2147483647."),
    Rule("pos-beyond", "POS is not beyond the end of its contig (or one base after it, for a telomere)."),
    Rule("pos-order", "Positions do not decrease within a contig."),
    Rule("chrom-contiguous", "The records of a contig follow each other."),
    Rule("id", "ID is a dot or a list with semicolons, without whitespace and empty ids."),
    Rule("id-repeated", "No id stands twice in a record.", since("4.3"), until("4.2")),
    _advice("id-shared", "No id stands in two records (looked for among neighbours: 16 MiB of text)."),
    Rule("ref", "REF is made of the letters A, C, G, T and N."),
    Rule("alt", "An ALT allele is made of A, C, G, T and N, or is *, <ID> or a breakend; a dot stands alone."),
    Rule("alt-type", "A symbolic TYPE:SUBTYPE that is not declared is of DEL, INS, DUP, INV, CNV or, until 4.3, BND."),
    _advice("alt-undeclared", "Symbolic alleles are declared by ##ALT lines."),
    Rule("alt-repeated", "No ALT allele of bases stands twice in a record."),
    Rule("alt-is-ref", "No ALT allele is REF."),
    Rule("variant-repeated", "No variant of bases stands in two records, however it is padded."),
    Rule("qual", "QUAL is a dot or a number that is not negative."),
    Rule("filter", "FILTER is a dot, PASS or a list with semicolons, without whitespace, empty names and dots among others."),
    _advice("filter-pass", "PASS stands alone."),
    Rule("filter-zero", "No filter is called 0."),
    Rule("filter-repeated", "No filter stands twice in a record."),
    _advice("filter-undeclared", "Filters are declared by ##FILTER lines."),
    # INFO.
    Rule("info", "INFO is a dot or entries with semicolons, none of them empty."),
    Rule("info-key", "INFO keys are letters, digits, underscores and dots, not beginning with a digit; or 1000G.", since("4.3")),
    Rule("info-space", "INFO has no whitespace; from 4.3 on values may have spaces."),
    _advice("info-equals", "INFO values have no equals sign."),
    Rule("info-repeated", "No INFO key stands twice in a record."),
    _advice("info-undeclared", "INFO keys are declared by ##INFO lines."),
    Rule("info-value", "An INFO key whose Type is not Flag has a value."),
    Rule("info-flag", "A flag has no value."),
    _advice("info-flag-number", "A flag has not even the value 0 or 1."),
    Rule("info-type", "INFO values are of their declared (or reserved) Type."),
    Rule("info-number", "INFO has as many values as the declared (or reserved) Number says."),
    _advice("info-quoted", "Values in quotes are no lists: commas divide them all the same."),
    Rule("info-range", "Counts and depths are not negative, and frequencies lie between 0 and 1."),
    _advice("info-percent", "A percent sign begins a percent-encoded character, with capital letters.", since("4.3")),
    Rule("info-ac-an", "AC is not above AN."),
    _advice("info-end", "END is not before POS."),
    # Structural variants, as 4.4 defines them.
    Rule("sv-svlen", "SVLEN is given for DEL, INS, DUP and CNV alleles.", since("4.4")),
    Rule("sv-svlen-other", "SVLEN is missing (.) for alleles that are neither symbolic nor breakends.", since("4.4")),
    Rule("sv-svclaim", "SVCLAIM is D, J or DJ as its allele allows, and is given for DEL and DUP.", since("4.4")),
    Rule("sv-count", "CIPOS, CIEND, CILEN, CICN have two and MEINFO, METRANS four values per ALT allele.", since("4.4")),
    Rule("sv-interval", "Confidence intervals span 0: first bounds are not above it, second ones not below.", since("4.4")),
    Rule("sv-repeat", "CNV:TR alleles have RUS or RUL; RN says how many values RUS, RUL, RUC, RB and their intervals have.", since("4.4")),
    Rule("sv-repeat-units", "RUB goes with whole RUC and has a value per repeat unit; RUS is as long as RUL.", since("4.4")),
    Rule("sv-cn-length", "With FORMAT CN all CNV, DEL and DUP alleles have the same SVLEN.", since("4.4")),
    # FORMAT and samples.
    Rule("format", "FORMAT is a list of keys with colons, none of them empty."),
    Rule("format-gt", "GT is the first key where it stands in FORMAT."),
    Rule("format-key", "FORMAT keys are letters, digits, underscores and dots (or percent-encoded), not beginning with a digit."),
    _advice("format-key-letters", "FORMAT keys are letters and digits only.", until("4.2")),
    Rule("format-repeated", "No FORMAT key stands twice.", since("4.3"), until("4.2")),
    _advice("format-undeclared", "FORMAT keys are declared by ##FORMAT lines."),
    Rule("format-needs", "CICN comes with CN, local-allele keys with LAA right after GT.", since("4.4")),
    Rule("sample-fields", "A sample has no more fields than FORMAT, and none that is empty."),
    Rule("gt", "A genotype is alleles (numbers or dots) divided by / or |; from 4.4 on it may begin with one."),
    _advice("gt-end", "A genotype does not end with a separator."),
    Rule("gt-allele", "A genotype has only alleles that the record has."),
    _advice("gt-allele-dot", "A genotype has no allele 1 where ALT is a dot."),
    Rule("sample-type", "Values of samples are of the declared Type."),
    _advice("sample-type-reserved", "Values of reserved keys that are not declared are of their Type."),
    Rule("sample-number", "A sample has as many values as Number says, for its ploidy where Number is G or P."),
    Rule("sample-range", "Depths, qualities and Phred-scaled likelihoods are not negative; GP lies between 0 and 1 from 4.3 on."),
    _advice("sample-likelihood", "Log-scaled likelihoods are not positive."),
    Rule("sample-interval", "CICN spans 0.", since("4.4")),
    Rule("sample-phase-set", "Unphased alleles have no PSL, those without it no PSO and PSQ; PS and PSL exclude each other.", since("4.4")),
    Rule("sample-local", "LAA are distinct numbers of ALT alleles.", since("4.5")),
)  # fmt: skip
RULES = {rule.id: rule for rule in _TABLE}
