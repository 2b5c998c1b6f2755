"""Jobs on an executor: a bounded number at a time, and one that takes its worker down costs nobody else.

When a job fails as a whole (its worker died, or what it needs did not pickle), it is tried once more, alone; of several
units each alone.  Only what fails alone is given up.  A pool that broke is made anew, where it is ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from queue import SimpleQueue
from typing import TypeVar

from imagepeel.errors import UsageError

U = TypeVar("U")
R = TypeVar("R")

Job = tuple[U, ...]


_NEEDED = ("imagepeel.fleet.tasks", "imagepeel.results.packages", "imagepeel.process.shelling")
"""Modules whose import takes a worker most of a second."""


def own_pool(workers: int) -> Executor:
    """Return a pool of processes of this machine, which inherit nothing of this one."""
    import multiprocessing  # start time
    from concurrent.futures import ProcessPoolExecutor  # start time

    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    # What every worker needs is imported once, before they are forked; a server that runs already does not mind.
    context.set_forkserver_preload(list(_NEEDED))
    return ProcessPoolExecutor(workers, mp_context=context)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crew:
    """Workers: an executor that was given, or a pool of processes that is closed with it.

    Argument: `window` is how many jobs are handed out at a time.
    """

    def __init__(self, executor: Executor | None, workers: int) -> None:
        self._given = executor is not None
        self._workers = workers
        self._executor = executor if executor is not None else own_pool(workers)
        self.window: int = 2 * workers

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if not self._given:
            self._executor.shutdown(wait=kind is None, cancel_futures=True)

    def run(
        self,
        work: Callable[[Job[U]], R],
        jobs: Iterable[Job[U]],
        done: Callable[[Job[U], R], None],
        failed: Callable[[U, BaseException], None],
    ) -> None:
        """Do all jobs.  `done` and `failed` are called here, one at a time; `jobs` is read as workers get free.

        UsageError where an executor that was given breaks.
        """
        suspects: list[Job[U]] = []
        for job, result in self._stream(work, iter(jobs), self.window):
            if isinstance(result, BaseException):
                suspects.append(job)
            else:
                done(job, result)
        for job in suspects:
            for unit in job:
                for alone, result in self._stream(work, iter([(unit,)]), 1):
                    if isinstance(result, BaseException):
                        failed(unit, result)
                    else:
                        done(alone, result)

    def _stream(
        self, work: Callable[[Job[U]], R], jobs: Iterator[Job[U]], window: int
    ) -> Iterator[tuple[Job[U], R | BaseException]]:
        ended: SimpleQueue[Future[R]] = SimpleQueue()
        running: dict[Future[R], Job[U]] = {}
        broken = False
        more = True
        while True:
            while more and not broken and len(running) < window:
                job = next(jobs, None)
                if job is None:
                    more = False
                    break
                try:
                    future = self._executor.submit(work, job)
                except BrokenExecutor as error:
                    broken = True
                    yield job, error
                    break
                running[future] = job
                future.add_done_callback(ended.put)
            if not running:
                if broken:
                    self._renew()
                    broken = False
                    continue
                if not more:
                    return
                continue
            future = ended.get()
            job = running.pop(future)
            try:
                result: R | BaseException = future.result()
            except (Exception, GeneratorExit) as error:
                result = error
                broken = broken or isinstance(error, BrokenExecutor)
            yield job, result

    def _renew(self) -> None:
        if self._given:
            raise UsageError(
                "the executor that was given broke: one of its workers died",
                hint="give a new one: the next run goes on where this one ended",
            )
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = own_pool(self._workers)
