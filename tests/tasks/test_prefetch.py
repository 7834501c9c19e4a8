"""Making what comes next: order, bound, errors and end."""

from __future__ import annotations

import threading
import time

import pytest

from tocompress.tasks.prefetch import ahead

PATIENCE = 5.0  # seconds


def test_what_is_made_comes_in_order():
    assert list(ahead(range(20), lambda item: item * item)) == [item * item for item in range(20)]
    assert list(ahead([], str)) == []


def test_the_next_are_made_while_the_caller_works_and_no_more():
    made: list[int] = []
    enough = threading.Event()

    def make(item: int) -> int:
        made.append(item)
        if len(made) == 4:
            enough.set()
        return item

    results = ahead(range(100), make, depth=3)
    assert next(results) == 0
    assert enough.wait(PATIENCE)
    time.sleep(0.02)  # for more, were there no bound
    assert made == [0, 1, 2, 3]


def test_an_error_reaches_the_caller_in_its_place():
    def make(item: int) -> float:
        return 1 / (2 - item)

    results = ahead(range(5), make)
    assert [next(results), next(results)] == [0.5, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("fails", [False, True])
def test_its_thread_ends_when_the_caller_stops_early(fails):
    workers: set[threading.Thread] = set()

    def make(item: int) -> int:
        workers.add(threading.current_thread())
        if fails and item == 1:
            raise ValueError("none")
        return item

    results = ahead(range(1000), make)
    next(results)
    if fails:
        with pytest.raises(ValueError, match="none"):
            next(results)
    else:
        results.close()
    assert len(workers) == 1 and not workers.pop().is_alive()
