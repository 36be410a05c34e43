"""How much a pickle would build, counted before anything is built.

A few bytes can describe a structure without end, because a part may be used twice in the next, that one twice
again, and so on: it costs no memory, but printing, comparing, hashing or flattening it never ends. So the
instructions are read once without being followed, and what they would make is counted.
"""

import io
import math
import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any, cast

_GROWTH = 10
_ALWAYS_ALLOWED = 1_000_000
_DEEPEST = 100
_MOST_BITS = 128
_PICKLES_IN_OLD_FILES = 5
"""PyTorch's old files hold a number that marks them, version, machine, content, and keys of the tensors."""

_MUTATORS = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
_TENSOR_MAKERS = frozenset(f"torch._utils _rebuild_tensor{version}" for version in ("", "_v2", "_v3"))
_MARK = pickletools.markobject
_SLICE = pickletools.stackslice


def check_saved_tensors(file: IO[bytes]) -> None:
    """Looks into a file that ``torch.save`` wrote, in its new format (a zip archive) or the old one.

    Raises:
        pickle.UnpicklingError: As in :func:`check_pickle`.
        ValueError: It would unpack to far more than it holds, which none of PyTorch's own does, or it is an
            archive of other files.
    """
    size = file.seek(0, io.SEEK_END)
    if not zipfile.is_zipfile(file):
        file.seek(0)
        for _ in range(_PICKLES_IN_OLD_FILES):
            check_pickle(_WithinFile(file, size), size)
        return
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        pickles = [member for member in members if PurePosixPath(member.filename).name == "data.pkl"]
        if not pickles:
            raise ValueError("it is a zip archive of other files, and has to be unpacked first")
        if sum(member.file_size for member in members) > 2 * size:
            raise ValueError("it would unpack to far more than it holds")
        for member in pickles:
            with archive.open(member) as content:
                check_pickle(io.BytesIO(content.read()), 2 * size)


class _WithinFile:
    """A file that is asked for no more than it has; ``read`` would make room for all it is asked for."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        self.tell, self.readline = file.tell, file.readline

    def read(self, count: int) -> bytes:
        """The next bytes, at most so many."""
        return self._file.read(min(count, self._size - self._file.tell()))


def classes_in_saved_tensors(file: IO[bytes]) -> set[str]:
    """Names of the classes and functions that such a file asks for; nothing is built."""
    names: set[str] = set()
    if not zipfile.is_zipfile(file):
        file.seek(0)
        for _ in range(_PICKLES_IN_OLD_FILES):
            names |= _globals(file)
        return names
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if PurePosixPath(member.filename).name == "data.pkl":
                with archive.open(member) as content:
                    names |= _globals(io.BytesIO(content.read()))
    return names


def _globals(file: IO[bytes]) -> set[str]:
    """Classes as PyTorch writes them; by another instruction, which it does not know, it reads none."""
    opcodes = pickletools.genops(file)
    return {str(name).replace(" ", ".") for opcode, name, _ in opcodes if opcode.name == "GLOBAL"}


class _Node:
    """One value that would be built.

    Attributes:
        weight: Its own size: characters of a text, one for everything else.
        parts: What it holds.
        value: The number, the text or the name; for a tensor's memory, how many numbers it has.
        total: Size with everything in it, once counted.
        depth: Depth of the nesting, once counted.
    """

    __slots__ = ("depth", "parts", "total", "value", "weight")

    def __init__(
        self, weight: int = 1, parts: list["_Node"] | None = None, value: int | str | None = None
    ) -> None:
        self.weight = weight
        self.parts: list[_Node] = parts or []
        self.value = value
        self.total = self.depth = 0


def check_pickle(file: "IO[bytes] | _WithinFile", most_numbers: int = 0) -> None:
    """Reads one pickle's instructions; the file stands behind it afterwards.

    Args:
        file: The file, at the beginning of the pickle.
        most_numbers: How many numbers the tensors outside of it can have together, if it is PyTorch's.

    Raises:
        pickle.UnpicklingError: What it would build is far larger than the pickle, nested very deeply, or
            holds itself; or it is damaged.
    """
    try:
        stack: list[_Node | None] = []
        memo: dict[int, _Node] = {}
        room: dict[object, int] = {}
        start = file.tell()
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast("IO[bytes]", file)), start=1):
            _follow(opcode, argument, stack, memo, count, room, most_numbers)
        limit = max(_ALWAYS_ALLOWED, _GROWTH * (file.tell() - start))
        if sum(room.values()) > most_numbers:
            raise pickle.UnpicklingError(f"its tensors would have more than {most_numbers} numbers")
        for node in stack:
            if node is not None:
                _count(node, limit)
    except (ValueError, IndexError, KeyError, UnicodeError, OverflowError, EOFError) as error:
        raise pickle.UnpicklingError(f"it is damaged ({error})") from error


def _follow(
    opcode: pickletools.OpcodeInfo,
    argument: Any,
    stack: list[_Node | None],
    memo: dict[int, _Node],
    count: int,
    room: dict[object, int],
    most_numbers: int,
) -> None:
    """What one instruction does to the stack, on which None is a mark."""
    name = opcode.name
    if name in {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}:
        index = len(memo) if name == "MEMOIZE" else int(argument)
        if index > count:  # the unpickler makes room for all the numbers below
            raise ValueError(f"value number {index} is kept after {count} instructions")
        memo[index] = _top(stack)
    elif name in {"GET", "BINGET", "LONG_BINGET"}:
        stack.append(memo[int(argument)])
    elif name == "DUP":
        stack.append(_top(stack))
    elif name == "MARK":
        stack.append(None)
    elif name != "STOP":
        popped = _pop(opcode, stack)
        if name in _MUTATORS:
            popped[0].parts += popped[1:]
            stack.append(popped[0])
        elif opcode.stack_after:
            value = argument if isinstance(argument, int | str) else None
            stack.append(_Node(_weight(argument), popped, value))
            if name == "BINPERSID":
                stack[-1] = _memory(popped[0], room)
            elif name in {"REDUCE", "NEWOBJ"} and most_numbers:
                _check_call(str(popped[0].value), popped[1], most_numbers)


def _memory(description: _Node, room: dict[object, int]) -> _Node:
    """A tensor's memory: ``("storage", type, key, location, numbers)``; made once for each key."""
    numbers = description.parts[4].value
    if not isinstance(numbers, int) or numbers < 0:
        raise ValueError("a tensor's memory has no size")
    room[description.parts[2].value] = numbers
    return _Node(value=numbers)


