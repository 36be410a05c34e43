"""How much a pickle would build, counted before anything is built.

A few bytes can describe a structure without end, because a part may be used twice in the next, that one twice
again, and so on: it costs no memory, but printing, comparing, hashing or flattening it never ends. So the
instructions are read once without being followed, and what they would make is counted.
"""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

_GROWTH = 10
_ALWAYS_ALLOWED = 1_000_000
_DEEPEST = 100
_MOST_BITS = 128
_PICKLES_IN_OLD_FILES = 5
"""Of PyTorch: a number that marks them, the version, the machine, the content, the keys of the tensors."""

_MUTATORS = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
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
            check_pickle(file)
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
                check_pickle(io.BytesIO(content.read()))


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
    """As PyTorch writes them; by another instruction, which it does not know, it reads none."""
    opcodes = pickletools.genops(file)
    return {str(name).replace(" ", ".") for opcode, name, _ in opcodes if opcode.name == "GLOBAL"}


class _Node:
    """One value that would be built.

    Attributes:
        weight: Its own size: characters of a text, one for everything else.
        parts: What it holds.
        total: Size with everything in it, once counted.
        depth: Of the nesting, once counted.
    """

    __slots__ = ("depth", "parts", "total", "weight")

    def __init__(self, weight: int = 1, parts: list["_Node"] | None = None) -> None:
        self.weight = weight
        self.parts: list[_Node] = parts or []
        self.total = self.depth = 0


def check_pickle(file: IO[bytes]) -> None:
    """Reads one pickle's instructions; the file stands behind it afterwards.

    Raises:
        pickle.UnpicklingError: What it would build is far larger than the pickle, nested very deeply, or
            holds itself; or it is damaged.
    """
    try:
        stack: list[_Node | None] = []
        memo: dict[int, _Node] = {}
        start = file.tell()
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file), start=1):
            _follow(opcode, argument, stack, memo, count)
        limit = max(_ALWAYS_ALLOWED, _GROWTH * (file.tell() - start))
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
            stack.append(_Node(_weight(argument), popped))


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
    if opcode.name == "POP_MARK":
        while stack.pop() is not None:
            pass
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
