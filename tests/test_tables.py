"""Text tables: what spreadsheets write is read, and what would be read wrongly is refused with its line."""

import pytest

from zsl_jax import errors
from zsl_jax.data import tables

CELLS = [["class", "a", "b"], ["horse", "0", "1.5"], ["é", "1", "-2"]]


def write(path, text: str | bytes):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_ends_and_marks(tmp_path, separator, end, encoding):
    text = end.join(separator.join(f" {cell} " for cell in line) for line in CELLS)
    found = list(tables.rows(write(tmp_path / "t.csv", text.encode(encoding))))
    assert [cells for _, cells in found] == CELLS
    assert [line for line, _ in found] == ([1, 3, 5] if end == "\n\n" else [1, 2, 3])


def test_what_is_quoted_is_a_cell(tmp_path):
    path = write(tmp_path / "t.csv", 'class,"big, red; round",b\nhorse,1,"2"\n')
    assert [cells for _, cells in tables.rows(path)] == [["class", "big, red; round", "b"], ["horse", "1", "2"]]
    path = write(tmp_path / "t.csv", "a;b.jpg,1,2\nc;d.jpg,3,4\n")
    assert [cells for _, cells in tables.rows(path)] == [["a;b.jpg", "1", "2"], ["c;d.jpg", "3", "4"]]


WRONG = {
    "Latin-1": ("class,a\ncafé,1\n".encode("latin-1"), "line 2: byte 0xe9 is not UTF-8, of Latin-1"),
    "UTF-16": ("class,a\nx,1\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
    "UTF-32": ("class,a\nx,1\n".encode("utf-32"), "is UTF-32; save it as UTF-8"),
    "UTF-16 without mark": ("class,a\nx,1\n".encode("utf-16-le"), "line 1: a zero byte"),
    "quote at the start": ('"1,2\n3,4\n', "line 1: a quote is not closed"),
    "quote in the middle": ('1,"2\n3,4\n', "line 1: a quote is not closed"),
    "quote over lines": ('1,2\n"3,4\n5,6",7\n', "a quoted cell runs from line 2 to line 3"),
    "sign after a quote": ('"1"x,2\n', "line 1: "),
    "long cell": ("9" * 200_000 + ",1\n", "line 1: a cell of more than 131,072 characters, or a quote"),
    "decimal commas": ("0,5;1,5\n2,5;3,5\n", "comma and semicolon could each separate its cells; write decimals"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_a_line(case, tmp_path):
    text, words = WRONG[case]
    with pytest.raises(errors.UserError, match=words) as caught:
        list(tables.rows(write(tmp_path / "t.csv", text)))
    assert str(caught.value).startswith(str(tmp_path / "t.csv"))


def test_a_long_line_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_BYTES", 100)
    with pytest.raises(errors.UserError, match="line 2: longer than"):
        list(tables.rows(write(tmp_path / "t.csv", "1,2\n" + "1," * 60 + "\n")))


@pytest.mark.parametrize("text", ["0", "-1.5", "+3", ".5", "1.", "1e3", "1E-3", "3.4e38"])
def test_numbers(text):
    assert tables.number(text) == float(text)


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-Infinity", "1_0", "１", "0x10", "1e39", "1e999", "1 2", "--1", "1,5"]
)
def test_no_numbers(text):
    assert tables.number(text) is None
    assert "\n" not in tables.fault(text)
