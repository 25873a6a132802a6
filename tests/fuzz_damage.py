"""Ways to damage a file: its bytes, its text, or what its form announces and holds; each draws from a generator."""

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image

Damage = Callable[[np.random.Generator, bytes], bytes]

# Damage to bytes.


def flip(rng: np.random.Generator, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
    return bytes(changed)


def truncate(rng: np.random.Generator, data: bytes) -> bytes:
    return data[: rng.integers(len(data))]


def cut_out(rng: np.random.Generator, data: bytes) -> bytes:
    first = rng.integers(len(data))
    return data[:first] + data[first + rng.integers(1, 64) :]


def repeat(rng: np.random.Generator, data: bytes) -> bytes:
    first = rng.integers(len(data))
    last = first + rng.integers(1, 64)
    return data[:last] + data[first:]


def insert(rng: np.random.Generator, data: bytes) -> bytes:
    first = rng.integers(len(data))
    return data[:first] + rng.bytes(rng.integers(1, 64)) + data[first:]


def overwrite(rng: np.random.Generator, data: bytes) -> bytes:
    first, count = rng.integers(len(data)), rng.integers(1, 512)
    filler = bytes([rng.choice([0, 0xFF, ord("9"), ord("[")])]) * count
    return (data[:first] + filler + data[first + count :])[: len(data)]


def empty(rng: np.random.Generator, data: bytes) -> bytes:
    return b""


BYTES = (flip, flip, flip, truncate, cut_out, repeat, insert, overwrite, empty)

# Damage to text.

_CELLS = (
    *(
        "",
        "nan",
        "inf",
        "-inf",
        "1e39",
        "1e-60",
        "1_0",
        "１",
        "0,5",
        "N/A",
        "x",
        '"',
        '"a',
        "a\nb",
        "1;2",
        "0x10",
        "--1",
    ),
    *(
        "é",
        "e\u0301",
        "\u00a0",
        "\0",
        "=1+1",
        "1" * 200_000,
        "true",
        "None",
        "1.",
        ".5",
        "+3",
        "1 2",
        "\ufeff",
        "0" * 400,
    ),
)


def cell(rng: np.random.Generator, data: bytes) -> bytes:
    lines = data.decode().splitlines()
    row = rng.integers(len(lines))
    cells = lines[row].split(",")
    cells[rng.integers(len(cells))] = _CELLS[rng.integers(len(_CELLS))]
    lines[row] = ",".join(cells)
    return "\n".join(lines).encode()


def rearranged(rng: np.random.Generator, data: bytes) -> bytes:
    lines = data.decode().splitlines()
    row = rng.integers(len(lines))
    way = rng.integers(6)
    if way == 0:
        del lines[row]
    elif way == 1:
        lines.insert(row, lines[row])
    elif way == 2:
        lines.insert(row, "")
    elif way == 3:
        lines[row] += ","
    elif way == 4:
        lines[row] = f'"{lines[row]}'
    else:
        lines[row] = ",".join(lines[row].split(",")[:-1])
    return "\n".join(lines).encode()


def encoding(rng: np.random.Generator, data: bytes) -> bytes:
    text = data.decode()
    separator, end = ",;\t |"[rng.integers(5)], ("\n", "\r\n", "\r")[rng.integers(3)]
    text = text.replace(",", separator).replace("\n", end)
    return text.encode(("utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "cp1252")[rng.integers(6)], "replace")


# Damage to other forms.


def npy_header(rng: np.random.Generator, data: bytes) -> bytes:
    axes = [
        (-4, 3),
        (4, -3),
        (4, 10**30),
        (2**40, 3),
        (2, 2**40),
        (0, 3),
        (4, 0),
        (),
        (12,),
        (4, 3, 1),
        (3, 4),
        (True, 3),
    ]
    types = [
        "<f4",
        "<f8",
        "<f2",
        "|O",
        "<c8",
        "<U3",
        "|V4",
        "<M8[s]",
        "<i4",
        ">f4",
        "|b1",
        "|u1",
        "x",
        "<f16",
        "[('a','<f4')]",
    ]
    descr = types[rng.integers(len(types))] if rng.random() < 0.5 else "<f4"
    order = rng.choice(["False", "True", "0", "None"], p=[0.7, 0.1, 0.1, 0.1])
    shape = axes[rng.integers(len(axes))] if rng.random() < 0.7 else (4, 3)
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"
    if rng.random() < 0.2:
        text = ["(" * 3000, "{" * 200, "{}", "{'descr': '<f4'}", "9" * 9000, "'\\x"][rng.integers(6)]
    version = [(1, 0), (2, 0), (3, 0), (9, 9), (0, 0)][rng.integers(5) if rng.random() < 0.3 else 0]
    width = 2 if version == (1, 0) else 4
    length = len(text) + 1 if rng.random() < 0.9 else int(rng.choice([0, 5, 60_000]))
    return b"\x93NUMPY" + bytes(version) + length.to_bytes(width, "little") + text.encode() + b"\n" + data[-48:]


def npz_member(rng: np.random.Generator, data: bytes) -> bytes:
    """One array in other types and values, or under another name."""
    with np.load(io.BytesIO(data)) as held:
        arrays = dict(held)
    name = str(rng.choice(sorted(arrays)))
    array = np.atleast_1d(arrays[name])
    way = rng.integers(9)
    if way == 0:
        kinds = ["U8", "S8"] if array.dtype.kind == "U" else ["c16", "f2", "f4", "i1", "u8", "U8", "S8", "?"]
        arrays[name] = array.astype(str(rng.choice(kinds)))
    elif way == 1:
        arrays[name] = np.zeros(array.shape, str(rng.choice(["M8[s]", "V4", "m8[s]", "i4,f4", "U1", "S1", "f4"])))
    elif way == 2:
        arrays[name] = array[: rng.integers(len(array))]
    elif way == 3:
        arrays[name] = array.T[..., None] if rng.random() < 0.5 else array.ravel()
    elif way == 4:
        changed = np.array(array)
        if changed.dtype.kind in "iuf":
            ugly = [np.nan, np.inf, 1e39, -1, 2**31, 0.5] if changed.dtype.kind == "f" else [-1, 2**31, 2**62, 255]
            changed.flat[rng.integers(changed.size)] = ugly[rng.integers(len(ugly))]
        arrays[name] = changed
    elif way == 5:
        del arrays[name]
    elif way == 6:
        arrays[str(rng.choice(["x", "feature", "Labels", "class names", "../y"]))] = arrays.pop(name)
    elif way == 7:
        arrays[name] = np.array([{}] * 3, object)
    else:
        arrays[name] = np.zeros((), array.dtype)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.savez(buffer, **arrays)
    return buffer.getvalue()


def zip_bomb(rng: np.random.Generator, data: bytes) -> bytes:
    """A member whose header or directory announces more than it holds, or that grows without end."""
    buffer = io.BytesIO()
    shape = [(1, 2**24), (2**24, 1), (2**10, 2**14), (2**34, 2**10)][rng.integers(4)]
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", header.getvalue() + bytes(4 * 2 ** rng.integers(10, 20)))
    return buffer.getvalue()


def json_value(rng: np.random.Generator, data: bytes) -> bytes:
    values = json.loads(data)
    place: Any = values
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[rng.integers(len(keys))]
        if not (isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.7):
            break
        place = place[key]
    ugly = [None, True, -1, 2**70, "", "x", [], {}, 1e308, float("nan"), float("inf"), [[]], "\ud800", 0.5]
    place[key] = ugly[rng.integers(len(ugly))]
    if rng.random() < 0.1:
        return b"[" * 100_000
    return json.dumps(values).encode("utf-8", "surrogatepass")


def safetensors_header(rng: np.random.Generator, data: bytes) -> bytes:
    length = int.from_bytes(data[:8], "little")
    if rng.random() < 0.3:
        return int(rng.choice([0, 1, 2**20, 2**40, 2**63 - 1])).to_bytes(8, "little") + data[8:]
    header = json_value(rng, data[8 : 8 + length])
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def other_image(rng: np.random.Generator, data: bytes) -> bytes:
    """Another format or mode under the same name."""
    kinds = [
        ("TIFF", "F"),
        ("TIFF", "I"),
        ("TIFF", "I;16"),
        ("PPM", "RGB"),
        ("ICO", "RGBA"),
        ("PCX", "L"),
        ("TGA", "RGB"),
    ]
    kinds += [
        ("BMP", "P"),
        ("PNG", "LA"),
        ("WEBP", "RGBA"),
        ("GIF", "P"),
        ("TIFF", "CMYK"),
        ("PNG", "1"),
        ("EPS", "RGB"),
    ]
    form, mode = kinds[rng.integers(len(kinds))]
    buffer = io.BytesIO()
    PIL.Image.new(mode, (16, 16)).save(buffer, form)
    return flip(rng, buffer.getvalue()) if rng.random() < 0.5 else buffer.getvalue()


def huge_image(rng: np.random.Generator, data: bytes) -> bytes:
    side = int(rng.choice([0, 9_000, 60_000, 2**31 - 1]))
    return (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    )
