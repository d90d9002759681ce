"""The options of `refrain report` that do not say what its rows look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from stream.errors import WrongUse
from stream.files.options import Flag, RowOptions, columns, pairs

__all__ = ["Comparison", "ReleaseFile"]

RELEASES = "Releases beside the clicks"
REPORT = "The report"


@dataclass(frozen=True)
class ReleaseFile:
    """The file that says which artists each release is of: a row for each artist, or for each release."""

    releases: Annotated[
        Path | None, Flag("--releases", "Says which artists each release is of.", "FILE", RELEASES)
    ] = None
    releases_map: Annotated[
        Mapping[str, str],
        Flag(
            "--releases-map",
            "Its columns of release_id, artist_ids, ...",
            "FIELD=COLUMN,...",
            RELEASES,
            pairs("--releases-map"),
            repeated=True,
        ),
    ] = field(default_factory=dict)
    releases_columns: Annotated[
        tuple[str, ...],
        Flag("--releases-columns", "Its columns, where it has no header row.", "A,B,...", RELEASES, columns),
    ] = ()

    def rows(self, clicks: RowOptions) -> tuple[Path, RowOptions]:
        """Return the file and how it is read; encoding and separators are those of the clicks.

        Raises
        ------
        WrongUse
            Where no file is named.
        """
        if self.releases is None:
            raise WrongUse("which artists is each release of? Name the file that says it: --releases FILE")
        return self.releases, RowOptions(
            columns=self.releases_columns,
            encoding=clicks.encoding,
            mend=clicks.mend,
            mapping=self.releases_map,
            separator=clicks.separator,
        )


@dataclass(frozen=True)
class Comparison:
    """What is compared, and with how many random clusters.

    Attributes
    ----------
    by
        A row for each cohort, over all releases that should go to it; or for each release.
    release
        Show every cohort for this one release instead.
    """

    by: Annotated[
        Literal["cohort", "release"],
        Flag("--by", "A row for each cohort, over the releases for it; or for each release.", panel=REPORT),
    ] = "cohort"
    release: Annotated[
        str, Flag("--release", "Every cohort, for this release alone.", "ID", panel=REPORT)
    ] = ""
    draws: Annotated[
        int,
        Flag("--random", "Random clusters of each cohort's size.", "N", REPORT, least=100, most=100_000),
    ] = 1000
    seed: Annotated[int, Flag("--seed", "Of the random clusters.", "N", REPORT, least=0)] = 0

    def __post_init__(self) -> None:
        if self.release and self.by == "release":
            raise WrongUse(
                "--release ID shows every cohort for one release, --by release every release: choose"
            )
