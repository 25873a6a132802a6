"""Attributes have the names that a file in the benchmark's folder gives them, in every verb."""

import pytest
import tiny_xlsa17

from zsl_jax import __main__, errors
from zsl_jax.data import attribute_files, class_files, xlsa17
from zsl_jax.verbs.bounding import tables


@pytest.fixture
def bench(tmp_path):
    return tiny_xlsa17.write(tmp_path / "tiny", tiny_xlsa17.variables())


def count(bench) -> int:
    return len(xlsa17.read(bench).variables["att"])


@pytest.mark.parametrize(
    "file", [attribute_files.NAMES[0], pytest.param(attribute_files.NAMES[1], marks=pytest.mark.long)]
)
def test_names_of_the_folder_are_those_of_the_dataset(file, bench, capsys):
    wanted = tuple(f"has colour::{i}" for i in range(count(bench)))
    assert class_files.attribute_names(xlsa17.load(bench))[0] == "attribute 1"
    (bench / file).write_text("\n".join(wanted) + "\n")
    assert class_files.attribute_names(xlsa17.load(bench)) == wanted
    assert tables.read(str(bench), "all").attributes == wanted
    assert __main__.main(["data", "check", str(bench)]) == 0
    assert f"({wanted[0]}, {wanted[1]}, ...)" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["{name}", "{number} {name}", "{number}\t{name}"])
def test_numbers_before_names_are_left_out(form, tmp_path):
    lines = [form.format(number=number, name=f"has colour::{number}") for number in (1, 2)]
    (tmp_path / "attributes.txt").write_text("\n".join(lines) + "\n")
    assert attribute_files.of_folder(tmp_path, 2) == ("has colour::1", "has colour::2")


def test_a_file_that_does_not_fit_is_one_line(bench):
    (bench / "attributes.txt").write_text("one\n")
    with pytest.raises(errors.UserError, match=rf"names 1 attributes, and the benchmark has {count(bench)}"):
        xlsa17.load(bench)
    (bench / "attributes.txt").write_text("same\n" * count(bench))
    with pytest.raises(errors.UserError, match="'same' is there twice"):
        xlsa17.load(bench)
