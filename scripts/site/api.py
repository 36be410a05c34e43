"""The reference of the code, made from its docstrings: a page for every package, nothing imported."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = "vidrep_pipelines"
_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example|Examples|Note):$")
_ITEM = re.compile(r"^(\*{0,2}[\w.`, ]+?)(?: \(.*?\))?: (.*)$")
_ROLE = re.compile(r":\w+:`~?([^`]+)`")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def pages(source: Path) -> dict[str, object]:
    """What makes the page of every package that has public names, by the package's path."""
    root = source / PROJECT
    folders = sorted({path.parent for path in root.rglob("*.py") if path.stat().st_size})
    made: dict[str, object] = {}
    for folder in folders:
        name = folder.relative_to(root).as_posix().replace("/", "_") if folder != root else PROJECT
        made[name] = lambda folder=folder: page(folder, root)
    return made


def page(folder: Path, root: Path) -> str:
    """A package's page in Markdown: its modules with their public classes and functions."""
    dotted = ".".join([PROJECT, *folder.relative_to(root).parts])
    lines = [f"# {dotted}", ""]
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        described = ast.get_docstring(tree)
        if path.name == "__init__.py":
            lines += [*docstring(described), ""] if described else []
        else:
            lines += [f"## {path.stem}", "", *docstring(described), ""]
        for definition in public(tree.body):
            lines += [*entry(definition), ""]
    return "\n".join(lines) + "\n"


def public(body: list[ast.stmt]) -> Iterator[Definition]:
    """Classes and functions whose name does not begin with an underscore."""
    for statement in body:
        if isinstance(statement, Definition) and not statement.name.startswith("_"):
            yield statement


def entry(definition: Definition) -> list[str]:
    """A class with its methods, or a function."""
    if not isinstance(definition, ast.ClassDef):
        return [
            f"### {definition.name}",
            "",
            *code(signature(definition)),
            "",
            *docstring(ast.get_docstring(definition)),
        ]
    bases = ", ".join(ast.unparse(base) for base in definition.bases)
    head = f"class {definition.name}({bases})" if bases else f"class {definition.name}"
    lines = [f"### {definition.name}", "", *code(head), "", *docstring(ast.get_docstring(definition))]
    for method in public(definition.body):
        if isinstance(method, ast.ClassDef) or not ast.get_docstring(method):
            continue
        lines += ["", *code(signature(method)), "", *docstring(ast.get_docstring(method))]
    return lines


def code(text: str) -> list[str]:
    """A block of Python."""
    return ["```python", *text.splitlines(), "```"]


def signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The head of a function; one argument in a line where it is long."""
    head = f"{'async ' if isinstance(function, ast.AsyncFunctionDef) else ''}def {function.name}"
    result = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    arguments = ast.unparse(function.args)
    if len(head) + len(arguments) + len(result) < 100:
        return f"{head}({arguments}){result}"
    parts = _split(arguments)
    return "\n".join([f"{head}(", *(f"    {part}," for part in parts), f"){result}"])


def _split(arguments: str) -> list[str]:
    """Arguments one by one; commas inside brackets and texts do not separate."""
    parts, depth, begun, quoted = [], 0, 0, ""
    for place, letter in enumerate(arguments):
        if quoted:
            quoted = "" if letter == quoted else quoted
        elif letter in "'\"":
            quoted = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(arguments[begun:place].strip())
            begun = place + 1
    return [*parts, arguments[begun:].strip()]


def docstring(text: str | None) -> list[str]:
    """A docstring of Google's style as Markdown: sections become lists."""
    lines: list[str] = []
    within = False
    for line in _ROLE.sub(r"`\1`", text or "").replace("``", "`").splitlines():
        if found := _SECTION.match(line):
            within = True
            lines += ["", f"**{found[1]}**", ""]
        elif within and line.startswith("    ") and not line.startswith("     "):
            lines.append(_item(line.strip()))
        elif within and line.strip():
            within = line.startswith(" ")
            lines.append(f"    {_escaped(line.strip())}" if within else _escaped(line))
        else:
            lines.append(line if line.startswith(("    ", "- ", "* ", "|")) else _escaped(line))
    return lines


def _item(text: str) -> str:
    found = _ITEM.match(text)
    return f"- `{found[1].strip('`')}`: {_escaped(found[2])}" if found else f"- {_escaped(text)}"


def _escaped(text: str) -> str:
    """What Markdown would take for HTML, links or emphasis, outside of code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([<*_\[\]])", r"\\\1", part) for part in parts)
