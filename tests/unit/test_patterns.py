"""Regular expressions of the product: all are read in linear time, and none of Java's recurses with its input.

Python's patterns are collected from the sources and fed a megabyte of what they are worst at. Java's, which Spark runs, are
read as Python's for that: both engines backtrack alike. RE2 takes linear time by design: patterns of Helm's templates, JSON
schemas and CRDs, `matches` of CEL (all Go), `match_substring_regex` (Arrow). So do the automata of bash and sed.
"""

from __future__ import annotations

import ast
import itertools
import multiprocessing
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from airspark import redaction
from airspark.project import ROOT

FOLDERS = ("charts", "dags", "images", "operator", "scripts", "spark-apps")
#: Functions of `re` by the position of their flags, which are also the methods of a compiled pattern.
FUNCTIONS = {"compile": 1, "match": 2, "search": 2, "fullmatch": 2, "findall": 2, "finditer": 2, "split": 3, "sub": 4, "subn": 4}
#: Methods of pandas' `.str` by what they do with each text.
OF_PANDAS = {
    "contains": "search", "count": "findall", "extract": "search", "extractall": "findall", "findall": "findall",
    "fullmatch": "fullmatch", "match": "match", "replace": "sub", "split": "split",
}  # fmt: skip
#: Functions of Spark by what they do, as a function of `re`.
OF_SPARK = {
    "rlike": "search", "regexp": "search", "regexp_like": "search", "regexp_extract": "search", "regexp_substr": "search",
    "regexp_instr": "search", "regexp_count": "findall", "regexp_extract_all": "findall", "regexp_replace": "sub",
    "split": "split",
}  # fmt: skip
#: Patterns that are made while the program runs, by file and source text: some of what they may be, by hand, and why so.
BY_HAND: dict[tuple[str, str], tuple[tuple[str | bytes, ...], str]] = {
    ("spark-apps/parquet_footer.py", "b'\\x19(?:' + lists + b')' + re.escape(path)"): (
        (b"\x19(?:\x15[\x00-\x14]{1}|\x25[\x00-\x14]{2}|\xe5[\x00-\x14]{14})\x19\x18\x04name",),
        "a branch for each number of encodings, up to 14, and a column's name",
    ),
    ("operator/airspark_operator/conf.py", "f'([#!{also}])'"): (("([#!=: ])",), "some characters of a key"),
    ("operator/airspark_operator/schedule.py", "f'@every\\\\s+[+]?((?:{_PARTS}){{1,6}})'"): (
        (r"@every\s+[+]?((?:(?:0*[0-9]{1,6}(?:[.][0-9]*)?|[.][0-9]+)h|(?:0*[0-9]{1,18}(?:[.][0-9]*)?|[.][0-9]+)ns){1,6})",),
        "two of the eight units",
    ),
    ("scripts/airspark/importing/variables.py", "f'\\\\b{name}\\\\b'"): ((r"\bAIRFLOW__CORE__EXECUTOR\b",), "a variable's name"),
    (
        "scripts/airspark/importing/references.py",
        "f'({re.escape(mount)}|{re.escape(home)}/dags|/opt/airflow/dags|\\\\.Values\\\\.(airflowHome|dags\\\\.mountPath)"
        "\\\\s*-?\\\\}}\\\\}}(/dags)?)/repo\\\\b'",
    ): (
        (r"(/usr/dags|/opt/airflow/dags|\.Values\.(airflowHome|dags\.mountPath)\s*-?\}\}(/dags)?)/repo\b",),
        "a folder's path",
    ),
    ("scripts/airspark/redaction.py", "pattern"): (tuple(pattern for pattern, _ in redaction._PATTERNS), "all of them"),
    ("scripts/airspark/values/shape.py", "schema['pattern']"): (
        (r"^[0-9]+(Ki|Mi|Gi)?$",),
        "a schema's, tried on nine short texts",
    ),
    ("spark-apps/inputs.py", "b'\\\\n(?:' + begins + b')'"): ((rb"\n(?:[\n\r \t]|order_id,ordered_at)",), "a file's header"),
}
#: The sizes of a text and the seconds of CPU that it may take: far more than a linear pattern takes, far less than others do.
SCREEN, FULL = (20_000, 0.15), (1_000_000, 5.0)
#: How many of the slowest texts of a pattern are tried in full size.
SLOWEST = 6
COMMON = (" ", "a", "0", "\\", '"', "/", ".", "\n")
ENDS = ("\x00", "!", "")
#: Most pieces of a pattern that are combined two by two.
PIECES = 12
#: A group of Java that may be repeated so often, because each time takes some of a thread's stack.
MOST_REPEATS = 32
#: Seconds without a word after which the process that feeds the patterns is ended.
SILENCE = 120.0


