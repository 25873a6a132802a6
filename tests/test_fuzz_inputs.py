"""The short form of the fuzzing program; the long one is run by hand, see docs/reliability.md."""

import time

import fuzz_doors
import fuzz_inputs
import pytest

from zsl_jax import errors

COUNT = {"mat": 1, "prepared": 12}


@pytest.mark.parametrize("door", fuzz_doors.DOORS)
def test_damaged_files_are_read_rightly_or_refused_in_one_line(door):
    count = COUNT.get(door, 40)
    found = fuzz_inputs.fuzz(door, count, seed=1)
    assert found.faults == []
    assert found.outcomes.total() == count


def test_every_door_is_in_the_table():
    assert fuzz_doors.DOORS.keys() == fuzz_doors.TITLES.keys()


def test_what_may_not_happen_is_found(tmp_path, monkeypatch):
    path, content = tmp_path / "x.bin", bytes(range(100))
    path.write_bytes(content)
    readers = {
        "right": lambda data: data,
        "wrong": lambda data: data[:-1],
        "traceback": lambda data: data[1000],
        "several lines": lambda data: fail("one\nand another"),
        "one line": lambda data: fail("what is wrong"),
        "hang": lambda data: time.sleep(60),
    }

    def fail(text):
        raise errors.UserError(text)

    door = fuzz_doors.Door([path], path.read_bytes, lambda found: found == content)
    monkeypatch.setattr(fuzz_inputs, "_PATIENCE", 1)
    for name, reader in readers.items():
        door.read = lambda reader=reader: reader(path.read_bytes())
        assert fuzz_inputs.attempt(door)[0] == ("traceback" if name == "several lines" else name)
