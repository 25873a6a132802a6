"""Class tables on disk: the same bits back, and every mistake with its line."""

import numpy as np
import pytest

from zsl_jax import data, errors
from zsl_jax.data import class_files

TABLE = data.ClassTable(
    np.array([[0.1, 1 / 3, -4e-7], [0.0, 1e20, 2.5]], np.float32), np.array([True, False]), ("horse, wild", "zebra")
)


def test_a_table_comes_back_with_the_same_bits(tmp_path):
    class_files.write(tmp_path / "classes.csv", TABLE, ("a", "b", "c"))
    found = class_files.read(tmp_path / "classes.csv", ("a", "b", "c"))
    np.testing.assert_array_equal(found.classes.embedding, TABLE.embedding)
    np.testing.assert_array_equal(found.classes.is_seen, TABLE.is_seen)
    assert found.classes.names == TABLE.names
    assert found.says_seen


def test_columns_come_in_the_order_that_is_wanted(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffclass, b ,a\n\nx,1,2\n")
    found = class_files.read(tmp_path / "t.csv", ("a", "b"))
    assert found.classes.embedding.tolist() == [[2, 1]]
    assert not found.says_seen
    assert not found.classes.is_seen.any()


@pytest.mark.parametrize(
    "text",
    ["class;seen;a;b\nhorse;true;0;1\n", "class\ta\tb\tseen\r\nhorse\t0\t1\tTrue\r\n", ",split,a,b\nhorse,train,0,1\n"],
)
def test_tables_of_spreadsheets(text, tmp_path):
    (tmp_path / "t.csv").write_bytes(text.encode("utf-8-sig"))
    found = class_files.read(tmp_path / "t.csv", ("a", "b"))
    assert found.classes.embedding.tolist() == [[0, 1]]
    assert found.classes.is_seen.tolist() == [True]
    assert found.says_seen


def test_attributes_are_compared_in_one_unicode_form(tmp_path):
    (tmp_path / "t.csv").write_text("class,e\u0301\nx,1\n")
    assert class_files.read(tmp_path / "t.csv", ("\u00e9",)).attributes == ("\u00e9",)


WRONG = {
    "no file": (None, "no class table"),
    "header alone": ("class,a,b\n", "a header"),
    "unknown column": ("class,a,b,cc\nx,1,2,3\n", "unknown attribute in .*'cc'"),
    "column missing": ("class,a\nx,1\n", "no column for the attribute 'b'"),
    "column twice": ("class,a,a,b\nx,1,2,3\n", "'a' is there twice"),
    "class twice": ("class,a,b\nx,1,2\nx,1,3\n", "line 3: the class 'x' is there twice"),
    "cell missing": ("class,a,b\nx,1\n", "line 2: 2 cells, where the header has 3"),
    "no number": ("class,a,b\nx,1,yes\n", "line 2: b is 'yes', not a number"),
    "empty cell": ("class,a,b\nx,1,\n", "line 2: b is '', not a number"),
    "not finite": ("class,a,b\nx,1,nan\n", "b is 'nan'"),
    "no header": ("x,1,2\ny,3,4\n", "line 1: no header, '1' is a number"),
    "no header but flags": ("x,true,1,2\ny,true,3,4\n", "line 1: no header, '1' is a number"),
    "no attribute": ("class,split\nx,train\n", "line 1: no attribute"),
    "attribute without a name": ("class,a,b,\nx,1,2,3\n", "line 1: column 4 has no name"),
    "class without a name": ("class,a,b\n,1,2\n", "line 2: a class without a name"),
    "class twice in other Unicode": (
        "class,a,b\n\u00e9,1,2\ne\u0301,1,2\n",
        "line 3: the class '\u00e9' is there twice",
    ),
    "odd number": ("class,a,b\nx,1,1_0\n", "line 2: b is '1_0', not a number"),
    "decimal comma": ("class;a;b\nx;1;0,5\n", "b is '0,5', with a decimal comma; write 0.5"),
    "beyond float32": ("class,a,b\nx,1,1e39\n", "b is '1e39', beyond float32"),
    "seen": ("class,seen,a,b\nx,maybe,1,2\n", "line 2: seen is 'maybe', not true or false"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_named(case, tmp_path):
    text, words = WRONG[case]
    if text is not None:
        (tmp_path / "t.csv").write_text(text)
    with pytest.raises(errors.UserError, match=words):
        class_files.read(tmp_path / "t.csv", ("a", "b"))
