"""A click-through rate as the fields of an answer: always with its interval."""

from __future__ import annotations

from models.click_rate import click_rate

__all__ = ["ctr_fields"]


def ctr_fields(clicked: int, sent: int) -> dict[str, float | None]:
    """Return `ctr`, clicked / sent, and `ctr_low`, `ctr_high`, its 95 % credible interval.

    All are None where too few were sent to say (`models.click_rate.MIN_SENT`).

    Examples
    --------
    >>> ctr_fields(5, 100)
    {'ctr': 0.05, 'ctr_low': 0.019, 'ctr_high': 0.106}
    >>> ctr_fields(1, 1)
    {'ctr': None, 'ctr_low': None, 'ctr_high': None}
    """
    found = click_rate(clicked, sent)
    if found.rate is None:
        return {"ctr": None, "ctr_low": None, "ctr_high": None}
    return {"ctr": round(found.rate, 6), "ctr_low": found.low, "ctr_high": found.high}
