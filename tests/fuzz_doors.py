"""The doors that `fuzz_inputs` tries: a sound file, ways to damage it, its reader, and what that should find."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import fuzz_damage as damage
import jax
import numpy as np
import PIL.Image
import safetensors.numpy
import tiny_xlsa17

from zsl_jax import encoders
from zsl_jax.data import class_files, dataset, features, image_folder, images, input_files, npz, prepared, xlsa17
from zsl_jax.encoders import weights


@dataclasses.dataclass
class Door:
    """Files with a reader.

    Args:
      files: sound files, one of which is damaged at a time; all others are as they were.
      read: reads what there is now.
      same: whether what was read is what the sound files hold.
      says: whether it is what another reader of the damaged file finds; None where a checksum must notice.
      odd: ways to damage the file that fit its form, besides those of bytes.
    """

    files: list[pathlib.Path]
    read: Callable[[], Any]
    same: Callable[[Any], bool]
    says: Callable[[Any, pathlib.Path], bool] | None = None
    odd: Sequence[damage.Damage] = ()

    def __post_init__(self):
        self._sound = {path: path.read_bytes() for path in self.files}
        self._damaged = self.files[0]
        if not self.same(self.read()):
            raise ValueError("the sound files are not read as such")

    def damage(self, rng: np.random.Generator) -> str:
        self._damaged.write_bytes(self._sound[self._damaged])
        self._damaged = self.files[rng.integers(len(self.files))]
        ways = [*damage.BYTES, *self.odd, *self.odd]
        way = ways[rng.integers(len(ways))]
        self._damaged.write_bytes(way(rng, self._sound[self._damaged]))
        return f"{self._damaged.name}, {way.__name__.strip('_')}"

    def judge(self, found: Any) -> tuple[str, str]:
        if self.same(found):
            return "right", ""
        if self.says is not None and self.says(found, self._damaged):
            return "as it says", ""
        return "wrong", repr(found)[:200]


# The doors.


def _rows(path: pathlib.Path, size: int = 5) -> tuple[list[str], np.ndarray]:
    blocks = list(input_files.blocks(path, size=size))
    return [name for block in blocks for name in block.names], np.concatenate([block.inputs for block in blocks])


def _equal(a: Any, b: Any) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b)) and np.shape(a) == np.shape(b)


def _npy(folder: pathlib.Path) -> Door:
    path, rows = folder / "x.npy", np.random.default_rng(0).random((4, 3), np.float32)
    np.save(path, rows)
    return Door(
        [path],
        lambda: _rows(path)[1],
        lambda found: _equal(found, rows) and found.dtype == rows.dtype,
        lambda found, _: _equal(found, np.load(path, allow_pickle=False)),
        [damage.npy_header],
    )


def _predict_npz(folder: pathlib.Path) -> Door:
    path, rows = folder / "x.npz", np.random.default_rng(0).random((12, 16), np.float32)
    np.savez_compressed(path, features=rows, labels=np.arange(12))

    def as_saved(found, _):
        with np.load(path) as held:
            return held["features"].dtype.kind in "fiub" and _equal(found, held["features"])

    door = Door(
        [path],
        lambda: _rows(path, 1024)[1],
        lambda found: _equal(found, rows),
        None,
        [damage.npz_member, damage.zip_bomb],
    )
    return _with_oracle(door, as_saved, (damage.npz_member, damage.zip_bomb))


def _with_oracle(door: Door, says: Callable[[Any, pathlib.Path], bool], ways: Sequence[damage.Damage]) -> Door:
    """A door whose files have checksums: only files that are sound and hold something else may be read as they say."""
    draw, names = door.damage, {way.__name__ for way in ways}

    def tell(rng):
        what = draw(rng)
        door.says = says if what.split(", ")[-1] in names else None
        return what

    door.damage = tell
    return door


def _cells_of(path: pathlib.Path) -> list[list[str]]:
    """The cells of a table, read in the plainest way."""
    lines = re.split(r"\r\n|\r|\n", path.read_bytes().decode("utf-8-sig"))
    separator = max(",;\t", key=lambda sign: min(lines[0].count(sign), lines[1].count(sign)) if len(lines) > 1 else 0)
    cells = [[cell.strip().strip('"').strip() for cell in line.split(separator)] for line in lines]
    return [line for line in cells if any(line)]


def _csv(folder: pathlib.Path, *, header: bool, names: bool) -> Door:
    rows = np.random.default_rng(0).random((9, 4)).round(3).astype(np.float32)
    lines = [",".join([f"img{i}.jpg"] * names + [f"{value:.3f}" for value in row]) for i, row in enumerate(rows)]
    path = folder / "x.csv"
    path.write_text("\n".join([",".join(["image"] * names + list("abcd"))] * header + lines) + "\n")

    def says(found, _):
        cells = _cells_of(path)[header:]
        wanted = [[float(cell) for cell in line[names:]] for line in cells]
        said = [line[0] for line in cells] if names else [f"{path}:{i}" for i in range(len(cells))]
        return _equal(found[1], np.array(wanted, np.float32)) and found[0] == said

    expected = [f"img{i}.jpg" if names else f"{path}:{i}" for i in range(9)]
    same = lambda found: found[0] == expected and _equal(found[1], rows)  # noqa: E731
    return Door([path], lambda: _rows(path), same, says, [damage.cell, damage.cell, damage.rearranged, damage.encoding])


def _class_table(folder: pathlib.Path) -> Door:
    path = folder / "classes.csv"
    table = np.random.default_rng(0).random((6, 3)).round(3).astype(np.float32)
    flags = [True, True, True, True, False, False]
    described = dataset.ClassTable(table, np.array(flags), ("é", *"bcdef"))
    class_files.write(path, described, ("striped", "b, c", "tail"))

    def same(found):
        return _equal(found.classes.embedding, table) and found.classes.names == described.names

    def says(found, _):
        cells = _cells_of(path)
        quoted = '"b, c"' in path.read_text("utf-8")  # its comma is none of a cell
        wanted = [[float(cell) for cell in line[2:]] for line in cells[1:]]
        names = tuple(line[0] for line in cells[1:])
        return (
            (not quoted or len(cells[0]) == 6)
            and _equal(found.classes.embedding, np.array(wanted, np.float32))
            and (tuple(name.replace("e\u0301", "é") for name in names) == found.classes.names)
        )

    return Door(
        [path],
        lambda: class_files.read(path),
        same,
        says,
        [damage.cell, damage.cell, damage.rearranged, damage.encoding],
    )


def _training_npz(folder: pathlib.Path) -> Door:
    path, rng = folder / "x.npz", np.random.default_rng(0)
    labels = np.arange(60) % 6
    arrays = {
        "features": rng.random((60, 6)),
        "labels": labels,
        "attributes": rng.random((6, 4)),
        "class_names": np.array(list("abcdef")),
        "split": np.where(np.arange(60) % 10 < 7, 0, 2),
    }
    np.savez_compressed(path, **arrays)
    read = lambda: npz.load(path, semantics="attributes", num_unseen=2)  # noqa: E731
    sound = read()

    def same(found):
        return _same_dataset(found, sound)

    def says(found, _):
        with np.load(path, allow_pickle=False) as held:
            seen = found.classes.is_seen
            split = held.get("split")
            names = [
                n.decode() if isinstance(n, bytes) else str(n) for n in held.get("class_names", found.classes.names)
            ]
            return (
                all(held[name].dtype.kind in "fiub" for name in ("features", "labels", "attributes"))
                and _equal(found.inputs, held["features"].astype(np.float32))
                and _equal(found.labels, held["labels"])
                and list(found.classes.names) == names
                and (
                    split is None
                    or _equal(found.splits["test_seen"], np.flatnonzero(seen[found.labels] & (split == 2)))
                )
                and _equal(found.classes.embedding, held["attributes"].astype(np.float32))
            )

    return _with_oracle(
        Door([path], read, same, None, [damage.npz_member, damage.zip_bomb]), says, (damage.npz_member, damage.zip_bomb)
    )


def _same_dataset(found: dataset.Dataset, sound: dataset.Dataset) -> bool:
    return (
        _equal(found.inputs, sound.inputs)
        and _equal(found.labels, sound.labels)
        and _equal(found.classes.embedding, sound.classes.embedding)
        and found.classes.names == sound.classes.names
        and all(_equal(found.splits[name], sound.splits[name]) for name in sound.splits)
    )


def _mat(folder: pathlib.Path) -> Door:
    held = tiny_xlsa17.variables()
    path = tiny_xlsa17.write(folder / "bench", held)
    sound = xlsa17.load(path)
    files = [path / "res101.mat", path / "att_splits.mat"]
    return Door(files, lambda: xlsa17.load(path), lambda found: _same_dataset(found, sound))


def _prepared(folder: pathlib.Path) -> Door:
    rng = np.random.default_rng(0)
    source = dataset.Dataset(
        name="d",
        inputs=rng.random((40, 3)).astype(np.float32),
        labels=(np.arange(40) % 4).astype(np.int32),
        classes=dataset.ClassTable(rng.random((4, 2)).astype(np.float32), np.arange(4) < 3, tuple("abcd")),
        splits={"train": np.arange(20), "test_seen": np.arange(20, 30), "test_unseen": np.arange(30, 40)},
        info={"semantics": "att", "attributes": "att", "files": {}},
    )
    path = prepared.write(source, folder)
    files = sorted(file for file in path.iterdir())
    return Door(files, lambda: prepared.load_prepared(path), lambda found: _same_dataset(found, source))


def _dataset_json(folder: pathlib.Path) -> Door:
    (folder / "photos").mkdir()
    sound = image_folder.Imported(
        name="photos",
        images_dir=str(folder / "photos"),
        images=("a/1.png", "b/1.png"),
        labels=(0, 1),
        class_names=("é", "b"),
        attributes=("x", "y"),
        embedding=((0.5, 1.0), (0.25, 0.0)),
        is_seen=(True, False),
        validation_classes=None,
        splits={"train": (0,), "test_seen": (), "test_unseen": (1,)},
        split_by="seed 0",
        files={"t.csv": "0" * 64},
    )
    image_folder.write(folder, sound)
    return Door(
        [folder / image_folder.FILE],
        lambda: image_folder.read(folder),
        lambda found: found == sound,
        None,
        [damage.json_value],
    )


def _extraction_json(folder: pathlib.Path) -> Door:
    """The folder is of the same extraction, or it is refused."""
    extraction = {"encoder": "vit", "knobs": {"depth": 1}, "images": {"size": 32, "fit": "crop"}, "skip": False}
    features.begin(folder / "out", extraction)
    path = folder / "out" / "extraction.json"

    def same(_):
        there = json.loads(path.read_bytes())
        return all(there.get(name) == value for name, value in extraction.items())

    return Door([path], lambda: features.begin(folder / "out", extraction), same, None, [damage.json_value])


def _parts(folder: pathlib.Path) -> Door:
    """A part of a stopped extraction is read back, or made again."""
    paths = [folder / f"{i}.bin" for i in range(6)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i]))

    def read():
        extract = lambda some: [np.float32([path.read_bytes()[0], 1]) for path in some]  # noqa: E731
        return features.collect(folder, paths, extract, lambda count: None)

    read()
    rows = np.float32([[i, 1] for i in range(6)])
    part = folder / "parts" / "00000.npz"
    return Door(
        [part],
        read,
        lambda found: _equal(found[0], rows) and found[1].all(),
        None,
        [damage.npz_member, damage.zip_bomb],
    )


def _weights(folder: pathlib.Path, *, suffix: str) -> Door:
    module = encoders.factory("vit_tiny")(depth=1)
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), np.zeros((1, 32, 32, 3), np.uint8), train=False))
    rng = np.random.default_rng(0)
    tensors = {n: rng.normal(size=shape).astype(np.float32) for n, (_, shape, _) in weights.names(shapes).items()}
    path = folder / f"w{suffix}"
    if suffix == ".npz":
        np.savez(path, **tensors)
    else:
        safetensors.numpy.save_file(tensors, path)
    sound = jax.tree.leaves(weights.assign(tensors, shapes, "sound"))

    def same(found):
        return all(map(_equal, jax.tree.leaves(found), sound))

    def says(found, _):
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        types = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}
        there = {}
        for name, entry in header.items():
            if name != "__metadata__":
                first, last = (8 + length + offset for offset in entry["data_offsets"])
                there[name] = np.frombuffer(data[first:last], types[entry["dtype"]]).reshape(entry["shape"])
        wanted = {name: there[name] for name in tensors}
        return all(map(_equal, jax.tree.leaves(found), jax.tree.leaves(weights.assign(wanted, shapes, "damaged"))))

    read = lambda: weights.load(path, shapes)  # noqa: E731
    if suffix == ".npz":
        return Door([path], read, same)
    return Door([path], read, same, says, [damage.safetensors_header])


def _pixels(folder: pathlib.Path) -> Door:
    """The check and the reader agree, and what is read is an image; its pixels have no checksum."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 40 * 30 * 3).reshape(40, 30, 3)
    pixels = np.clip(ramp + rng.normal(scale=9, size=ramp.shape), 0, 255).astype(np.uint8)
    files = []
    for suffix in (".jpg", ".png", ".webp", ".bmp", ".gif", ".tif"):
        files.append(folder / f"x{suffix}")
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        PIL.Image.fromarray(pixels).save(files[-1], **({"exif": exif} if suffix in (".jpg", ".png") else {}))
    sound = {path: images.decode(path) for path in files}

    def read():
        found = {}
        for path in files:
            wrong = images.fault(path)
            found[path] = images.decode(path)
            if wrong:
                raise AssertionError(f"the reader takes what the check refuses: {wrong}")
        return found

    def same(found):
        return all(_equal(found[path], sound[path]) for path in files)

    def says(found, damaged):
        return all(
            found[path].dtype == np.uint8 and found[path].ndim == 3 and found[path].shape[2] == 3
            if path == damaged
            else _equal(found[path], sound[path])
            for path in files
        )

    return Door(files, read, same, says, [damage.other_image, damage.huge_image])


