"""`refrain release show R --html FILE`: what came of a release, as one file with plots."""

from __future__ import annotations

import html
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from consumers.html_page import page as html_page
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from tests.apart import WithRedis
from tests.cli.test_release_report import FANS, OTHERS, released, shown
from tests.refrain_command import Refrain

HOSTILE = """</script><script>alert("x")</script><img src=//elsewhere.example onerror='alert(1)'>"""


def written(refrain: Refrain, folder: Path) -> str:
    """The page of r1."""
    done = refrain.run("release", "show", "r1", "--html", str(folder / "r1.html"))
    assert done.returncode == 0, done.stderr
    assert "the page is" in done.stdout
    return (folder / "r1.html").read_text(encoding="utf-8")


def own(page: str) -> str:
    """The page without the code of the plotting library."""
    if page.count("<script>") < 2:
        return page
    return page[: page.index("<script>")] + page[page.rindex("<script>") :]


def pictures(page: str) -> dict[str, Any]:
    (found,) = re.findall(r"^const pictures = (.*);$", page, re.MULTILINE)
    drawn: dict[str, Any] = json.loads(found)
    return drawn


def rows(page: str, title: str) -> list[list[str]]:
    """The table below a heading."""
    section = page[page.index(f"<h2>{title}</h2>") :]
    table = section[section.index("<tbody>") : section.index("</tbody>")]
    return [
        [html.unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", row)]
        for row in table.split("</tr>")[:-1]
    ]


def text(page: str) -> str:
    """What a person reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page[page.index("<main>") :])).split())


def put(with_redis: WithRedis, key: str, **fields: object) -> None:
    async def write(redis: AnyRedis) -> None:
        await redis.hset(key, mapping=fields)

    with_redis(write)


def test_the_page_has_the_figures_of_the_report(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {"sent": OTHERS + FANS, "clicked": FANS[:20] + OTHERS[:3]})
    report, page = shown(refrain, "show", "r1"), written(refrain, tmp_path)
    said = text(page)
    assert said.startswith("Sól dark / light 70 told 70 sent 23 clicked 32.9 % CTR (95 %: ")
    assert "is out: 70 listeners in 1 page" in said
    assert rows(page, "CTR by cohort") == [
        ["c1 · Radiohead", "40.0 %", "", "40", "0", "20", "0", "50.0 %", "35.0 to 65.0"],
        ["c2 · Sigur Rós, [bold]Björk", "10.0 %", "", "30", "0", "3", "0", "10.0 %", "2.9 to 24.3"],
    ]
    plotted = pictures(page)["by_cohort"]["data"]["values"]
    assert [(each["share"], each["low"], each["high"]) for each in plotted] == [
        (cohort["ctr"], cohort["ctr_low"], cohort["ctr_high"]) for cohort in report["cohorts"]
    ]


def test_the_page_has_what_telling_brought_and_who_was_left_out(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    played = FANS + OTHERS[:20] + [f"apart {n}" for n in range(2)]
    released(with_redis, {"sent": FANS, "played": played}, song="s-a1", control=40)
    put(with_redis, keys.release("r1"), left_out=json.dumps({"opted out": 7, "control group": 40}))
    page = written(refrain, tmp_path)
    assert "+80.7 what telling brought: points of plays (95 %: " in text(page)
    told, control = rows(page, "Plays: told and control group")
    assert (told[:4], control[:4]) == (["told", "70", "60", "85.7 %"], ["control group", "40", "2", "5.0 %"])
    assert [each["share"] for each in pictures(page)["plays"]["data"]["values"]] == [60 / 70, 2 / 40]
    assert rows(page, "Who was left out") == [["control group", "40"], ["opted out", "7"]]


def test_while_plays_count_the_page_says_until_when(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {"sent": FANS, "played": FANS}, song="s-a1", control=40)
    put(with_redis, keys.release("r1"), planned_at=time.time())
    page = written(refrain, tmp_path)
    assert "? what telling brought: plays count until 20" in text(page)
    assert "Played by 40 of the 70 told, 0 of the 40 in the control group; plays count until 20" in text(page)
    assert "plays" not in pictures(page)


def test_a_release_in_waves_has_its_ctr_by_wave(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {"sent": OTHERS + FANS, "clicked": FANS[:20]})
    assert "CTR by wave" not in written(refrain, tmp_path)
    put(with_redis, keys.release("r1"), told_by_wave="[40, 25, 5]")
    counts = {"1:sent": 40, "1:clicked": 20, "2:sent": 25, "3:sent": 5}
    put(with_redis, keys.release_part_counts("r1"), **counts)
    page = written(refrain, tmp_path)
    assert [row[:4] for row in rows(page, "CTR by wave")] == [
        ["1", "40", "40", "20"],
        ["2", "25", "25", "0"],
        ["3", "5", "5", "0"],
    ]
    plotted = pictures(page)["by_wave"]["data"]["values"]
    assert [(each["name"], each["share"]) for each in plotted] == [("wave 1", 0.5), ("wave 2", 0.0)]
    assert "1 wave with fewer than 20 sent: no CTR" in text(page)


def test_the_thirty_cohorts_with_the_highest_ctr_are_plotted_and_the_table_has_all(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {"sent": FANS})
    many = {
        f"c{100 + n}:{kind}": number for n in range(33) for kind, number in (("sent", 50), ("clicked", n))
    }
    put(with_redis, keys.release_counts("r1"), **many)
    page = written(refrain, tmp_path)
    plotted = [each["name"] for each in pictures(page)["by_cohort"]["data"]["values"]]
    assert plotted == [f"c{132 - n}" for n in range(30)]
    assert "These are the first 30 of 34; the table has all." in text(page)
    assert len(rows(page, "CTR by cohort")) == 34


def test_the_page_is_one_file_that_loads_nothing_and_names_no_listener(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {"sent": OTHERS + FANS, "clicked": FANS[:20]}, song="s-a1", control=40)
    page = written(refrain, tmp_path)
    assert len(page) < 2_000_000
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert set(re.findall(r"https?://[^\"\s]+", own(page))) == {
        "https://vega.github.io/schema/vega-lite/v6.json"  # the name of the language of plots
    }
    assert not re.search(r"@import|url\(", own(page))
    assert not re.search(r"(fan|other|apart) \d", own(page))


def test_titles_and_labels_that_are_html_are_shown_as_text(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {"sent": OTHERS + FANS, "clicked": FANS[:20]})
    put(with_redis, keys.release("r1"), title=HOSTILE)
    put(with_redis, keys.cohort("c1"), label=HOSTILE)
    page = written(refrain, tmp_path)
    assert page.count("<script>") == page.count("</script>") == 2
    assert "<img" not in own(page)
    assert html.unescape(re.findall(r"<h1>(.*?)</h1>", page)[0]) == HOSTILE
    assert rows(page, "CTR by cohort")[0][0] == f"c1 · {HOSTILE}"
    assert pictures(page)["by_cohort"]["data"]["values"][0]["name"] == f"c1 · {HOSTILE}"


def test_a_release_without_feedback_says_what_is_missing(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {})
    page = written(refrain, tmp_path)
    said = text(page)
    assert "? sent: nothing reported yet ? clicked: nothing reported yet ? CTR: nothing reported yet" in said
    assert "? what telling brought: the release names no song" in said
    assert "CTR by cohort Nothing reported yet: the notifier sends it to the topic feedback." in said
    assert "Who was left out Nobody who would have been told." in said
    assert pictures(page) == {}


def test_a_release_of_which_few_were_sent_says_that_it_has_no_ctr(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {"sent": FANS[:19]}, song="s-a1")
    said = text(written(refrain, tmp_path))
    assert "19 sent 0 clicked ? CTR: no CTR below 20 sent" in said
    assert "? what telling brought: there is no control group" in said


def test_a_release_that_reached_nobody_says_so(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {}, song="s-a1")
    put(with_redis, keys.release("r1"), audience=0, reason="no-cohorts")
    said = text(written(refrain, tmp_path))
    assert "nobody: no-cohorts" in said
    assert "CTR by cohort Nobody was told. Plays: told and control group Nobody was told." in said


def test_plots_are_what_vega_lite_can_draw(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    released(with_redis, {"sent": OTHERS + FANS, "played": FANS}, song="s-a1", control=40)
    put(with_redis, keys.release("r1"), told_by_wave="[70]")
    put(with_redis, keys.release_part_counts("r1"), **{"1:sent": 70})
    page = written(refrain, tmp_path)
    drawn = pictures(page)
    assert set(drawn) == {"by_cohort", "by_wave", "plays", "left_out"}
    for name, spec in drawn.items():
        assert f'<div id="{name}">' in page
        assert vl_convert.vegalite_to_svg(spec | {"width": 600}).startswith("<svg")


@pytest.mark.parametrize("other", ["--csv", "--json"])
def test_a_page_and_another_format_at_once_are_refused(
    service: Settings, refrain: Refrain, tmp_path: Path, other: str
) -> None:
    done = refrain.run("release", "show", "r1", "--html", str(tmp_path / "r1.html"), other)
    assert (done.returncode, (tmp_path / "r1.html").exists()) == (2, False)
    assert "are 2 formats: say one of them" in done.stdout + " ".join(done.stderr.split())


def test_what_the_page_needs_is_named_with_what_installs_it(
    service: Settings, refrain: Refrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_page, "find_spec", lambda name: None)
    done = refrain.run("release", "show", "r1", "--html", str(tmp_path / "r1.html"))
    assert done.returncode == 2
    assert "--html needs jinja2, vl_convert" in " ".join(done.stderr.split())
    assert "pip install 'refrain-cohorts[evaluate]'" in " ".join(done.stderr.split())


def test_a_page_where_none_can_be_written_is_refused(service: Settings, refrain: Refrain) -> None:
    done = refrain.run("release", "show", "r1", "--html", "nowhere/r1.html")
    assert (done.returncode, "there is no folder" in " ".join(done.stderr.split())) == (2, True)
