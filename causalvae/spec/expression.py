"""Parser for the equations of structural models.

An equation is an expression in Python syntax with numbers, names, arithmetic, comparisons, ``and``, ``or``, ``not``,
``a if c else b`` and calls of the functions in `FUNCTIONS` and `DISTRIBUTIONS`. It is parsed with `ast` to the terms of
`causalvae.spec.terms`; nothing is evaluated as Python.

A call of a distribution is exogenous noise: ``normal(m, s)`` is ``m + s * u`` with a standard normal ``u`` that is
drawn once per sample and the same in counterfactuals. Parameters may depend on other variables, ``u`` does not.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Sequence
from typing import Final

from causalvae.spec.scalar_functions import SCALAR
from causalvae.spec.terms import Call, Constant, Label, Noise, Parameter, Term, Variable, evaluate, walk

MAX_TEXT: Final = 1000
MAX_TERMS: Final = 300
_MAX_DEPTH: Final = 100
_MOST_SHOWN: Final = 40
# Below the lower bound most draws underflow to 0; above the upper a gamma is constant to three digits.
GAMMA_SHAPES: Final = (1e-3, 1e6)


class ExpressionFault(Exception):  # noqa: N818
    """An error in an expression.

    Parameters
    ----------
    message, expected : str
        What is wrong, and what is expected.
    part : str
        The faulty part of the text; empty for all of it.
    name : str
        An unknown name, for which the nearest known one can be suggested.
    """

    def __init__(self, message: str, expected: str, part: str = "", name: str = "") -> None:
        super().__init__(message)
        self.message, self.expected, self.part, self.name = message, expected, part, name


# Least and most number of arguments; None is any number.
FUNCTIONS: Final[dict[str, tuple[int, int | None]]] = {
    "exp": (1, 1),
    "log": (1, 1),
    "sqrt": (1, 1),
    "abs": (1, 1),
    "sin": (1, 1),
    "cos": (1, 1),
    "tan": (1, 1),
    "tanh": (1, 1),
    "sigmoid": (1, 1),
    "floor": (1, 1),
    "round": (1, 1),
    "min": (2, None),
    "max": (2, None),
    "clip": (3, 3),
    "where": (3, 3),
    "case": (2, None),
}
# Name of each parameter.
DISTRIBUTIONS: Final[dict[str, tuple[str, ...]]] = {
    "normal": ("mean", "sd"),
    "uniform": ("low", "high"),
    "laplace": ("mean", "scale"),
    "exponential": ("mean",),
    "gamma": ("shape", "scale"),
    "bernoulli": ("probability",),
}
CONSTANTS: Final[dict[str, float]] = {"pi": math.pi}
RESERVED: Final = frozenset((*FUNCTIONS, *DISTRIBUTIONS, *CONSTANTS))

_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.Mod: "%",
}
_COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def parse_expression(text: str) -> Term:
    """Parse an expression.

    Parameters
    ----------
    text : str
        At most 1,000 characters, 300 operations and names, nested at most 100 deep.

    Raises
    ------
    ExpressionFault
        If `text` is not a valid expression.

    Examples
    --------
    >>> parse_expression("0.5 * x + normal(0, 0.1)").function
    '+'
    """
    if len(text) > MAX_TEXT:
        raise ExpressionFault(
            f"the equation has {len(text):,} characters",
            f"Write at most {MAX_TEXT:,}: declare a part of it as a separate variable.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(" ".join(text.split()), mode="eval")
    except SyntaxError as error:
        raise ExpressionFault(*_explain_syntax(text, error)) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionFault("the equation cannot be read", "Write it shorter and nested less deep.") from None
    return _Reader(tree.body).term


def _explain_syntax(text: str, error: SyntaxError) -> tuple[str, str, str]:
    clean = " ".join(text.split())
    if not clean:
        return "the equation is empty", "Write an expression, such as `0.5 * x + normal(0, 0.1)`.", ""
    if "=" in clean.replace("==", "").replace("<=", "").replace(">=", "").replace("!=", ""):
        return (
            "the equation has an '=' that is not a comparison",
            "Write the right-hand side alone: the variable is the key. To compare write `==`.",
            "",
        )
    at = max((error.offset or 1) - 1, 0)
    part = clean[at : at + 12].strip()
    where = f" at '{part}'" if part else " at its end"
    return f"the equation cannot be read{where}", "Write arithmetic, as in `0.5 * x + normal(0, 0.1)`.", part


class _Reader:
    """Converts a syntax tree to terms; counts the terms and the draws."""

    def __init__(self, tree: ast.expr) -> None:
        self._count = 0
        self._draws = 0
        self.term = self._read(tree, 0)

    def _read(self, node: ast.expr, depth: int) -> Term:
        self._count += 1
        if self._count > MAX_TERMS or depth > _MAX_DEPTH:
            raise ExpressionFault(
                "the equation is too long or nested too deep",
                f"Write at most {MAX_TERMS} operations, {_MAX_DEPTH} deep; a part of it can be a separate variable.",
            )
        below = depth + 1
        match node:
            case ast.Constant():
                return _constant(node.value)
            case ast.Name(id=name):
                return Constant(CONSTANTS[name]) if name in CONSTANTS else Variable(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Call("neg", (self._read(operand, below),))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._read(operand, below)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Call("not", (self._read(operand, below),))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
                return Call(_BINARY[type(operator)], (self._read(left, below), self._read(right, below)))
            case ast.BoolOp(op=operation, values=values):
                name = "and" if isinstance(operation, ast.And) else "or"
                return _fold(name, [self._read(value, below) for value in values])
            case ast.Compare():
                return self._compare(node, below)
            case ast.IfExp(test=test, body=body, orelse=other):
                return Call("where", tuple(self._read(part, below) for part in (test, body, other)))
            case ast.Call():
                return self._call(node, below)
        raise _refuse(node)

    def _compare(self, node: ast.Compare, depth: int) -> Term:
        if any(type(operator) not in _COMPARE for operator in node.ops):
            raise _refuse(node)
        sides = [self._read(side, depth) for side in (node.left, *node.comparators)]
        parts: list[Term] = [
            Call(_COMPARE[type(operator)], (left, right))
            for operator, left, right in zip(node.ops, sides, sides[1:], strict=False)
        ]
        return _fold("and", parts)

    def _call(self, node: ast.Call, depth: int) -> Term:
        if not isinstance(node.func, ast.Name) or any(isinstance(part, ast.Starred) for part in node.args):
            raise _refuse(node)
        name = node.func.id
        if name in DISTRIBUTIONS:
            return self._draw(name, node, depth)
        if name not in FUNCTIONS:
            raise ExpressionFault(
                f"there is no function '{name}'",
                f"The functions are {', '.join(FUNCTIONS)}; the distributions {', '.join(DISTRIBUTIONS)}.",
                name,
                name,
            )
        if name == "case":
            return self._case(node, depth)
        least, most = FUNCTIONS[name]
        if node.keywords or len(node.args) < least or (most is not None and len(node.args) > most):
            count = f"{least} arguments" if least > 1 else "1 argument"
            raise ExpressionFault(
                f"'{name}' takes {'at least ' if most is None else ''}{count}", f"Write `{_usage(name)}`.", name
            )
        arguments = tuple(self._read(part, depth) for part in node.args)
        if name == "clip":
            low, high = (_number_of(part) for part in arguments[1:])
            if low is not None and high is not None and low > high:
                raise ExpressionFault(
                    f"'clip' goes from {low:.6g} to {high:.6g}",
                    "Write the lower number first: `clip(x, low, high)`.",
                    name,
                )
        return Call(name, arguments)

    def _case(self, node: ast.Call, depth: int) -> Term:
        labels = [keyword.arg for keyword in node.keywords]
        if len(node.args) != 1 or not isinstance(node.args[0], ast.Name) or not labels or None in labels:
            raise ExpressionFault(
                "'case' takes a variable with levels, and a value for each of them",
                f"Write `{_usage('case')}`.",
                "case",
            )
        values = tuple(self._read(keyword.value, depth) for keyword in node.keywords)
        return Call("case", (self._read(node.args[0], depth), *values), tuple(map(str, labels)))

    def _draw(self, name: str, node: ast.Call, depth: int) -> Term:
        parameters = DISTRIBUTIONS[name]
        given: dict[str, Term] = {}
        for parameter, part in zip(parameters, node.args, strict=False):
            given[parameter] = self._read(part, depth)
        for keyword in node.keywords:
            given[str(keyword.arg)] = self._read(keyword.value, depth)
        if set(given) != set(parameters) or len(node.args) + len(node.keywords) != len(parameters):
            raise ExpressionFault(
                f"'{name}' takes {' and '.join(parameters)}", f"Write `{name}({', '.join(parameters)})`.", name
            )
        self._draws += 1
        text = ast.unparse(node)
        terms = [given[parameter] for parameter in parameters]
        return _transform(name, self._draws - 1, terms, text if len(text) <= _MOST_SHOWN else f"{name}(...)")


def _transform(name: str, index: int, terms: list[Term], text: str) -> Term:
    """A draw as a monotone function of its noise, so that the noise of a sample fixes its quantile."""
    first, second = terms[0], terms[-1]
    uniform = Noise(index, "uniform")
    if name == "gamma":
        noise = Noise(index, "gamma", _shape_of_gamma(first, text))
        return Call("*", (_parameter(second, text, "scale"), noise))
    if name == "normal":
        return Call("+", (first, Call("*", (_parameter(second, text, "sd"), Noise(index, "normal")))))
    if name == "uniform":
        width = _parameter(Call("-", (second, first)), text, "difference of high and low")
        return Call("+", (first, Call("*", (width, uniform))))
    if name == "bernoulli":
        return Call("bernoulli", (uniform, _parameter(first, text, "probability", 1.0)))
    if name == "exponential":
        return Call("*", (_parameter(first, text, "mean"), Call("quantile_exponential", (uniform,))))
    scale = _parameter(second, text, "scale")
    return Call("+", (first, Call("*", (scale, Call("quantile_laplace", (uniform,))))))


def _parameter(term: Term, text: str, name: str, high: float = math.inf) -> Term:
    """A parameter of a distribution; an error if it is a number outside its domain."""
    parameter = Parameter(term, text, name, 0.0, high)
    value = _number_of(term)
    if value is None:
        return parameter
    if not parameter.holds(value):
        shown = "no number" if math.isnan(value) else f"{value:.6g}"
        raise ExpressionFault(
            f"the {name} of `{text}` is {shown}", f"It must be {parameter.domain}.", text.partition("(")[0]
        )
    # Numbers within the domain need no check for each sample.
    return term


def _shape_of_gamma(term: Term, text: str) -> float:
    value = _number_of(term)
    low, high = GAMMA_SHAPES
    if value is None or not low <= value <= high:
        shown = "depends on other variables" if value is None else f"is {value:.6g}"
        raise ExpressionFault(
            f"the shape of `{text}` {shown}",
            f"It must be a number from {low:g} to {high:,.0f}. Its scale may depend on other variables, as in "
            "`gamma(2, exp(x))`.",
            "gamma",
        )
    return value


def _number_of(term: Term) -> float | None:
    """The value of a term without variables and noise; None for any other."""
    if any(isinstance(part, Variable | Noise | Label) for part in walk(term)):
        return None
    return float(evaluate(term, {}, (), SCALAR))


def _constant(value: object) -> Term:
    if isinstance(value, str):
        return Label(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionFault(
            f"'{value}' is not a number", "Write numbers, names of variables, and functions.", str(value)
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpressionFault("a number is too large", "Write numbers below 1e308.")
    return Constant(number)


def _fold(name: str, terms: Sequence[Term]) -> Term:
    first, *others = terms
    for term in others:
        first = Call(name, (first, term))
    return first


def _refuse(node: ast.expr) -> ExpressionFault:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
        return ExpressionFault("'^' is not the power operator here", "Write `x ** 2`.", "^")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
        return ExpressionFault("'&' and '|' do not join conditions", "Write `and` or `or`.")
    text = ast.unparse(node)
    shown = text if len(text) <= 30 else text[:27] + "..."
    return ExpressionFault(
        f"'{shown}' cannot be part of an equation",
        "Write numbers, names of variables, + - * / ** %, comparisons, `and`, `or`, `not`, `a if c else b` and "
        "functions.",
        text if len(text) <= 30 else "",
    )


def _usage(name: str) -> str:
    special = {
        "clip": "clip(x, low, high)",
        "where": "where(condition, value, otherwise)",
        "case": "case(shape, circle=0.2, square=0.3)",
        "min": "min(x, y)",
        "max": "max(x, y)",
    }
    return special.get(name, f"{name}(x)")