class Unknown(Exception):
    """A pattern whose text the sources do not say."""


@dataclass(frozen=True)
class Use:
    """A pattern, and what is done with it.

    Args:
        where: file and line.
        pattern: its text.
        flags: of Python's `re`.
        function: the function of `re`.
    """

    where: str
    pattern: str | bytes
    flags: int = 0
    function: str = "search"


class Module:
    """A source file: what its names mean, as far as that is constant."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path.relative_to(ROOT))
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.imports: dict[str, tuple[str, str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                self.imports |= {(name.asname or name.name): (name.name, "") for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                self.imports |= {(name.asname or name.name): (node.module or "", name.name) for name in node.names}
        #: Names and what is done with them, as `match` with PATTERN in `PATTERN.match` and `module.PATTERN.match`.
        self.methods: set[tuple[str, str]] = set()
        for node in ast.walk(self.tree):
            match node:
                case ast.Attribute(value=ast.Name(id=name) | ast.Attribute(attr=name), attr=method) if method in FUNCTIONS:
                    self.methods.add((name, method))

    def stems(self) -> set[str]:
        """Return the names of the modules that this one imports, without their packages."""
        return {part.rpartition(".")[2] for names in self.imports.values() for part in names}

    def assigned(self, name: str, near: ast.AST) -> ast.expr | None:
        """Return the only value of a name in the functions around a place, or in the module."""
        scope: ast.AST | None = near
        while scope := self.parents.get(scope) if scope else None:
            if not isinstance(scope, ast.FunctionDef | ast.Module):
                continue
            if isinstance(scope, ast.FunctionDef) and name in (
                arg.arg for arg in ast.walk(scope.args) if isinstance(arg, ast.arg)
            ):
                return None
            body = ast.walk(scope) if isinstance(scope, ast.FunctionDef) else iter(scope.body)
            values = [value for node in body for target, value in _targets(node) if target == name]
            if values:
                return values[0] if len(values) == 1 else None
        return None


def _targets(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Return the names that a statement gives a value, each with the value."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        yield node.target.id, node.value
    for target in node.targets if isinstance(node, ast.Assign) else ():
        if isinstance(target, ast.Name):
            yield target.id, node.value  # type: ignore[attr-defined]
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):  # type: ignore[attr-defined]
            pairs = zip(target.elts, node.value.elts, strict=False)  # type: ignore[attr-defined]
            yield from ((one.id, value) for one, value in pairs if isinstance(one, ast.Name))


@cache
def modules() -> dict[str, Module]:
    """Return the source files of the product by their names."""
    found = (Module(path) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    return {module.name: module for module in found}


def _imported(module: Module, name: str) -> Module | None:
    """Return the file of the product that a name of a module stands for, the one in its own folder first."""
    package, inner = module.imports.get(name, ("", ""))
    stem = inner or package.rpartition(".")[2]
    found = [other for other in modules().values() if other.path.stem == stem]
    return min(found, key=lambda other: other.path.parent != module.path.parent, default=None)


def value(node: ast.AST, module: Module) -> Any:
    """Return the value of a constant expression.

    Raises:
        Unknown: if it is none, or of a kind that no pattern needed so far.
    """
    match node:
        case ast.Constant(value=found):
            return found
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [value(item, module) for item in items]
        case ast.JoinedStr(values=parts):
            return "".join(str(value(part, module)) for part in parts)
        case ast.FormattedValue(value=part, conversion=-1, format_spec=None):
            return value(part, module)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return value(left, module) + value(right, module)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return value(left, module) | value(right, module)
        case ast.Attribute(value=ast.Name(id="re"), attr=flag):
            return getattr(re, flag)
        case ast.Attribute(value=ast.Name(id=name), attr=constant) if other := _imported(module, name):
            return _constant(constant, other)
        case ast.Attribute(value=inner, attr="pattern"):
            return value(inner, module)
        case ast.Name(id=name):
            if (assigned := module.assigned(name, node)) is not None:
                return value(assigned, module)
            package, constant = module.imports.get(name, ("", ""))
            for other in modules().values():
                if constant and other.path.stem == package.rpartition(".")[2]:
                    return _constant(constant, other)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="escape"), args=[text]):
            return re.escape(value(text, module))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="compile"), args=[text, *_]):
            return value(text, module)
        case ast.Call(func=ast.Attribute(attr="lit"), args=[text]):
            return value(text, module)
        case ast.Call(func=ast.Attribute(value=text, attr="join" | "removeprefix" | "replace" as method), args=arguments):
            return getattr(value(text, module), method)(*(value(argument, module) for argument in arguments))
    raise Unknown(ast.unparse(node))


def _constant(name: str, module: Module) -> Any:
    for target, found in (pair for node in module.tree.body for pair in _targets(node)):
        if target == name:
            return value(found, module)
    raise Unknown(name)


def _flags(call: ast.Call, position: int, module: Module) -> int:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "flags"] or call.args[position : position + 1]
    return int(value(given[0], module)) if given else 0


def _methods(call: ast.Call, module: Module) -> list[str]:
    """Return what is done with a compiled pattern, in all files; the most costly if nothing is found."""
    parent = module.parents[call]
    names = [target for target, found in _targets(parent) if found is call]
    near = [other for other in modules().values() if other is module or module.path.stem in other.stems()]
    found = {method for other in near for name, method in other.methods if name in names}
    return sorted(found) or ["search"]


def _calls(module: Module) -> Iterator[tuple[str, ast.expr, int, list[str]]]:
    """Return the calls that take a pattern: language, pattern, flags and functions of `re`."""
    for call in ast.walk(module.tree):
        if not isinstance(call, ast.Call):
            continue
        first, second = call.args[:1], call.args[1:2]
        match call.func:
            case ast.Attribute(value=ast.Name(id="re"), attr=name) if name in FUNCTIONS:
                functions = _methods(call, module) if name == "compile" else [name]
                yield "python", first[0], _flags(call, FUNCTIONS[name], module), functions
            case ast.Name(id=name) if module.imports.get(name, ("",))[0] == "re" and name in FUNCTIONS:
                raise AssertionError(f"{module.name}:{call.lineno}: write re.{name}, so that this test finds the pattern")
            case ast.Attribute(value=ast.Attribute(attr="str"), attr=name) if name in OF_PANDAS and first:
                yield "python", first[0], _flags(call, 99, module), [OF_PANDAS[name]]
            case ast.Attribute(value=ast.Name(id="F"), attr=name) if name in OF_SPARK:
                yield "java", second[0], 0, [OF_SPARK[name]]
            case ast.Attribute(attr=name) if name == "rlike":
                yield "java", first[0], 0, [OF_SPARK[name]]
        if module.name.startswith("dags/"):  # of a DAG's parameter; the JSON schemas of the charts go to Go
            yield from (("python", keyword.value, 0, ["search"]) for keyword in call.keywords if keyword.arg == "pattern")


@cache
def uses() -> tuple[list[Use], list[Use], list[str]]:
    """Return Python's patterns, Java's patterns, and those that are unknown and not in BY_HAND, or only there."""
    found: dict[str, list[Use]] = {"python": [], "java": []}
    unknown, by_hand = [], set()
    for module in modules().values():
        for language, node, flags, functions in _calls(module):
            where = f"{module.name}:{node.lineno}"
            for one in (node.body, node.orelse) if isinstance(node, ast.IfExp) else (node,):
                key = (module.name, ast.unparse(one))
                try:
                    patterns: Sequence[str | bytes] = [value(one, module)]
                except Unknown as problem:
                    by_hand.add(key)
                    if key not in BY_HAND:
                        unknown.append(f"{where}: {key[1]} ({problem})")
                    patterns = BY_HAND.get(key, ((), ""))[0]
                found[language] += [Use(where, text, flags, function) for text in patterns for function in functions]
    stale = [f"{name}: {text} is in BY_HAND and not in the file" for name, text in BY_HAND.keys() - by_hand]
    return found["python"], found["java"], unknown + stale


def as_python(use: Use) -> Use:
    """Return a pattern of Java's as Python writes it; \\G means that a match begins at one place alone."""
    pattern = str(use.pattern)
    text = re.sub(r"\(\?<(?![=!])", "(?P<", pattern.removeprefix(r"\G").replace(r"\z", r"\Z"))
    return Use(use.where, text, re.ASCII, "match" if pattern.startswith(r"\G") else use.function)


