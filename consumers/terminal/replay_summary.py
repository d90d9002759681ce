"""What came of a replay, and what would come of one, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator

import typer

from consumers.replay.summary import DryRun, Summary
from consumers.terminal.visible import say
from stream.files.fields import Remark
from stream.files.kinds import TIMES
from stream.files.options import Kind
from stream.files.shown import ShownRow
from stream.files.tally import Finding, Tally
from stream.files.times import utc_text

__all__ = ["show_dry_run", "show_summary"]

SAID: dict[str, str] = {
    Remark.DROPPED: "{field} dropped from {count:,} rows, which are used without it",
    Remark.FLOAT_ID: "{count:,} times {field} is a whole number that is written as a float",
    Remark.SPLIT: "{count:,} rows have several artists in one name of {field}",
    Remark.EARLY: "{count:,} times are before 2000",
    Remark.LATE: "{count:,} times are in the future",
}

NO_ROWS = "there are no rows. A first line names the columns, unless --columns A,B,... does"


def show_dry_run(found: DryRun) -> None:
    """Print what a replay would send: the events, and on standard error all else."""
    for key, value in found.events:
        typer.echo(f"{key.decode()}\t{value.decode()}")
    for row in found.rows:
        for line in _fields(row):
            say(line, err=True)
    for refused in found.refused:
        for line in _refused(refused):
            say(line, err=True)
    tally = found.tally
    part = "" if found.whole else "the first "
    say(
        f"{part}{tally.rows:,} rows read, {tally.left_out:,} of them left out, {tally.bad.total():,} unusable"
        f"{_reasons(tally)}; nothing was sent",
        err=True,
    )
    for line in (*_counts(found.kind, tally), *_findings(tally)):
        say(line, err=True)
    if found.doubt:
        say(f"Mind: {found.doubt}. Without --yes a replay asks before it sends these", err=True)
    if not found.events:
        say(f"nothing here can be sent as {found.kind}{_no_rows(tally)}", err=True)


def show_summary(kind: Kind, summary: Summary) -> None:
    """Print what came of a replay."""
    tally = summary.tally
    speed = (
        f" in {summary.seconds:,.1f} s, {summary.sent / summary.seconds:,.0f} a second"
        if summary.sent
        else ""
    )
    say(f"{summary.sent:,} {kind} sent{speed}{_no_rows(tally) if not summary.before else ''}")
    if summary.before:
        say(f"{summary.before:,} had been sent before")
    if summary.unknown:
        say("--resume found no earlier replay of the same files with the same options: this one began anew")
    for line in _counts(kind, tally):
        say(line)
    if tally.left_out:
        say(f"{tally.left_out:,} of {tally.rows:,} rows left out, as asked")
    if tally.bad:
        places = f"; see {', '.join(map(str, tally.bad_files))}" if tally.bad_files else ""
        say(f"{tally.bad.total():,} of {tally.rows:,} rows cannot be used{_reasons(tally)}{places}")
    for each in tally.unwritten:
        say(f"not all of these rows are written down: {each}")
    for line in _findings(tally):
        say(line)
    if summary.refused.reasons:
        say(_dead_letters(kind, summary), err=True)
    if not summary.finished:
        say("stopped before the end; the same command with --resume goes on", err=True)


def _fields(row: ShownRow) -> Iterator[str]:
    yield f"line {row.line} of {row.file}:"
    for field, column, raw, value in row.fields:
        moment = f" ({utc_text(value)})" if field in TIMES and isinstance(value, float) else ""
        source = f"  from {column}{': ' if raw else ''}{raw}" if column else ""
        became = "dropped" if value is None else json.dumps(value, ensure_ascii=False)
        yield f"    {field:<16}{became}{moment}{source}"


def _refused(finding: Finding) -> Iterator[str]:
    yield f"line {finding.line} of {finding.file} cannot be used: {finding.what}"
    yield f"    {finding.field or 'the row':<16}{finding.value}  {finding.detail}"
    yield f"    {'try':<16}{finding.hint}"


def _counts(kind: Kind, tally: Tally) -> Iterator[str]:
    if tally.joined:
        yield f"{tally.joined:,} of {tally.rows:,} rows are further artists of the same {kind}"
    if tally.repeated:
        yield f"{tally.repeated:,} of {tally.rows:,} rows are {kind} of an earlier row, and not sent again"


def _findings(tally: Tally) -> Iterator[str]:
    for finding in tally.unusable.values():
        of = f" in {finding.field}" if finding.field else ""
        yield from _finding(f"{finding.count:,} {finding.what}{of}", finding)
    for finding in tally.remarks.values():
        said = SAID[finding.what].format(field=finding.field, count=finding.count)
        yield from _finding(said, finding)


def _finding(said: str, finding: Finding) -> Iterator[str]:
    yield f"  {said}: line {finding.line} of {finding.file} has {finding.value} ({finding.detail})"
    if finding.hint:
        yield f"    try {finding.hint}"


def _dead_letters(kind: Kind, summary: Summary) -> str:
    refused = summary.refused
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in refused.reasons.most_common())
    if not refused.all_of_them:
        return f"of the first {refused.read:,} that were read, {reasons} became dead letters"
    missing = "unknown-song" in refused.reasons
    way = (
        "Send the songs first (refrain replay songs FILE), or say who made them: --map artist_ids=COLUMN, "
        "or --songs FILE"
        if missing
        else "docs/contract.md says what each reason means; --dry-run shows what is sent"
    )
    return f"all {refused.read:,} {kind} that were read became dead letters ({reasons}). {way}"


def _no_rows(tally: Tally) -> str:
    return "" if tally.rows else f": {NO_ROWS}"


def _reasons(tally: Tally) -> str:
    found = ", ".join(f"{number:,} {reason}" for reason, number in tally.bad.most_common())
    return f" ({found})" if found else ""
