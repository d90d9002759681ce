"""How well audiences would find the listeners, on more history than fits into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.experiment import Watch
from consumers.evaluate.options import Measure
from consumers.evaluate.reading import Read, asked_for_times
from consumers.evaluate.result import Result
from consumers.evaluate.run import Source, evaluate_log
from consumers.history.options import Loading
from consumers.history.packets import as_frame, packets
from consumers.history.plan import HistoryFile
from consumers.history.sample import census, put_sample, rows_read
from consumers.history.session import session
from consumers.history.spark_als import NAME, SparkAls
from stream.errors import BadFile
from stream.files.tally import Tally
from stream.settings import Settings

__all__ = ["evaluate_history"]


def evaluate_history(
    files: Sequence[HistoryFile],
    measure: Measure,
    settings: Settings,
    loading: Loading,
    name: Callable[[str], str],
    watch: Watch,
) -> Result:
    """Evaluate on a sample of the listeners of files, beside ALS of Spark, which learns from all of them.

    Raises
    ------
    RefrainError
        Where that cannot be done.
    """
    from pyspark import StorageLevel

    with session(loading.master) as spark, ClickLog(measure.listeners) as log:
        spark.conf.set("spark.sql.shuffle.partitions", spark.sparkContext.defaultParallelism)
        # Rows of files are read once, and stay packed on the workers' disks.
        packed = as_frame(spark, packets(spark, files, settings, loading)).persist(StorageLevel.DISK_ONLY)
        watch("reading", 0, 1)
        rows = rows_read(packed)
        there = census(packed, measure.listeners)
        if not there.clicks:
            raise BadFile(
                f"none of {rows.rows:,} rows is a click that names an artist, of a listener who is asked for",
                hint="`refrain replay clicks FILE --dry-run` shows what becomes of rows.",
            )
        watch("drawing listeners", 0, 1)
        put_sample(packed, there.below, log)
        plan = files[0].plan
        source = Source(
            tuple(str(file.path) for file in files),
            Read(there.clicks, there.nameless, Tally(rows.rows, bad=rows.bad, left_out=rows.left_out)),
            plan.options.timezone,
            timed=True,
            asked_for_times=asked_for_times(plan),
            share=loading.sample_users * log.n_listeners / there.listeners,
            note=_drawn(log.n_listeners, there.listeners, loading),
        )
        als = SparkAls(spark, packed, there, settings.dims, measure.seed)
        return evaluate_log(
            log, source, measure, settings, name, watch, lambda log, split: {NAME: als.variants(log, split)}
        )


def _drawn(drawn: int, there: int, loading: Loading) -> str:
    of = f" (--sample-users {loading.sample_users:g})" if loading.sample_users < 1.0 else ""
    if drawn == there:
        return f"All {there:,} listeners{of} are looked at"
    return f"{drawn:,} listeners of {there:,}{of}, drawn by a hash of the id, are looked at"
