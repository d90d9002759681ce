"""What listeners did, as bytes: read back as it was, and small."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.active_days import Activity, ActivityColumns, Deeds, place_name
from models.traits.activity import DAY
from stream.stores.activity_codec import HEAD, pack, unpack


def activity(
    days: int, cities: dict[str, int], devices: dict[str, int], songs: tuple[int, ...] = ()
) -> Activity:
    rows = np.zeros(days, dtype=DAY)
    rows["day"], rows["play"], rows["ms"] = np.arange(20_000, 20_000 + days), 7, 1_400_000
    hours = np.arange(24, dtype=np.uint16)
    return Activity(rows, 1 << 63, 666, hours, cities, devices, np.array(songs, dtype=np.uint32))


def packed(*held: Activity) -> list[bytes]:
    columns = ActivityColumns()
    columns.grow(len(held))
    columns.put(np.arange(len(held)), held)
    return pack(columns, np.arange(len(held)))


def test_what_is_packed_is_read_back() -> None:
    one = activity(60, {"Pune": 3, "Sigur Rós": 1}, {"tv": 4}, songs=(1, 2**32 - 1, 1))
    for before, after in zip((one, Activity()), map(unpack, packed(one, Activity())), strict=True):
        assert after.days.tolist() == before.days.tolist()
        assert (after.sketch, after.period) == (before.sketch, before.period)
        assert after.hours.tolist() == before.hours.tolist()
        assert (after.cities, after.devices) == (before.cities, before.devices)
        assert after.songs.tolist() == before.songs.tolist()


def test_the_bytes_are_laid_out_as_the_contract_says() -> None:
    (stored,) = packed(activity(2, {"Pune": 3}, {"tv": 4}, songs=(5, 6)))
    form, days, cities, devices, period, sketch, *hours = struct.unpack_from("<4BHQ24H", stored)
    assert (form, days, cities, devices, period, sketch) == (1, 2, 1, 1, 666, 1 << 63)
    assert hours == list(range(24))
    (day, *_), (_, play, complete, *_, ms, _) = struct.iter_unpack("<3H4BIB", stored[62 : 62 + 2 * 15])
    assert (day, play, complete, ms) == (20_000, 7, 0, 1_400_000)
    assert stored[62 + 2 * 15 :] == b"\x03\0\x04Pune\x04\0\x02tv\x05\0\0\0\x06\0\0\0"


def test_a_usual_listener_takes_no_more_than_300_bytes() -> None:
    (usual,) = packed(activity(12, {"Mumbai": 40}, {"android": 40}, songs=(1,) * 8))
    assert len(usual) <= 300


def test_a_record_of_before_songs_stood_in_it_is_read_and_has_none() -> None:
    days = activity(2, {}, {}).days
    head = np.zeros(1, dtype=HEAD)
    head["format"], head["days"], head["cities"] = 1, 2, 1
    read = unpack(head.tobytes() + days.tobytes() + b"\x03\x00\x04Pune")
    assert (read.days.tolist(), read.cities, read.songs.tolist()) == (days.tolist(), {"Pune": 3}, [])


def test_a_song_that_is_cut_off_is_left_out() -> None:
    (whole,) = packed(activity(1, {}, {"tv": 1}, songs=(5, 6)))
    assert unpack(whole[:-1]).songs.tolist() == [5]


Clicked = tuple[int, str, str]
"""Days since the first, the city, the device."""


def recorded(clicks: list[Clicked], *, read_again: bool) -> bytes:
    """Return what is stored after some clicks, with what is stored read again before each, or not."""
    columns = ActivityColumns()
    columns.grow(1)
    row, stored = np.zeros(1, dtype=np.int64), b""
    columns.put(row, [None])
    for day, *names in clicks:
        if read_again:
            columns.drop(row)
            columns.put(row, [unpack(stored)])
        city, device = (
            np.array([columns.names.place(place_name(name)) if name else -1], dtype=np.int64)
            for name in names
        )
        numbers = (np.array([each], dtype=np.int64) for each in (20_000 + day, 0, 0, 0, -1))
        columns.record(row, Deeds(*numbers, city, device), row, row)
        (stored,) = pack(columns, row)
    return stored


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 90),
            st.sampled_from(["", "Pune", "Delhi", "Agra", "Goa", "Diu", "x" * 256, "x" * 255 + "y"]),
            st.sampled_from(["", "tv", "web"]),
        ),
        max_size=30,
    )
)
def test_what_is_read_again_goes_on_as_if_it_had_been_held(clicks: list[Clicked]) -> None:
    assert recorded(clicks, read_again=True) == recorded(clicks, read_again=False)


def test_a_name_that_is_too_long_is_cut_between_characters() -> None:
    assert place_name("é" * 200) == "é" * 127


def test_another_format_is_nothing() -> None:
    assert len(unpack(b"\x07" + bytes(HEAD.itemsize)).days) == 0
