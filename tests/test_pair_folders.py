"""Pairs in folders: ATTRIBUTE_OBJECT, and the layout of the field's benchmarks, whose metadata run nothing."""

import io
import os
import pickle
import re
import sys
import zipfile

import numpy as np
import PIL.Image
import pytest

from zsl_jax import __main__, data, errors
from zsl_jax import config as config_lib
from zsl_jax.data import pair_checks, pair_folders, plain_pickle
from zsl_jax.training import protocols

LISTS = {
    "train": ["old apple", "old car", "red apple", "red dog"],
    "val": ["old apple", "red car"],
    "test": ["red apple", "old dog"],
}


def legacy(value, protocol=2) -> bytes:
    """A file as torch wrote it before version 1.6: four pickles, the last of which is the value."""
    sizes = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    return b"".join(pickle.dumps(x, protocol) for x in (0x1950A86A20F9469CFC6C, 1001, sizes, value))


def zipped(value) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(value, 2))
        archive.writestr("archive/version", "3")
    return file.getvalue()


def entries(lists=LISTS):
    return [
        {"image": f"{pair.replace(' ', '_')}/{phase}{i}.jpg", "attr": pair.split()[0], "obj": pair.split()[1]}
        | {"set": phase}
        for phase, pairs in lists.items()
        for pair in pairs
        for i in range(2)
    ]


def layout(folder, *, listed=LISTS, found=None, dump=legacy):
    (folder / pair_folders.SPLIT).mkdir(parents=True)
    for phase, pairs in listed.items():
        (folder / pair_folders.SPLIT / f"{phase}_pairs.txt").write_text("\n".join(pairs) + "\n")
    rows = entries() if found is None else found
    (folder / f"metadata_{pair_folders.SPLIT}.t7").write_bytes(dump(rows))
    names = [row["image"] for row in rows if isinstance(row, dict)]
    features = np.random.default_rng(0).standard_normal((len(names), 4)).astype(np.float32)
    np.savez(
        folder / "features.npz", features=features[::-1], files=np.array([f"images/{name}" for name in names])[::-1]
    )
    return features


@pytest.mark.parametrize("dump", [legacy, zipped, lambda value: pickle.dumps(value, 4)])
def test_a_benchmark_is_read_with_its_features(dump, tmp_path):
    unused = {"image": "x.jpg", "attr": "NA", "obj": "car", "set": "train"}
    features = layout(tmp_path / "MIT", found=[*entries(), unused], dump=dump)
    found = data.load("pairs", file=str(tmp_path / "MIT" / "features.npz"), dir=str(tmp_path / "MIT"))
    np.testing.assert_array_equal(found.inputs, features[:-1])
    seen = {name for name, seen in zip(found.classes.names, found.classes.is_seen) if seen}
    assert seen == set(LISTS["train"])
    for phase, use in pair_folders.PHASES.items():
        assert {found.classes.names[row] for row in found.labels[found.splits[use]]} == set(LISTS[phase])
    assert set(found.info["files"]) == {
        *(f"{pair_folders.SPLIT}/{phase}_pairs.txt" for phase in LISTS),
        f"metadata_{pair_folders.SPLIT}.t7",
        "features.npz",
    }


def changed(row, **values):
    rows = entries()
    rows[row] |= values
    return {"found": rows}


def listing(**lists):
    return {"listed": LISTS | lists, "found": entries(LISTS | lists)}


