"""The dashboard, the alert rules and docs/operating.md name metrics as they are declared."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from ruamel.yaml import YAML

from consumers.runtime.supervisor import KINDS
from stream.metrics import declared

ROOT = Path(__file__).parents[2]
OPERATING = (ROOT / "docs" / "operating.md").read_text()
ALERTS = YAML(typ="safe").load(ROOT / "deploy" / "prometheus" / "alerts.yaml")
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "refrain.json").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{f"{panel['title']} {at['refId']}": at["expr"] for panel in PANELS for at in panel["targets"]},
}

SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SERIES = {each.name + suffix: each for each in declared() for suffix in SUFFIXES[each.kind]}
OF_PROMETHEUS = {"le", "instance", "job"}


def parsed(query: str) -> Any:
    """A query as Prometheus would read it; Grafana puts an interval in for its variables."""
    return promql_parser.parse(re.sub(r"\$__(rate_interval|range)", "5m", query))


def parts(query: Any) -> Iterator[Any]:
    """All parts of a query."""
    yield query
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        found = getattr(query, name, None)
        for part in found if isinstance(found, list) else [found]:
            if part is not None:
                yield from parts(part)


def asked(query: str) -> Iterator[tuple[str, set[str]]]:
    """The series that a query asks for, each with the labels that it is asked by."""
    for part in parts(parsed(query)):
        if isinstance(part, promql_parser.VectorSelector):
            yield part.name, {matcher.name for matcher in part.matchers.matchers}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_for_series_that_there_are_by_labels_that_they_have(name: str) -> None:
    found = list(asked(QUERIES[name]))
    assert found
    for series, labels in found:
        assert series in SERIES
        assert labels <= {*SERIES[series].labels, *OF_PROMETHEUS}


@pytest.mark.parametrize("name", QUERIES)
def test_what_a_query_groups_by_are_labels_of_what_it_asks_for(name: str) -> None:
    for part in parts(parsed(QUERIES[name])):
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier:
            for series, _ in asked(part.prettify()):
                has = {*SERIES[series].labels, *OF_PROMETHEUS}
                assert set(part.modifier.labels) <= has


@pytest.mark.parametrize("name", QUERIES)
def test_counters_are_asked_for_as_rates_and_gauges_are_not(name: str) -> None:
    rated = set()
    for part in parts(parsed(QUERIES[name])):
        if isinstance(part, promql_parser.Call) and part.func.name in ("rate", "increase"):
            rated |= {series for series, _ in asked(part.prettify())}
    for series, _ in asked(QUERIES[name]):
        assert (SERIES[series].kind != "gauge") == (series in rated), series


@pytest.mark.parametrize("name", QUERIES)
def test_legends_and_summaries_name_labels_that_are_left(name: str) -> None:
    rule = next((rule for rule in RULES if rule["alert"] == name), None)
    legends = [
        at["legendFormat"]
        for panel in PANELS
        for at in panel["targets"]
        if f"{panel['title']} {at['refId']}" == name
    ]
    text = rule["annotations"]["summary"] if rule else legends[0]
    named = set(re.findall(r"\$labels\.(\w+)|{{(\w+)}}", text))
    grouped = {
        label
        for part in parts(parsed(QUERIES[name]))
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier
        for label in part.modifier.labels
    }
    assert {one or other for one, other in named} <= grouped


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_leads_to_what_to_do(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Refrain([A-Z][a-z]+)+", rule["alert"])
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "0m"))
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["runbook"] == f"docs/operating.md#{rule['alert'].lower()}"
    assert f"\n### {rule['alert']}\n" in OPERATING


def test_the_page_has_no_alert_that_there_is_not() -> None:
    assert re.findall(r"^### (Refrain\w+)$", OPERATING, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_the_example_asks_every_process_of_refrain_up_at_its_port_and_needs_no_key() -> None:
    order_of_up = [*KINDS, "deliver"]
    [block] = re.findall(r"```yaml\n(scrape_configs:.*?)```", OPERATING, re.DOTALL)
    [job] = YAML(typ="safe").load(block)["scrape_configs"]
    [static] = job["static_configs"]
    assert static["targets"] == [f"127.0.0.1:{9400 + number}" for number in range(len(order_of_up))]
    assert "authorization" not in job
    [order] = re.findall(r"in the order ([\w, ]+) \(9400 to 9405\)", OPERATING)
    assert order.split(", ") == order_of_up


def test_a_counter_with_labels_counts_in_an_alert_from_its_first_value_on() -> None:
    for rule in RULES:
        for counter, window in re.findall(r"increase\((\w+)\[(\w+)\]\)", rule["expr"]):
            if SERIES[counter].labels:
                # A scrape that failed then does not make it new: the day before tells.
                before = f"last_over_time({counter}[1d] offset {window})"
                assert f"({counter} unless {before})" in rule["expr"]


def test_no_two_panels_lie_upon_each_other() -> None:
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_metric_is_on_the_dashboard_or_in_an_alert_or_is_told_apart() -> None:
    shown = {SERIES[series].name for query in QUERIES.values() for series, _ in asked(query)}
    apart = {each.name for each in declared()} - shown
    assert apart == {
        "refrain_partitions",
        "refrain_clicks_seen_total",
        "refrain_listeners_learned_total",
        "refrain_ctr_models_refused_total",
        "refrain_songs_total",
    }


def test_the_page_has_all_metrics() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "metrics_page.py"))["page"](OPERATING)
    assert made == OPERATING, "run `python docs/metrics_page.py`"


def test_alerts_fire_where_they_should_and_nowhere_else(tmp_path: Path) -> None:
    program = shutil.which("promtool") or pytest.skip("no `promtool` here: alerts are parsed, and never fire")
    shutil.copy(ROOT / "deploy" / "prometheus" / "alerts.yaml", tmp_path)
    shutil.copy(Path(__file__).with_name("alerts_fire.yaml"), tmp_path)
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_fire.yaml"]):
        done = subprocess.run([program, *command], cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
