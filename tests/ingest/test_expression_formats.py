"""CSV, GCT and sample sheets: the values that users' files hold, and what is refused."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from genospark.core import crosswalk
from genospark.core.storage import Warehouse
from genospark.errors import ConfigError, InputError
from genospark.ingest import text_files
from genospark.ingest.expression import IngestExpressionConfig, ingest_expression, read_expression
from genospark.ingest.phenotypes import IngestPhenotypesConfig, read_labels
from genospark.ingest.quoting import record_lines
from genospark.ingest.roles import by_role
from genospark.ingest.sample_sheet import read_sheet
from genospark.ingest.tabular import read_table

CONFIG = IngestExpressionConfig(warehouse="w", cell_type="LCL", state="rest")
GCT = "#1.2\n2\t3\nName\tDescription\tA-1\tA-2\tB-1\nG1\tfirst\t1.5\t0\t7\nG2\tsecond, with a comma\tNA\t3\t8\n"
GCT3 = (
    "#1.3\n2\t3\t2\t1\nid\tDescription\tchr\tA-1\tA-2\tB-1\ntissue\tNA\tNA\tBlood\tSkin\tBlood\n"
    "G1\tfirst\t1\t1.5\t0\t7\nG2\tsecond\t2\tNA\t3\t8\n"
)  # fmt: skip
SHEET = "sample\tsampleId\tcellType\tstate\nA-1\tA\tblood\trest\nA-2\tA\tskin\trest\nB-1\tB\tblood\trest\n"
ROWS = [("A", "G1", "blood", 1.5), ("A", "G1", "skin", 0.0), ("A", "G2", "skin", 3.0), ("B", "G1", "blood", 7.0), ("B", "G2", "blood", 8.0)]


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def _rows(path: Path, sheet: str | None = None) -> list[tuple[object, ...]]:
    found = read_sheet(_file(path.parent, "sheet.tsv", sheet)) if sheet else None
    frame = pd.concat(batch.to_pandas() for batch in read_expression(path, CONFIG, sheet=found))
    return sorted(frame[["sampleId", "geneId", "cellType", "expressionValue"]].itertuples(index=False, name=None))


def test_gct_bed_csv_and_tsv_with_a_sheet_give_the_same_rows(tmp_path: Path) -> None:
    beds = "#chr\tstart\tend\tgene\tA-1\tA-2\tB-1\n1\t0\t1\tG1\t1.5\t0\t7\n1\t5\t6\tG2\tNA\t3\t8\n"
    texts = {
        "e.gct": GCT,
        "e.gct.gz": GCT,
        "id.gct": GCT.replace("Name\t", "id\tName\t").replace("G1\tf", "0\tG1\tf").replace("G2\ts", "1\tG2\ts"),
        "three.gct": GCT3,
        "e.bed": beds,
        "e.csv": "sampleId,G1,G2\nA-1,1.5,NA\nA-2,0,3\nB-1,7,8\n",
        "e.csv.gz": '\ufeff"sampleId","G1","G2"\r\n"A-1","1.5",""\r\n"A-2",0,3\r\nB-1,7,8',
        "e.tsv": "sample\tG1\tG2\nA-1\t1.5\tNA\nA-2\t0\t3\nB-1\t7\t8\n",
    }
    for name, text in texts.items():
        assert _rows(_file(tmp_path, name, text), SHEET) == ROWS, name
    assert _rows(_file(tmp_path, "e.gct", GCT))[0] == ("A-1", "G1", "LCL", 1.5)


def test_what_a_sheet_leaves_open_is_the_files(tmp_path: Path) -> None:
    text = "sampleId,cellType,G1\ns1,B,1\ns2,T,2\n"
    assert _rows(_file(tmp_path, "e.csv", text), "sample,sampleId\ns1,P\ns2,P\n".replace(",", "\t")) == [
        ("P", "G1", "B", 1.0),
        ("P", "G1", "T", 2.0),
    ]


def test_blocks_of_any_size_give_the_same_rows_and_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f'p{i},"a\n""b"", {i}",{i}\r\n' for i in range(50))
    path = _file(tmp_path, "e.csv.gz", f'sampleId,"no\nte",G1\r\n{rows}\r\n\r\n')
    whole = read_table(path)
    assert whole.columns[1] == "no\nte"
    assert list(whole.iloc[:, 1]) == [f'a\n"b", {i}' for i in range(50)]
    assert list(whole.index) == list(range(3, 103, 2))
    gct = "#1.2\n40\t1\nName\tDescription\ts\n" + "".join(f"G{i}\td\t{i}\n" for i in range(40))
    expected = _rows(_file(tmp_path, "e.gct", gct))
    for size in (1, 7, 64):
        monkeypatch.setattr(text_files, "_BLOCK_BYTES", size)
        pd.testing.assert_frame_equal(read_table(path), whole)
        assert _rows(tmp_path / "e.gct") == expected
        with pytest.raises(InputError, match="line 45: the same Name as on an earlier line"):
            _rows(_file(tmp_path, "t.gct", gct.replace("40\t1", "42\t1") + "Gx\td\t1\nG3\td\t1\n"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.text('a,"\n\r 1', max_size=5), min_size=3, max_size=3), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"])
)
def test_csv_is_read_as_pythons_own_module_reads_it(tmp_path: Path, cells: list[list[str]], end: str) -> None:
    cells = [[f"x{cell}".replace("\r", "") for cell in row] for row in cells]
    stream = io.StringIO()
    csv.writer(stream, lineterminator=end).writerows([["a", "b", "c"], *cells])
    path = tmp_path / "x.csv"
    path.write_bytes(stream.getvalue().encode())
    found = read_table(path)
    assert found.to_numpy().tolist() == cells
    lines = np.cumsum([2, *(1 + sum(cell.count("\n") for cell in row) for row in cells[:-1])])
    assert list(found.index) == list(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('sampleId,G1\np1,a"b\n', "line 2: a quote inside a field"),
        ('sampleId,G1\np1,"1"2\n', "line 2: a quote inside a field"),
        ('sampleId,G1\np1,1\np2,"2\n', "line 3: a quote is not closed"),
        ('sampleId,G1\n"p\n1",1\np2,2,3\n', "line 4: 3 columns where 2 are expected"),
        ('sampleId,G1\n"p\n1",1\np2,x\n', "line 4, column G1: 'x' is not a finite number"),
        ("sampleId;G1\np1;1\n", "no column sampleId"),
    ],
)
def test_bad_csv_names_line_and_reason(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        _rows(_file(tmp_path, "e.csv", text))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("#1.2", "#1.1", "line 1: b'#1.1' is not #1.2"),
        ("2\t3\n", "2\n", "line 2: b'2' is not the number of genes and samples"),
        ("2\t3\n", "2\t4\n", "line 2: says 4 samples, but line 3 has 3"),
        ("2\t3\n", "5\t3\n", "line 2: says 5 genes, but the file has 2"),
        ("Name\t", "Gene\t", "line 3: the columns begin with Gene, Description"),
        ("G2\t", "G1\t", "line 5: the same Name as on an earlier line"),
        ("\t7\n", "\tx\n", "line 4, column 5: 'x' is not a finite number"),
        ("\t7\n", "\n", "line 4: 4 columns where 5 are expected"),
    ],
)
def test_bad_gct_names_line_and_reason(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        _rows(_file(tmp_path, "e.gct", GCT.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("B-1\tB\tblood\trest\n", "", "column 5: its sample is not in the sample sheet"),
        ("skin", "blood", "sheet.tsv: line 3: the same sampleId and cellType and state as on an earlier line"),
        ("A-2", "A-1", "sheet.tsv: line 3: the same sample as on an earlier line"),
        ("A-2\tA", "A-2\t", "sheet.tsv: line 3: no sampleId"),
        ("sampleId", "person", "no column sampleId"),
        ("blood\trest\nA-2\tA\tskin", "\trest\nA-2\tA\tLCL", "columns 3, 4 are of the same person, cell type and state"),
    ],
)
def test_a_sheet_that_does_not_fit_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        _rows(_file(tmp_path, "e.gct", GCT), SHEET.replace(old, new))


def test_a_sheet_goes_with_the_files_of_a_run(spark: SparkSession, tmp_path: Path) -> None:
    sheet, extra = (
        _file(tmp_path, f"{name}.csv", text.replace("\t", ",")) for name, text in (("s", SHEET), ("x", SHEET + "C-1\tC\tskin\trest\n"))
    )
    path = _file(tmp_path, "e.gct", GCT)
    config = IngestExpressionConfig(warehouse=str(tmp_path / "w"), inputs=[str(path), f"samples={sheet}"], unit="counts")
    ingest_expression(config, spark)
    found = Warehouse(spark, config.warehouse).read("expression").drop("runId", "state").collect()
    names = crosswalk.read(f"{config.warehouse}-crosswalk")
    assert sorted((names[row[0]], *row[1:4]) for row in found) == ROWS
    assert {row["expressionUnit"] for row in found} == {"counts"}
    with pytest.raises(InputError, match=r"x\.csv: line 5: no input file has a value of the sample"):
        ingest_expression(config.model_copy(update={"inputs": [str(path), f"samples={extra}"]}), spark)
    with pytest.raises(ConfigError, match="2 sample sheets"):
        ingest_expression(config.model_copy(update={"inputs": [str(path), f"samples={extra}", f"samples={sheet}"]}), spark)


def test_paths_may_have_an_equals_sign(tmp_path: Path) -> None:
    path = tmp_path / "date=2024"
    path.mkdir()
    path = _file(path, "e.tsv", "x")
    for entry in (str(path), f"one={path}"):
        assert by_role([entry], ("one", "two"), ("one",)) == {"one": [path]}
    with pytest.raises(ConfigError, match="no role three"):
        by_role(["three=e.tsv"], ("one", "two"), ("one",))


def test_labels_may_be_comma_separated(tmp_path: Path) -> None:
    path = _file(tmp_path, "p.csv", '"sampleId","gout, chronic"\na,0\nb,1\n')
    found = read_labels(path, IngestPhenotypesConfig(warehouse="w"))
    assert list(found.itertuples(index=False, name=None)) == [("a", "gout, chronic", 0), ("b", "gout, chronic", 1)]


def test_lines_of_records_are_found_without_quotes_too() -> None:
    assert record_lines(Path("x.csv"), b"a,b\nc,d\n", 5).tolist() == [5, 6]
