"""Make the next items in a thread while the caller works on the present one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def ahead(items: Iterable[T], make: Callable[[T], U], depth: int = 2) -> Iterator[U]:
    """Yield `make` of each item, in order. A thread is up to `depth` items ahead of the caller.

    An error of `make` reaches the caller in place of its item. Closing the iterator ends the thread.
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
