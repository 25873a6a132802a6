"""Lists, dicts, texts and numbers out of a torch or pickle file, without torch and without running anything in it.

A pickle is a program for a small stack machine. Here only the instructions that build plain values are known; one that
would import or call something is refused, whatever it names.
"""

import io
import os
import pathlib
import pickletools
import zipfile
from typing import Any

from zsl_jax import errors

_MARK = object()
_TORCH = 0x1950A86A20F9469CFC6C  # the first value of a torch file before version 1.6
_VALUES = {
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BININT", "BININT1", "BININT2", "INT"),
    *("LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = {"PROTO", "FRAME"}


def read(path: str | os.PathLike) -> Any:
    """Returns the value that a file of `torch.save` or `pickle.dump` holds.

    Raises:
      UserError: no such file, a damaged one, or one that holds more than lists, dicts, texts and numbers.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise errors.UserError(f"no file {str(path)!r}")
    content = path.read_bytes()
    try:
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                (name,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
                content = archive.read(name)
        file = io.BytesIO(content)
        value = _value(file, path)
        # Before it stand the version of the format and the sizes of numbers.
        return [_value(file, path) for _ in range(3)][-1] if value == _TORCH else value
    except errors.UserError:
        raise
    except Exception as error:  # whatever a damaged file makes of the stack
        raise errors.UserError(f"{path} is damaged, or no file of torch.save ({type(error).__name__})") from error


def _value(file: io.BytesIO, path: pathlib.Path) -> Any:
    """The value of the next pickle."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for code, argument, _ in pickletools.genops(file):
        name = code.name
        if name == "STOP":
            return stack.pop()
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[int(argument)])
        elif name not in _NOTHING and not _builds(name, stack):
            what = f" ({argument!r})" if argument else ""
            raise errors.UserError(
                f"{path} holds more than lists of plain values: its instruction {name}{what} would import or call "
                "something, and is not followed"
            )
    raise EOFError


def _builds(name: str, stack: list[Any]) -> bool:
    """Follows an instruction that builds a list, a dict or a tuple; False where it is none."""
    if name == "MARK":
        stack.append(_MARK)
    elif name in ("EMPTY_LIST", "EMPTY_DICT"):
        stack.append([] if name == "EMPTY_LIST" else {})
    elif name in ("LIST", "DICT", "TUPLE"):
        items = _since_mark(stack)
        stack.append({"LIST": list, "TUPLE": tuple, "DICT": _dict}[name](items))
    elif name in _TUPLES:
        count = _TUPLES[name]
        items = tuple(stack[len(stack) - count :])
        del stack[len(stack) - count :]
        stack.append(items)
    elif name == "APPEND":
        item = stack.pop()
        stack[-1].append(item)
    elif name == "APPENDS":
        items = _since_mark(stack)
        stack[-1].extend(items)
    elif name == "SETITEM":
        pair = [stack.pop(), stack.pop()][::-1]
        stack[-1].update(_dict(pair))
    elif name == "SETITEMS":
        items = _since_mark(stack)
        stack[-1].update(_dict(items))
    else:
        return False
    return True


def _since_mark(stack: list[Any]) -> list[Any]:
    place = len(stack) - 1
    while stack[place] is not _MARK:
        place -= 1
    items = stack[place + 1 :]
    del stack[place:]
    return items


def _dict(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2]))
