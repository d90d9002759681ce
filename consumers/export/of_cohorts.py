"""Rows of cohorts and of their history."""

from __future__ import annotations

import json
from collections.abc import Collection

from consumers.export.of_listeners import Rows, moment
from consumers.runtime.wiring import Stores

__all__ = ["rows_of_cohorts"]


async def rows_of_cohorts(stores: Stores, known: Collection[str]) -> Rows:
    """Return the rows of cohorts.

    Parameters
    ----------
    known
        Cohorts that were exported before: one that has died has a last line in its history.
    """
    living = (await stores.cohorts.all())[1:]
    abouts = await stores.cohorts.about_each(living)
    history = {cohort: await stores.cohorts.history.of(cohort) for cohort in sorted({*living, *known})}
    return {
        "cohorts": [
            {
                "cohort_id": cohort,
                "label": about.get("label", ""),
                "size": int(about.get("size", 0)),
                "born": moment(about.get("born")),
                "parent": about.get("parent") or None,
                "sent": int(about.get("sent", 0)),
                "clicked": int(about.get("clicked", 0)),
                "opted_out": int(about.get("opted_out", 0)),
            }
            for cohort, about in zip(living, abouts, strict=True)
            if about
        ],
        "cohort_history": [
            {
                "cohort_id": cohort,
                "noted_at": moment(entry.at),
                "model_version": entry.version,
                "event": entry.event,
                "others": json.dumps(entry.others),
                "size": entry.size,
                "label": entry.label,
            }
            for cohort, entries in history.items()
            for entry in entries
        ],
    }
