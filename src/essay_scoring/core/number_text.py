"""Numbers as text, by one rule: no negative zero, and digits enough to see on which side they lie.

Three decimals are shown, and more where fewer would hide what was decided: where a figure that
misses its threshold would look equal to it, or the two ends of an interval equal to each other.
"""

from __future__ import annotations

from collections.abc import Iterable

MISSING = "-"
DIGITS = 3
MOST_DIGITS = 9
"""What differs by less than this shows is rounding of machines, and equal."""


def number(value: float | None, *, sign: bool = False, digits: int = DIGITS) -> str:
    """Return a figure to so many places, a dash where it is missing."""
    if value is None:
        return MISSING
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return text.replace("-", "", 1) if float(text) == 0 else text


def held(value: float | None, *thresholds: float, sign: bool = False, digits: int = DIGITS) -> str:
    """Return a figure with digits enough to see on which side of each threshold it lies."""
    return number(value, sign=sign, digits=digits_beside([value], thresholds, digits))


def threshold(value: float | None, *, sign: bool = False) -> str:
    """Return a threshold with all of its digits, three at least."""
    if value is None:
        return MISSING
    return number(value, sign=sign, digits=_digits_of(value, DIGITS))


def with_interval(
    estimate: float | None,
    low: float | None,
    high: float | None,
    *thresholds: float,
    sign: bool = False,
) -> str:
    """Return `estimate [low, high]`, as `held` shows each; a difference is held against zero too.

    Dashes stand for the ends where there is no interval.
    """
    against = (*thresholds, 0.0) if sign else thresholds
    digits = digits_beside([estimate, low, high], against)
    if low is not None and high is not None:
        digits = max(digits, _digits_apart(low, high))
    shown = [number(value, sign=sign, digits=digits) for value in (estimate, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def probability(value: float | None, *thresholds: float) -> str:
    """Return a p-value to three places, `<0.001` below that; a dash where it is missing."""
    if value is None:
        return MISSING
    return "<0.001" if value < 0.001 else held(value, *thresholds)


def p_value(value: float | None, *thresholds: float) -> str:
    """Return a p-value as a sentence has it: `p = 0.012`, `p < 0.001`."""
    shown = probability(value, *thresholds)
    return f"p < {shown[1:]}" if shown.startswith("<") else f"p = {shown}"


def share(value: float | None, *thresholds: float, digits: int = 1) -> str:
    """Return a share as a percentage, a dash where it is missing."""
    if value is None:
        return MISSING
    return f"{held(100 * value, *(100 * each for each in thresholds), digits=digits)}%"


def digits_beside(
    values: Iterable[float | None], thresholds: Iterable[float], least: int = DIGITS
) -> int:
    """Return how many decimals keep each value on its side of each threshold."""
    against = tuple(thresholds)
    pairs = [(value, each) for value in values if value is not None for each in against]
    apart = [_digits_apart(*pair, least) for pair in pairs]
    return max(
        [*apart, *(_digits_of(value, least) for value, each in pairs if value == each)],
        default=least,
    )


def _digits_apart(value: float, other: float, least: int = DIGITS) -> int:
    """Return how many decimals show that two values differ; the least where they are equal."""
    apart = (n for n in range(least, MOST_DIGITS) if round(value, n) != round(other, n))
    return next(apart, least)


def _digits_of(value: float, least: int) -> int:
    """Return how many decimals show a value whole."""
    exact = (n for n in range(least, MOST_DIGITS) if round(value, n) == value)
    return next(exact, MOST_DIGITS)
