"""Make what comes next while the caller works on what is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def ahead(items: Iterable[T], make: Callable[[T], U], depth: int = 2) -> Iterator[U]:
    """`make` of each item, in order; a thread is up to `depth` items ahead of the caller, and no more.

    What `make` raises, the caller gets in its item's place. Closing the iterator ends the thread.
    """
    made: deque[Future[U]] = deque()
    thread = ThreadPoolExecutor(1)
    try:
        for item in items:
            made.append(thread.submit(make, item))
            if len(made) > depth:
                yield made.popleft().result()
        while made:
            yield made.popleft().result()
    finally:
        thread.shutdown(cancel_futures=True)
