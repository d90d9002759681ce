"""What listeners did, as bytes: read back as it was, and small."""

from __future__ import annotations

import numpy as np

from models.active_days import Activity, ActivityColumns
from models.traits.activity import DAY
from stream.stores.activity_codec import HEAD, pack, unpack


def activity(days: int, cities: dict[str, int], devices: dict[str, int]) -> Activity:
    rows = np.zeros(days, dtype=DAY)
    rows["day"], rows["play"], rows["ms"] = np.arange(20_000, 20_000 + days), 7, 1_400_000
    return Activity(rows, 1 << 63, 666, np.arange(24, dtype=np.uint16), cities, devices)


def packed(*held: Activity) -> list[bytes]:
    columns = ActivityColumns()
    columns.grow(len(held))
    for row, each in enumerate(held):
        columns.put(row, each)
    return pack(columns, np.arange(len(held)))


def test_what_is_packed_is_read_back() -> None:
    one = activity(60, {"Pune": 3, "Sigur Rós": 1}, {"tv": 4})
    for before, after in zip((one, Activity()), map(unpack, packed(one, Activity())), strict=True):
        assert after.days.tolist() == before.days.tolist()
        assert (after.sketch, after.period) == (before.sketch, before.period)
        assert after.hours.tolist() == before.hours.tolist()
        assert (after.cities, after.devices) == (before.cities, before.devices)


def test_a_usual_listener_takes_no_more_than_300_bytes() -> None:
    (usual,) = packed(activity(14, {"Mumbai": 40}, {"android": 40}))
    assert len(usual) <= 300


def test_a_name_that_is_too_long_is_cut_between_characters() -> None:
    (long,) = packed(activity(1, {"é" * 200: 3}, {}))
    assert unpack(long).cities == {"é" * 127: 3}


def test_another_format_is_nothing() -> None:
    assert len(unpack(b"\x07" + bytes(HEAD.itemsize)).days) == 0
