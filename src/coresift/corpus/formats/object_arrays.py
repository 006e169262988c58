"""NumPy files of one dictionary, read without NumPy's and Python's unpickling.

An object array is a pickle, and rebuilding one through NumPy lets its writer choose types, flags and pointers. Here the
pickle is a list of instructions that build plain values on a stack: dictionaries, lists, tuples, text, numbers and
arrays of them, which become lists. Everything else is refused, and nothing that the file names is called.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_ARRAY, _TYPE, _OBJECTS = "numpy ndarray", "numpy dtype", "O"
_NUMBERS = ("b1", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8")
_STATES = {_OBJECTS: [(3, "|", None, None, None, -1, -1, 63)]}
_NUMBER_STATES = [(3, order, None, None, None, -1, -1, 0) for order in "<>|"]


class RefusedError(ValueError):
    """Says what in a file is neither an array nor a plain value."""


@dataclass(frozen=True)
class _Name:
    """A name that the file holds; nothing is looked up."""

    name: str


@dataclass
class _Type:
    """The type of an array's values."""

    code: str
    order: str = "="


@dataclass
class _Array:
    """An array that becomes the list of its values."""

    values: list[Any] = field(default_factory=list)


def read_object_array(path: Path) -> dict[Any, Any]:
    """Read a .npy file that holds one dictionary of plain values.

    Args:
        path: The file.

    Raises:
        ValueError: If the file is missing, is no such array, or holds anything but arrays and plain values.
    """
    if not path.is_file():
        raise ValueError(f"'{path}' is missing: pass the folder of one corpus as published with DEALRec.")
    try:
        with path.open("rb") as file:
            is_first = np.lib.format.read_magic(file) == (1, 0)
            read = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
            shape, _, kind = read(file)
            whole = shape == () and kind == np.dtype(object)
            content = _plain(_Stack().run(file.read())) if whole else None
    except RefusedError as error:
        raise ValueError(f"'{path}' is refused, because {error}: it may hold nothing but NumPy arrays.") from None
    except Exception as error:
        raise ValueError(f"'{path}' cannot be read as a NumPy file ({error}): download it again.") from None
    content = content[0] if isinstance(content, list) and len(content) == 1 else content
    if not isinstance(content, dict):
        raise ValueError(f"'{path}' holds no dictionary: pass the folder of one corpus as published with DEALRec.")
    return content