DOORS: dict[str, Callable[[pathlib.Path], Door]] = {
    "npy": _npy,
    "npz": _predict_npz,
    "csv": lambda folder: _csv(folder, header=False, names=False),
    "csv_header": lambda folder: _csv(folder, header=True, names=True),
    "class_table": _class_table,
    "training_npz": _training_npz,
    "mat": _mat,
    "prepared": _prepared,
    "dataset_json": _dataset_json,
    "extraction_json": _extraction_json,
    "parts": _parts,
    "safetensors": lambda folder: _weights(folder, suffix=".safetensors"),
    "weights_npz": lambda folder: _weights(folder, suffix=".npz"),
    "pixels": _pixels,
}
TITLES = {
    "npy": "`predict`: `.npy`",
    "npz": "`predict`: `.npz`",
    "csv": "`predict`: `.csv` of numbers",
    "csv_header": "`predict`: `.csv` with header and names",
    "class_table": "class table, `.csv`",
    "training_npz": "training: `.npz`",
    "mat": "training: `.mat` in the xlsa17 layout, compressed",
    "prepared": "training: prepared or extracted dataset",
    "dataset_json": "`dataset.json`",
    "extraction_json": "`extraction.json`",
    "parts": "parts of a stopped `extract`",
    "safetensors": "weights: `.safetensors`",
    "weights_npz": "weights: `.npz`",
    "pixels": "images: JPEG, PNG, WebP, BMP, GIF, TIFF",
}