def _check_call(name: str, arguments: _Node, most_numbers: int) -> None:
    """Some of what PyTorch's reader calls makes room for as much as it is told to."""
    if name in _TENSOR_MAKERS:
        _check_tensor(arguments)
        return
    limit = max(most_numbers, _ALWAYS_ALLOWED)
    numbers = [part.value for part in arguments.parts if isinstance(part.value, int)]
    if name.startswith(("torch", "builtins", "__builtin__")) and max(numbers, default=0) > limit:
        raise pickle.UnpicklingError(f"it asks {name.replace(' ', '.')} for {max(numbers)}")


def _check_tensor(arguments: _Node) -> None:
    """PyTorch makes room for whatever shape a tensor is said to have: ``(memory, offset, shape, steps)``."""
    memory, offset, shape, steps = arguments.parts[:4]
    sizes, widths = ([_whole(part) for part in node.parts] for node in (shape, steps))
    last = _whole(offset) + sum((size - 1) * width for size, width in zip(sizes, widths, strict=True))
    there = _whole(memory)
    if 0 not in sizes and not 0 <= last < there:
        raise pickle.UnpicklingError(f"a tensor reaches beyond its memory of {there} numbers")
    if math.prod(sizes) > max(there, _ALWAYS_ALLOWED):
        raise pickle.UnpicklingError(f"a tensor of {math.prod(sizes)} numbers is made of {there}")


def _whole(node: _Node) -> int:
    if not isinstance(node.value, int) or node.value < 0:
        raise ValueError("a tensor's shape is no list of numbers")
    return node.value


def _pop(opcode: pickletools.OpcodeInfo, stack: list[_Node | None]) -> list[_Node]:
    """Takes what the instruction uses, the lowest first."""
    popped: list[_Node] = []
    for kind in reversed(opcode.stack_before):
        if kind is _SLICE:
            while (node := stack.pop()) is not None:
                popped.append(node)
        elif kind is not _MARK:
            node = stack.pop()
            if node is None:
                raise ValueError("a value is missing")
            popped.append(node)
    return popped[::-1]


def _top(stack: list[_Node | None]) -> _Node:
    node = stack[-1]
    if node is None:
        raise ValueError("a value is missing")
    return node


def _weight(argument: Any) -> int:
    if isinstance(argument, int) and argument.bit_length() > _MOST_BITS:
        raise ValueError("a number has too many digits")
    return 1 + len(argument) if isinstance(argument, str | bytes | bytearray) else 1


def _count(root: _Node, limit: int) -> None:
    """Sizes of everything below, without recursion: the nesting is not trusted yet."""
    path: list[tuple[_Node, Iterator[_Node]]] = [(root, iter(root.parts))]
    open_nodes = {id(root)}
    while path:
        node, rest = path[-1]
        part = next(rest, None)
        if part is None:
            path.pop()
            open_nodes.discard(id(node))
            node.total = node.weight + sum(part.total for part in node.parts)
            node.depth = 1 + max((part.depth for part in node.parts), default=0)
            if node.total > limit:
                raise pickle.UnpicklingError(f"it would grow to more than {limit} values")
            if node.depth > _DEEPEST:
                raise pickle.UnpicklingError(f"it is nested more than {_DEEPEST} deep")
        elif id(part) in open_nodes:
            raise pickle.UnpicklingError("it holds itself")
        elif not part.total:
            open_nodes.add(id(part))
            path.append((part, iter(part.parts)))