class Texts:
    """What a pattern may be slow at: every piece of it repeated, behind what leads to each of its repetitions."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self.tree = _parser.parse(pattern, flags)
        self.binary = isinstance(pattern, bytes)
        self.pieces: dict[str, None] = {}
        self.leads: dict[str, None] = {"": None}
        for self.times in (0, 1):
            self.pieces[self.walk(self.tree, "")] = None
        self.pieces.pop("", None)

    def walk(self, items: Iterable[Any], lead: str) -> str:
        """Collect pieces, and leads to repetitions; return the lead and a short text of these items."""
        run = ""
        for item in items:
            operation, argument = item
            if operation is _constants.LITERAL:
                run += chr(argument)
                self.pieces[chr(argument)] = None
            else:
                self.pieces[run], run = None, ""
            lead += self.short(item, lead)
        self.pieces[run] = None
        return lead

    def short(self, item: Any, lead: str) -> str:
        """Return a short text of an item."""
        operation, argument = item
        if operation is _constants.LITERAL:
            return chr(argument)
        if operation in (_constants.IN, _constants.NOT_LITERAL, _constants.ANY, _constants.CATEGORY):
            return self.sample(item)
        if operation is _constants.BRANCH:
            return [self.walk(items, lead).removeprefix(lead) for items in argument[1]][0]
        if operation in (_constants.SUBPATTERN, _constants.ASSERT, _constants.ASSERT_NOT):
            found = self.walk(argument[-1], lead).removeprefix(lead)
            return found if operation is _constants.SUBPATTERN else ""
        if operation is _constants.ATOMIC_GROUP:
            return self.walk(argument, lead).removeprefix(lead)
        if operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT):
            least, most, items = argument
            self.leads[lead] = None
            once = self.walk(items, lead).removeprefix(lead)
            self.pieces[once] = None
            if most > 1:
                self.leads[lead + once * max(1, least)] = None
            return once * max(self.times, int(least))
        return ""

    def sample(self, item: Any) -> str:
        """Return a character that an item takes, and remember one of each of its classes."""
        operation, argument = item
        for inner in argument if operation is _constants.IN else ():
            if inner[0] is not _constants.NEGATE:
                self.pieces[self.first([(_constants.IN, [inner])])] = None
        found = self.first([item])
        self.pieces[found] = None
        return found

    def first(self, items: list[Any]) -> str:
        """Return the first character of some that these items take; nothing if they take none of them."""
        compiled = _compiler.compile(_parser.SubPattern(self.tree.state, items))
        known = (*COMMON, *map(chr, range(33, 127)), *map(chr, range(33)), *map(chr, range(127, 256)), "가")
        return next((one for one in known if compiled.fullmatch(one.encode("latin-1") if self.binary else one)), "")

    def all(self) -> Iterator[tuple[str, str, str]]:
        """Yield beginning, repeated text and end of every text."""
        singles = list(dict.fromkeys([*self.pieces, *COMMON]))
        runs = sorted(self.pieces, key=len, reverse=True)[: PIECES // 2]
        some = list(dict.fromkeys([*runs, *(piece for piece in self.pieces if len(piece) == 1)]))[:PIECES]
        leads = list(self.leads)
        yield from itertools.product(leads[:PIECES], singles[: 4 * PIECES], ENDS[:1])
        yield from itertools.product(leads[:1], singles, ENDS[1:])
        yield from (("", one + other, ENDS[0]) for one, other in itertools.permutations(some, 2))
        yield from (("", lead, end) for lead in leads[1:] for end in ENDS)


class TooSlow(Exception):
    """A text took more time than it may."""


def _stop(*_: object) -> None:
    raise TooSlow


def _seconds(call: Callable[[Any], object], text: str | bytes, most: float) -> float:
    """Return the seconds of CPU that a call takes; the match itself is ended if it takes too many."""
    begin = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, most)
    try:
        found = call(text)
        if isinstance(found, Iterator):
            sum(1 for _ in found)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return time.process_time() - begin


def slow_at(use: Use) -> str:
    """Return the first text that a pattern takes too long for, in words; nothing if there is none."""
    compiled = re.compile(use.pattern, use.flags)
    method = getattr(compiled, use.function)
    call = (lambda text: method(type(text)(), text)) if use.function in ("sub", "subn") else method

    def taken(parts: tuple[str, str, str], size: int, most: float) -> float:
        lead, piece, end = parts
        text = lead + (piece * (size // len(piece) + 1))[:size] + end
        try:
            return _seconds(call, text.encode("latin-1", "replace") if isinstance(use.pattern, bytes) else text, most)
        except TooSlow:
            words = f"{lead!r}, then " if lead else ""
            raise TooSlow(f"{words}{piece!r} up to {size} characters, then {end!r}: more than {most} s") from None

    try:
        screened = [(taken(parts, *SCREEN), parts) for parts in dict.fromkeys(Texts(use.pattern, use.flags).all())]
        for _, parts in sorted(screened, reverse=True)[:SLOWEST]:
            taken(parts, *FULL)
    except TooSlow as problem:
        return f"{use.where}: {use.function} of {use.pattern!r} is not linear: {problem}"
    return ""


def _feed(found: Sequence[Use], answers: Any) -> None:
    signal.signal(signal.SIGVTALRM, _stop)
    for use in found:
        answers.send(slow_at(use))


def slow(found: Sequence[Use]) -> list[str]:
    """Feed patterns in a process of its own, and return a sentence for each that takes too long."""
    context = multiprocessing.get_context("fork")
    answers, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_feed, args=(found, theirs), daemon=True)
    process.start()
    theirs.close()
    said: list[str] = []
    try:
        for use in found:
            if not answers.poll(SILENCE):
                return [*said, f"{use.where}: {use.function} of {use.pattern!r} does not end"]
            said.append(answers.recv())
    finally:
        process.kill()
        process.join()
    return [sentence for sentence in said if sentence]


def repeated_groups(pattern: str) -> list[str]:
    """Return the repetitions of groups that Java does by calling itself: all but possessive ones and small numbers."""
    found = []
    # Escaped characters, classes, and then ends of groups with what follows; Python's parser would turn (?:a|b) into [ab].
    for token in re.finditer(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\)([*+?]|\{[0-9]+(?:,[0-9]*)?\})(\+?)", pattern, re.DOTALL):
        times, possessive = token[1], token[2]
        if not times or possessive or times == "?":
            continue
        most = times.strip("{}").rpartition(",")[2]
        if not most.isdigit() or int(most) > MOST_REPEATS:
            found.append(token[0])
    return found


def test_should_know_the_text_of_every_pattern() -> None:
    python, java, unknown = uses()
    assert not unknown, "add the constant, or an entry of BY_HAND:\n" + "\n".join(unknown)
    assert len(python) > 40
    assert len(java) > 5


@pytest.mark.long
def test_should_read_a_megabyte_of_the_worst_text_in_linear_time() -> None:
    python, java, _ = uses()
    said = slow(list(dict.fromkeys([*python, *map(as_python, java)])))
    assert not said, "\n".join(said)


@pytest.mark.parametrize(
    ("pattern", "function"),
    [
        (r"(?:file:)?(/[^\s:()'\"]+) ?\(No space left on device\)", "search"),
        (r"(a*)*b", "match"),
        (r"(?:a|a)*b", "fullmatch"),
        (r"^\s*([0-9]+)\s*([bkmgtp]?)b?\s*$", "match"),
        (r"([0-9]+(?:\.[0-9]+)?)([hms])", "findall"),
        (r"(://[^:/@\s]+:)[^@\s]+@", "sub"),
        (r"[ \t]+$", "sub"),
        (r"PSQLException: (.*(?:refused|closed).*)", "search"),
        (rb"x.*y.*z", "search"),
    ],
)
def test_should_find_a_pattern_that_takes_longer_than_linear_time(pattern: str | bytes, function: str) -> None:
    said = slow([Use("here:1", pattern, 0, function)])
    assert len(said) == 1
    assert said[0].startswith(f"here:1: {function} of {pattern!r} is not linear: ")


def test_should_let_no_pattern_of_java_recurse_with_its_input() -> None:
    said = [
        f"{use.where}: {repeated} in {use.pattern!r}: make it possessive, or at most {MOST_REPEATS} times"
        for use in uses()[1]
        for repeated in repeated_groups(str(use.pattern))
    ]
    assert not said, "\n".join(said)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (r"(?:a|b)*", [")*"]),
        (r"(?:a|b)+?c", [")+"]),
        (r"(ab){2,}", ["){2,}"]),
        (r"(ab){0,33}", ["){0,33}"]),
        (r"((?:ab)*c)*+", [")*"]),
        (r"(?:a|b)*+(c|d){1,32}(e)?(?:f){8}[)*]\)*\\", []),
    ],
)
def test_should_find_a_group_that_java_repeats_by_recursion(pattern: str, found: list[str]) -> None:
    assert repeated_groups(pattern) == found


def test_should_keep_patterns_out_of_sql() -> None:
    """PostgreSQL's and Spark's: the test above would not see them."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.sql")]
    texts = [(str(path), path.read_text(encoding="utf-8")) for path in files]
    for module in modules().values():
        strings = [node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant)]
        texts += [(module.name, text) for text in strings if isinstance(text, str)]
    wrong = re.compile(r"(?i)\b(?:rlike|similar to|regexp_[a-z_]+\()|\w\s+!?~\*?\s+'")
    said = [f"{name}: {found[0]}" for name, text in texts if (found := wrong.search(text))]
    assert not said, "\n".join(said)
