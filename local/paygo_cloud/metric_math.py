"""Metric math: what an expression over metrics comes to, for the functions that alarms are made of.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

type Series = dict[float, float]
"""A value for each period, by the period's start; a period without data is missing."""
type Value = float | Series | list[Series]


class MathError(Exception):
    """The expression is not one that is understood here."""


def evaluate(expression: str, metrics: Mapping[str, Series], periods: Sequence[float]) -> Series:
    """Evaluate an expression whose variables are the metrics, over the given periods."""
    try:
        tree = ast.parse(expression.replace("&&", " and ").replace("||", " or ").strip(), mode="eval")
        value = _Evaluation(metrics, periods).of(tree.body)
    except (SyntaxError, TypeError, IndexError, KeyError) as error:
        raise MathError(f"{expression}: {error}") from error
    if isinstance(value, list):
        raise MathError(f"{expression} is several time series.")
    return value if isinstance(value, dict) else dict.fromkeys(periods, value)


def _divide(one: float, other: float) -> float | None:
    return one / other if other else None


def _truth(test: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    return lambda one, other: float(test(one, other))


_OPERATORS: dict[type[ast.AST], Callable[[float, float], float | None]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.Gt: _truth(operator.gt),
    ast.GtE: _truth(operator.ge),
    ast.Lt: _truth(operator.lt),
    ast.LtE: _truth(operator.le),
    ast.Eq: _truth(operator.eq),
    ast.NotEq: _truth(operator.ne),
    ast.And: _truth(lambda one, other: bool(one and other)),
    ast.Or: _truth(lambda one, other: bool(one or other)),
}
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "MAX": max,
    "MIN": min,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}


class _Evaluation:
    def __init__(self, metrics: Mapping[str, Series], periods: Sequence[float]) -> None:
        self.metrics, self.periods = metrics, periods

    def of(self, node: ast.AST) -> Value:
        value: Value
        match node:
            case ast.Constant(value=int() | float() as number):
                value = float(number)
            case ast.Name(id=name):
                value = self.metrics[name]
            case ast.List(elts=elements):
                value = [self.series(element) for element in elements]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self.combine(operator.sub, 0.0, self.of(operand))
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]) if (
                type(op) in _OPERATORS
            ):
                value = self.combine(_OPERATORS[type(op)], self.of(left), self.of(right))
            case ast.BoolOp(op=op, values=[first, *others]):
                value = self.of(first)
                for other in others:
                    value = self.combine(_OPERATORS[type(op)], value, self.of(other))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                value = self.call(name, arguments)
            case _:
                raise MathError(f"{ast.unparse(node)} is not understood.")
        return value

    def series(self, node: ast.AST) -> Series:
        value = self.of(node)
        if isinstance(value, list):
            raise MathError(f"{ast.unparse(node)} is several time series.")
        return value if isinstance(value, dict) else dict.fromkeys(self.periods, value)

    def combine(self, operate: Callable[[float, float], float | None], one: Value, other: Value) -> Value:
        """Combine period by period; where either is missing, so is the result."""
        if isinstance(one, list) or isinstance(other, list):
            raise MathError("An operator takes no list.")
        if isinstance(one, float) and isinstance(other, float):
            result = operate(one, other)
            return {} if result is None else float(result)
        known = [each for each in (one, other) if isinstance(each, dict)]
        combined: Series = {}
        for period in self.periods:
            if all(period in each for each in known):
                values = [each[period] if isinstance(each, dict) else each for each in (one, other)]
                if (value := operate(*values)) is not None:
                    combined[period] = float(value)
        return combined

    def call(self, name: str, arguments: list[ast.expr]) -> Value:
        if name in _AGGREGATES:
            return self.aggregate(_AGGREGATES[name], self.of(arguments[0]))
        if name == "FILL":
            return self.fill(self.series(arguments[0]), arguments[1])
        if name == "IF":
            return self.choose(*(self.series(argument) for argument in arguments))
        if name == "ABS":
            return {period: abs(value) for period, value in self.series(arguments[0]).items()}
        raise MathError(f"{name} is not understood.")

    def aggregate(self, aggregate: Callable[[list[float]], float], value: Value) -> Value:
        """Aggregate a list period by period, and a single time series to one number."""
        if not isinstance(value, list):
            return value if isinstance(value, float) else float(aggregate(list(value.values()))) if value else {}
        found: Series = {}
        for period in self.periods:
            values = [series[period] for series in value if period in series]
            if values:
                found[period] = float(aggregate(values))
        return found

    def fill(self, series: Series, filler: ast.expr) -> Series:
        if isinstance(filler, ast.Name) and filler.id == "REPEAT":
            filled: Series = {}
            last: float | None = None
            for period in self.periods:
                last = series.get(period, last)
                if last is not None:
                    filled[period] = last
            return filled
        return self.series(filler) | series

    def choose(self, condition: Series, then: Series, otherwise: Series | None = None) -> Series:
        chosen: Series = {}
        for period, value in condition.items():
            source: Any = then if value else otherwise or {}
            if period in source:
                chosen[period] = source[period]
        return chosen
