"""Read Go's template language (text/template) into a tree."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kubeadm_py.cli.printers.go_functions import FUNCTIONS, LAZY
from kubeadm_py.cli.printers.shown import TemplateError

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<string>"(?:[^"\\\n]|\\.)*") | (?P<raw>`[^`]*`) | (?P<char>'(?:[^'\\\n]|\\.)+')
    | (?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+))
    | (?P<variable>\$\w*) | (?P<field>\.\w+) | (?P<dot>\.) | (?P<word>\w+) | (?P<sign>:=|[=|(),])""",
    re.VERBOSE,
)
_STRINGS_IN_ACTIONS = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')


@dataclass(frozen=True, slots=True)
class Text:
    """Hold text that is printed as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Constant:
    """Hold a literal."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """Hold a function's name."""

    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Hold the way to a value: from dot, a variable or what a pipeline yields, through fields."""

    start: str | Pipeline
    """`.`, `$name`, or the pipeline in parentheses."""
    fields: tuple[str, ...] = ()


Operand = Constant | Name | Chain


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Hold commands of which each gets what the one before yields.

    `assigns` says that the variables which take the result exist already.
    """

    commands: tuple[tuple[Operand, ...], ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """Hold if, with or range."""

    word: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """Hold the call of a template by its name."""

    name: str
    pipeline: Pipeline | None


@dataclass(frozen=True, slots=True)
class Jump:
    """Hold break or continue."""

    word: str


Node = Text | Pipeline | Branch | Call | Jump


@dataclass(slots=True)
class Tree:
    """Hold a template and those that it defines."""

    nodes: tuple[Node, ...] = ()
    defined: dict[str, tuple[Node, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    spaced: bool
    """Whether white space stands before it."""


def parse(text: str) -> Tree:
    """Read a template; raise TemplateError for what is none."""
    reader = _Reader(_pieces(text))
    tree = reader.tree
    tree.nodes, ended = reader.nodes(range_depth=0)
    if ended:
        raise TemplateError(f"unexpected {{{{{ended}}}}}")
    return tree


def _pieces(text: str) -> list[str | list[_Token]]:
    """Split a template into texts and the tokens of its actions; trim marks take white space away."""
    pieces: list[str | list[_Token]] = []
    position, trim = 0, False
    while (begin := text.find("{{", position)) >= 0:
        inner = begin + 2
        before = text[position:begin]
        left = text.startswith("-", inner) and text[inner + 1 : inner + 2].isspace()
        end, right = _end(text, inner)
        before = before.lstrip() if trim else before
        pieces.append(before.rstrip() if left else before)
        action = text[inner + left : end]
        comment = action.strip()
        if not (comment.startswith("/*") and comment.endswith("*/")):
            pieces.append(_tokens(action))
        position, trim = end + 2 + right, right
    rest = text[position:]
    pieces.append(rest.lstrip() if trim else rest)
    return pieces


def _end(text: str, begin: int) -> tuple[int, bool]:
    """Return where an action's content ends, and whether a trim mark stands there."""
    position = begin
    if text[begin:].lstrip("- \t\n").startswith("/*"):
        position = text.find("*/", begin)
        if position < 0:
            raise TemplateError("unclosed comment")
    while position < len(text):
        if text.startswith("}}", position):
            return position, False
        if text.startswith("-}}", position) and text[position - 1].isspace():
            return position, True
        skipped = _STRINGS_IN_ACTIONS.match(text, position)
        position = skipped.end() if skipped else position + 1
    raise TemplateError("unclosed action")


def _tokens(action: str) -> list[_Token]:
    tokens: list[_Token] = []
    position, spaced = 0, True
    while position < len(action):
        found = _TOKEN.match(action, position)
        if found is None or found.lastgroup is None:
            raise TemplateError(f"unexpected {action[position : position + 10]!r} in an action")
        position = found.end()
        if found.lastgroup != "space":
            tokens.append(_Token(found.lastgroup, found[0], spaced))
        spaced = found.lastgroup == "space"
    return tokens


class _Reader:
    """Read pieces one after the other."""

    def __init__(self, pieces: Sequence[str | list[_Token]]) -> None:
        self._pieces = pieces
        self._at = 0
        self.tree = Tree()

    def nodes(self, range_depth: int) -> tuple[tuple[Node, ...], str]:
        """Read up to the end or to an action `end` or `else`; return it with the word that ended it.

        `else if ...` ends with the words `else if`, and its tokens are read again by who asked.
        """
        found: list[Node] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, str):
                if piece:
                    found.append(Text(piece))
                continue
            word = piece[0].text if piece and piece[0].kind == "word" else ""
            if word == "end" and len(piece) == 1:
                return tuple(found), word
            if word == "else":
                self._rest = piece[1:]
                return tuple(found), word
            node = self._node(word, piece, range_depth)
            if node is not None:
                found.append(node)
        return tuple(found), ""

    def _node(self, word: str, piece: list[_Token], range_depth: int) -> Node | None:
        if word in ("if", "with", "range"):
            return self._branch(word, piece[1:], range_depth + (word == "range"))
        if word in ("break", "continue") and len(piece) == 1:
            if not range_depth:
                raise TemplateError(f"{{{{{word}}}}} outside {{{{range}}}}")
            return Jump(word)
        if word in ("define", "block", "template"):
            return self._named(word, piece[1:])
        if not piece:
            raise TemplateError("missing value for command")
        return _Words(piece).whole()

    def _branch(self, word: str, tokens: list[_Token], range_depth: int) -> Branch:
        pipeline = _Words(tokens).whole()
        body, ended = self.nodes(range_depth)
        otherwise: tuple[Node, ...] = ()
        if ended == "else":
            rest = self._rest
            again = rest[0].text if rest else ""
            if again:
                if again not in ("if", "with") or word == "range":
                    raise TemplateError(f"unexpected {again!r} after else")
                return Branch(word, pipeline, body, (self._branch(again, rest[1:], range_depth),))
            otherwise, ended = self.nodes(range_depth - (word == "range"))
        if ended != "end":
            raise TemplateError(f"{word} without {{{{end}}}}")
        return Branch(word, pipeline, body, otherwise)

    def _named(self, word: str, tokens: list[_Token]) -> Node | None:
        if not tokens or tokens[0].kind not in ("string", "raw"):
            raise TemplateError(f"{word} needs a template's name")
        name = str(_literal(tokens[0]))
        pipeline = _Words(tokens[1:]).whole() if tokens[1:] else None
        if word != "template":
            body, ended = self.nodes(range_depth=0)
            if ended != "end":
                raise TemplateError(f"{word} without {{{{end}}}}")
            self.tree.defined[name] = body
        return None if word == "define" else Call(name, pipeline)


class _Words:
    """Read a pipeline from tokens."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def whole(self) -> Pipeline:
        """Return the pipeline that all tokens make."""
        pipeline = self._pipeline()
        if self._at < len(self._tokens):
            raise TemplateError(f"unexpected {self._tokens[self._at].text!r}")
        return pipeline

    def _pipeline(self) -> Pipeline:
        variables, assigns = self._variables()
        commands = [self._command()]
        while self._next("|"):
            commands.append(self._command())
        return Pipeline(tuple(commands), variables, assigns)

    def _variables(self) -> tuple[tuple[str, ...], bool]:
        begin, names = self._at, []
        while self._at < len(self._tokens) and self._tokens[self._at].kind == "variable":
            names.append(self._tokens[self._at].text)
            self._at += 1
            if not self._next(","):
                break
        for sign in (":=", "="):
            if names and self._next(sign):
                return tuple(names), sign == "="
        self._at = begin
        return (), False

    def _next(self, sign: str) -> bool:
        here = self._at < len(self._tokens) and self._tokens[self._at].text == sign
        self._at += here
        return here

    def _command(self) -> tuple[Operand, ...]:
        operands: list[Operand] = []
        while self._at < len(self._tokens) and self._tokens[self._at].text not in ("|", ")", ",", "=", ":="):
            operands.append(self._operand())
        if not operands:
            raise TemplateError("missing value for command")
        if operands[0] == Constant(None):
            raise TemplateError("nil is not a command")
        return tuple(operands)

    def _operand(self) -> Operand:
        token = self._tokens[self._at]
        self._at += 1
        if token.text == "(":
            inner = self._pipeline()
            if not self._next(")"):
                raise TemplateError("unclosed left paren")
            return Chain(inner, self._fields())
        if token.kind == "field":
            return Chain(".", (token.text[1:], *self._fields()))
        if token.kind == "dot":
            return Chain(".")
        if token.kind == "variable":
            return Chain(token.text, self._fields())
        if token.kind == "word" and token.text not in ("true", "false", "nil"):
            if token.text not in FUNCTIONS and token.text not in LAZY:
                raise TemplateError(f'function "{token.text}" not defined')
            return Name(token.text)
        return Constant(_literal(token))

    def _fields(self) -> tuple[str, ...]:
        names = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind != "field" or token.spaced:
                break
            names.append(token.text[1:])
            self._at += 1
        return tuple(names)


def _literal(token: _Token) -> Any:
    try:
        match token.kind:
            case "string":
                return json.loads(token.text, strict=False)
            case "raw":
                return token.text[1:-1]
            case "char":
                return ord(json.loads('"' + token.text[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'))
            case "number":
                return (
                    int(token.text, 0)
                    if re.fullmatch(r"[+-]?(0[xX])?[\da-fA-F_]+", token.text)
                    else float(token.text)
                )
            case "word":
                return {"true": True, "false": False, "nil": None}[token.text]
    except (ValueError, TypeError):
        pass
    raise TemplateError(f"{token.text} is no value")