WRONG = {
    "a pair without images": (
        {"listed": LISTS | {"test": [*LISTS["test"], "old hat"]}},
        r"1 pair \('old hat'\) of test_pairs.txt without an image",
    ),
    "an unlisted pair": (
        changed(0, obj="dog"),
        r"images of 1 pair \('old dog'\) in the split train, but not in train_pairs",
    ),
    "an image in two splits": (
        changed(8, image="old_apple/train0.jpg"),
        "image 'old_apple/train0.jpg' is in the splits train and val",
    ),
    "a leak": (listing(val=["old dog"]), r"1 pair \('old dog'\) unseen in validation and in test"),
    "a new object": (listing(test=["red apple", "old hat"]), "object 'hat' of test_pairs.txt is in no pair of train"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_benchmark_is_said_by_check_and_at_load(case, tmp_path, capsys):
    options, message = WRONG[case]
    layout(tmp_path / "MIT", **options)
    with pytest.raises(errors.UserError, match=message):
        data.load("pairs", file=str(tmp_path / "MIT" / "features.npz"), dir=str(tmp_path / "MIT"))
    assert __main__.main(["data", "check", str(tmp_path / "MIT")]) == 2
    assert "wrong  " in capsys.readouterr().out


def test_check_counts_a_sound_benchmark(tmp_path, capsys):
    layout(tmp_path / "MIT")
    assert __main__.main(["data", "check", str(tmp_path / "MIT")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "test        2 pairs, 1 of them unseen; 4 images" in lines
    assert "open world  2 attributes x 3 objects = 6 candidates" in lines
    assert lines[-1] == "verdict     sound"


class Calls:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_metadata_run_nothing(tmp_path):
    for number, value in enumerate([[Calls()], [np.zeros(2)], [sys.intern]]):
        path = tmp_path / f"{number}.t7"
        path.write_bytes(legacy(value))
        with pytest.raises(errors.UserError, match="holds more than lists of plain values"):
            plain_pickle.read(path)
    whole = legacy(entries())
    for cut in range(0, len(whole), 97):
        (tmp_path / "cut.t7").write_bytes(whole[:cut])
        with pytest.raises(errors.UserError):
            plain_pickle.read(tmp_path / "cut.t7")


def test_a_graph_file_of_torch_is_refused(shared_data):
    with pytest.raises(errors.UserError, match="scipy"):
        plain_pickle.read(shared_data / "pairs" / "splits" / "utzappos-graph.t7")


def test_folders_of_images_are_named_by_their_pair(tmp_path, capsys):
    for attribute in ("old", "red"):
        for thing in ("car", "hat", "dog"):
            (tmp_path / "photos" / f"{attribute}_{thing}").mkdir(parents=True)
            for i in range(4):
                pixels = np.full((20, 20, 3), 10 * i, np.uint8)
                PIL.Image.fromarray(pixels).save(tmp_path / "photos" / f"{attribute}_{thing}" / f"{i}.png")
    found = data.load("pairs", dir=str(tmp_path / "photos"), size=16, unseen_count=1)
    assert (found.kind, found.inputs.shape, found.parts[1]) == ("images", (24, 16, 16, 3), ("car", "dog", "hat"))
    assert found.inputs[:4, 0, 0, 0].tolist() == [0, 10, 20, 30]
    assert __main__.main(["data", "check", str(tmp_path / "photos")]) == 0
    assert "at most 3 pairs can be unseen" in capsys.readouterr().out
    PIL.Image.fromarray(pixels).save(tmp_path / "photos" / "alone.png")
    with pytest.raises(errors.UserError, match=r"'alone.png' is in no folder named ATTRIBUTE_OBJECT"):
        data.load("pairs", dir=str(tmp_path / "photos"), size=16)


def real_lists(folder, *, with_new_parts):
    """MIT-States as its public lists of images say, in the field's layout; a number stands for the features of each.

    The split has unseen attributes and objects beside unseen compositions of seen ones.
    """
    lines = {name: (folder / f"{name}_imgs.txt").read_text().split() for name in pair_folders.PHASES}
    found = [
        {"image": image, "attr": attribute, "obj": thing, "set": phase}
        for phase, words in lines.items()
        for image, attribute, thing in zip(*(words[i::3] for i in range(3)))
    ]
    train = [(row["attr"], row["obj"]) for row in found if row["set"] == "train"]
    known = [{pair[side] for pair in train} for side in (0, 1)]
    found = [row for row in found if with_new_parts or (row["attr"] in known[0] and row["obj"] in known[1])]
    listed = {phase: sorted({f"{row['attr']} {row['obj']}" for row in found if row["set"] == phase}) for phase in lines}
    return {"listed": listed, "found": found}


@pytest.mark.long
def test_the_real_lists_of_mit_states_are_a_benchmark(shared_data, tmp_path, capsys):
    lists = shared_data / "pairs" / "splits" / "mitstates_rzsl"
    if not lists.is_dir():
        pytest.skip(f"needs {lists}")
    given = real_lists(lists, with_new_parts=True)
    layout(tmp_path / "MIT", **given)
    # Its own unseen attributes and objects are all that `data check` finds: no pair and no image leaks.
    checked = pair_checks.check(tmp_path / "MIT")
    wrong = [
        f"{part} .* of {phase}_pairs.txt is in no" for part in ("attribute", "object") for phase in ("val", "test")
    ]
    assert len(checked.problems) == len(wrong)
    assert all(re.match(pattern, line) for pattern, line in zip(wrong, checked.problems))
    assert ("open world", "115 attributes x 245 objects = 28175 candidates") in checked.lines
    assert ("val", "1304 pairs, 182 of them unseen; 9548 images") in checked.lines
    assert ("test", "1590 pairs, 382 of them unseen; 21657 images") in checked.lines
    options = {"dir": str(tmp_path / "MIT"), "file": str(tmp_path / "MIT" / "features.npz"), "semantics": "parts"}
    with pytest.raises(errors.UserError, match=r"'chipped' of val_pairs.txt is in no pair of .*new_parts=True"):
        data.load("pairs", **options)
    # Allowed by name: 28,175 candidates in the open world, in the closed one the pairs of training and of the phase.
    found = data.load("pairs", **options, new_parts=True)
    unseen = {
        pair for name in ("comps", "pairs") for pair in (lists / f"test_unseen_{name}.txt").read_text().split("\n")
    }
    (choosing,), final = protocols.PAIRS.tasks(found, config_lib.base("two_heads", "pairs"))
    for task, closed in ((choosing, 1398 + 182), (final, 1398 + 382)):
        assert int(np.sum(task.classes.is_seen)) == 1398
        assert int(np.sum(protocols.PAIRS.looks(task)["closed"].groups >= 0)) == closed
    looks = protocols.PAIRS.looks(final)
    assert len(final.classes) == len(looks["open"].candidates) == 28175
    in_closed = np.flatnonzero((looks["closed"].groups >= 0) & ~final.classes.is_seen)
    assert {final.classes.names[row] for row in in_closed} == {name.replace("_", " ") for name in unseen if name}
    assert not {choosing.classes.names[row] for row in range(1398, 1580)} & {final.classes.names[r] for r in in_closed}
    # Without the new parts it is sound.
    sound = real_lists(lists, with_new_parts=False)
    layout(tmp_path / "sound", **sound)
    assert __main__.main(["data", "check", str(tmp_path / "sound")]) == 0
    assert "test        1401 pairs, 193 of them unseen" in capsys.readouterr().out
