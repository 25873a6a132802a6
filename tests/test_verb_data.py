"""`data check` says what a folder is and lists all that is wrong with it; `data prepare` says where it wrote."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import tiny_xlsa17

from zsl_jax import errors
from zsl_jax.verbs import data


def check(capsys, *argv) -> tuple[int, str]:
    code = data.main(["check", *map(str, argv)])
    return code, capsys.readouterr().out


def numbers_of_tiny() -> list[str]:
    """The lines on the attributes, by loops."""
    table, names = tiny_xlsa17.variables()["original_att"].T / 100, tiny_xlsa17.NAMES
    away = [np.abs(np.delete(table, i, axis=0) - row).max(axis=1).min() for i, row in enumerate(table)]
    ratio = [max(row / np.delete(table, i, axis=0).mean(axis=0)) for i, row in enumerate(table)]
    correlation = (np.abs(np.corrcoef(table.T)) - np.eye(4)).max(axis=1)
    return [
        f"separable any two classes differ by {min(away):.2f} or more in some attribute "
        f"({names[np.argmin(away)]!r} is nearest to another), median {np.median(away):.2f}",
        f"RoA the attribute that speaks most for a class is there {min(ratio):.1f} times as often as in the others for "
        f"{names[np.argmin(ratio)]!r}, the least; median {np.median(ratio):.1f} times",
        f"redundancy {np.sum(correlation > 0.95)} of 4 attributes correlate with another by more than .95; median "
        f"{np.median(correlation):.2f}",
    ]


def test_a_sound_folder(tmp_path, capsys):
    code, out = check(capsys, tiny_xlsa17.write(tmp_path / "tiny"))
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert [line for line in lines if not line.startswith("file")] == [
        "folder tiny",
        "images 24 of 5 features: 12 train, 4 test_seen, 8 test_unseen",
        "classes 6: 4 seen (1 of them for validation by val_loc), 2 unseen",
        "per class least / median / most images: train 3 / 3 / 3, test_seen 1 / 1 / 1, test_unseen 4 / 4 / 4",
        next(line for line in lines if line.startswith("attributes 4 of 'att', values 0.")),
        *numbers_of_tiny(),
        "semantics att",
        "split own split: its counts are those of no published benchmark",
        "note train_loc and val_loc hold 4 seen test images: only their classes are used, no image",
        "verdict sound",
    ]


def test_a_folder_with_several_faults_lists_them_all(tmp_path, capsys):
    held = tiny_xlsa17.variables()
    held["features"][0, 0] = np.nan
    held["att"][:, 1] = 0
    held["test_seen_loc"][0] = 100
    held["allclasses_names"][2] = "cat"
    code, out = check(capsys, tiny_xlsa17.write(tmp_path / "tiny", held))
    assert code == 2
    wrong = [line.split(maxsplit=1)[1] for line in out.splitlines() if line.startswith("wrong")]
    assert wrong == [
        "allclasses_names: 'cat' named twice",
        "att: an empty class: the description of 'class 2' is all zeros",
        "features: 1 value NaN, Inf or beyond float32, the first in image 1",
        "test_seen_loc: 1 index outside 1..24, the first 100",
    ]
    assert out.splitlines()[-1].split() == ["verdict", "4", "problems"]


@pytest.mark.parametrize("part", ["att_splits.mat", "res101.mat"])
def test_half_a_folder_is_described_as_far_as_it_goes(part, tmp_path, capsys):
    folder = tiny_xlsa17.write(tmp_path / "tiny")
    (folder / part).write_bytes(b"not a .mat file")
    code, out = check(capsys, folder)
    assert code == 2
    assert f"wrong       {part}: not a readable .mat file" in out
    assert "verdict     1 problem" in out


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "AWA1",
            [
                "images 19832 train, 4958 test_seen, 5685 test_unseen",
                "split proposed split (PS) of AWA1 by counts and hash; with train_loc and val_loc that leave the "
                "seen test images out",
                "note original_att marks 4 values as missing (-1), of 'antelope'",
                "verdict 1 problem",
            ],
        ),
        (
            "CUB",
            [
                "split proposed split (PS) of CUB by counts and hash; as in v2, without train_loc and val_loc",
                "verdict 1 problem",
            ],
        ),
        (
            "CUB127",
            [
                "images 7456 of 2304 features: 4402 train, 1087 test_seen, 1967 test_unseen",
                "classes 127: 94 seen (30 of them for validation by val_loc), 33 unseen",
                "semantics att, sent",
                "note train_loc and val_loc hold 1087 seen test images: only their classes are used, no image",
                "verdict sound",
            ],
        ),
    ],
)
def test_real_folders(name, lines, shared_data, capsys):
    code, out = check(capsys, shared_data / "xlsa17" / name)
    assert code == (0 if "verdict sound" in lines else 2)
    said = [" ".join(line.split()) for line in out.splitlines()]
    assert [line for line in lines if line not in said] == []
    assert len(said) <= 24  # one screen


def test_prepare_says_where_it_is_and_draws_no_bar_off_a_terminal(tmp_path, capsys):
    folder = tiny_xlsa17.write(tmp_path / "tiny")
    assert data.main(["prepare", str(folder), f"--data_dir={tmp_path / 'prepared'}"]) == 0
    captured = capsys.readouterr()
    path = captured.out.strip()
    assert path.startswith(str(tmp_path / "prepared" / "xlsa17" / "tiny-att-"))
    assert (tmp_path / "prepared" / path / "dataset_info.json").is_file()
    assert captured.err == ""


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["chek", "x"], "unknown action of data 'chek': did you mean 'check'?"),
        (["check"], "takes one folder, not 0"),
        (["check", "a", "b"], "takes one folder, not 2"),
        (["check", "none"], "no folder 'none'"),
        (["check", "x", "--semantic=att"], "Did you mean: semantics"),
        (["check", "x", "--data_dir=y"], "data_dir"),
        (["prepare", "none"], "no folder 'none'"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(argv, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.UserError) as caught:
        data.main(argv)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_help_is_asked_for_or_due(capsys):
    assert data.main(["--help"]) == 0
    assert data.main(["check", "--help"]) == 0
    assert capsys.readouterr().out.count("data check FOLDER") == 2
    assert data.main([]) == 2
    assert "data check FOLDER" in capsys.readouterr().err


def test_check_starts_without_what_it_does_not_need():
    code = "import sys; from zsl_jax.verbs import data; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    unneeded = {"tensorflow_datasets", "flax", "optax", "scipy", "orbax"}
    assert all(importlib.util.find_spec(name) for name in unneeded)
    assert "zsl_jax.data.xlsa17" in loaded
    assert not unneeded & set(loaded)