class _Stack:
    """Follows the instructions of a pickle as far as they build plain values."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> object:
        """Return what the instructions build.

        Raises:
            RefusedError: If one of them does anything else.
        """
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in _LITERALS:
                self._items.append(argument)
            elif opcode.name in _STEPS:
                _STEPS[opcode.name](self, argument)
            elif opcode.name not in _WITHOUT_EFFECT:
                raise RefusedError(f"it uses the instruction {opcode.name}")
        return self._pop(1)[0]

    def _pop(self, count: int) -> list[Any]:
        """Take items off the stack, in the order in which they were put there."""
        if len(self._items) < count:
            raise RefusedError("its instructions do not fit together")
        taken = self._items[len(self._items) - count :]
        del self._items[len(self._items) - count :]
        return taken

    def _pop_to_mark(self) -> list[Any]:
        """Take the items above the last mark."""
        place = self._marks.pop() if self._marks else -1
        if not 0 <= place <= len(self._items):
            raise RefusedError("its instructions do not fit together")
        return self._pop(len(self._items) - place)

    def _top(self, kind: type) -> Any:  # noqa: ANN401 - a list or a dictionary of anything
        """Return the container on top."""
        if not self._items or type(self._items[-1]) is not kind:
            raise RefusedError("its instructions do not fit together")
        return self._items[-1]

    def push(self, item: object) -> None:
        """Put an item on the stack."""
        self._items.append(item)

    def mark(self) -> None:
        """Remember where the next items begin."""
        self._marks.append(len(self._items))

    def remember(self, place: int | None) -> None:
        """Remember the item on top."""
        self._memo[len(self._memo) if place is None else place] = self._items[-1]

    def repeat(self, place: int) -> None:
        """Put a remembered item on the stack."""
        self._items.append(self._memo[place])

    def join(self, count: int | None) -> None:
        """Make a tuple of the items on top, or of those above the mark."""
        self._items.append(tuple(map(_plain, self._pop_to_mark() if count is None else self._pop(count))))

    def extend(self, count: int | None) -> None:
        """Add the items on top, or those above the mark, to the list below."""
        values = self._pop_to_mark() if count is None else self._pop(count)
        self._top(list).extend(map(_value, values))

    def update(self, count: int | None) -> None:
        """Add pairs to the dictionary below; keys are numbers or text, which no hashing can be made slow with."""
        values = self._pop_to_mark() if count is None else self._pop(count)
        if any(type(key) not in (int, str) for key in values[::2]):
            raise RefusedError("a key is neither a whole number nor text")
        self._top(dict).update(zip(values[::2], map(_value, values[1::2]), strict=True))

    def name(self, named: str | None) -> None:
        """Note a name, which the two texts on top make up unless it is given."""
        named = " ".join(map(str, self._pop(2))) if named is None else named
        if named not in (*_RECONSTRUCT, _ARRAY, _TYPE):
            raise RefusedError(f"it names {named.replace(' ', '.')[:80]}")
        self._items.append(_Name(named))

    def reduce(self) -> None:
        """Begin an array or its type, the only things that are built from names."""
        made, arguments = self._pop(2)
        name = made.name if isinstance(made, _Name) else None
        if name in _RECONSTRUCT and arguments == (_Name(_ARRAY), (0,), b"b"):
            self._items.append(_Array())
        elif name == _TYPE and isinstance(arguments, tuple) and arguments and type(arguments[0]) is str:
            code = _OBJECTS if arguments[0] in ("O", "O4", "O8") else arguments[0]
            if code not in (_OBJECTS, *_NUMBERS):
                raise RefusedError(f"it has an array of type {code[:80]!r}")
            self._items.append(_Type(code))
        else:
            raise RefusedError("it calls what is no array")

    def build(self) -> None:
        """Complete an array or its type."""
        made, state = self._pop(2)
        if isinstance(made, _Type):
            if state not in _STATES.get(made.code, _NUMBER_STATES):
                raise RefusedError("it changes the type of an array")
            made.order = state[1]
        elif isinstance(made, _Array):
            _fill(made, state)
        else:
            raise RefusedError("it changes what is no array")
        self._items.append(made)


def _fill(array: _Array, state: object) -> None:
    """Give an array its values: a list of objects, or the bytes of numbers."""
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Type):
        raise RefusedError("it has an array that is not described as one")
    shape, kind, values = state[1], state[2], state[4]
    if type(shape) is not tuple or any(type(length) is not int or length < 0 for length in shape) or len(shape) > 1:
        raise RefusedError("it has an array of several dimensions")
    if kind.code != _OBJECTS and type(values) is bytes:
        values = np.frombuffer(values, np.dtype(kind.order + kind.code)).tolist()
    if type(values) is not list or len(values) != math.prod(shape):
        raise RefusedError("it has an array that does not hold its values")
    array.values.extend(values)


def _plain(item: Any) -> Any:  # noqa: ANN401 - items of any kind
    """Return the values of an array, or an item that is none."""
    return item.values if isinstance(item, _Array) else item


def _value(item: Any) -> Any:  # noqa: ANN401 - items of any kind
    """Return an item as the plain value that a container holds."""
    if isinstance(item, _Name | _Type):
        raise RefusedError("a value is a name")
    return _plain(item)


_LITERALS = frozenset(
    "INT LONG BININT BININT1 BININT2 LONG1 LONG4 FLOAT BINFLOAT UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "SHORT_BINBYTES BINBYTES BINBYTES8".split()
)
_WITHOUT_EFFECT = frozenset({"PROTO", "FRAME", "STOP"})
_STEPS: dict[str, Callable[[_Stack, Any], None]] = {
    "NONE": lambda stack, _: stack.push(None),
    "NEWTRUE": lambda stack, _: stack.push(True),
    "NEWFALSE": lambda stack, _: stack.push(False),
    "EMPTY_LIST": lambda stack, _: stack.push([]),
    "EMPTY_DICT": lambda stack, _: stack.push({}),
    "EMPTY_TUPLE": lambda stack, _: stack.push(()),
    "MARK": lambda stack, _: stack.mark(),
    "TUPLE": lambda stack, _: stack.join(None),
    "TUPLE1": lambda stack, _: stack.join(1),
    "TUPLE2": lambda stack, _: stack.join(2),
    "TUPLE3": lambda stack, _: stack.join(3),
    "APPEND": lambda stack, _: stack.extend(1),
    "APPENDS": lambda stack, _: stack.extend(None),
    "SETITEM": lambda stack, _: stack.update(2),
    "SETITEMS": lambda stack, _: stack.update(None),
    "PUT": _Stack.remember,
    "BINPUT": _Stack.remember,
    "LONG_BINPUT": _Stack.remember,
    "MEMOIZE": _Stack.remember,
    "GET": _Stack.repeat,
    "BINGET": _Stack.repeat,
    "LONG_BINGET": _Stack.repeat,
    "GLOBAL": _Stack.name,
    "STACK_GLOBAL": _Stack.name,
    "REDUCE": lambda stack, _: stack.reduce(),
    "BUILD": lambda stack, _: stack.build(),
}
"""What is done at each instruction of a pickle that is not refused."""
