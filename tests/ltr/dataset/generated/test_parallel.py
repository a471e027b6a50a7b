"""Work shared among processes: in order, and never for ever."""

import os

import pytest

from ebm.exceptions import InputError
from ltr.dataset.generated.parallel import run_jobs


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    assert run_jobs(abs, range(-9, 0), workers=workers, progress=False) == list(range(9, 0, -1))


def test_a_process_that_dies_is_an_error_not_a_wait() -> None:
    with pytest.raises(InputError, match="ended before its work was done"):
        run_jobs(os._exit, [1, 1, 1], workers=2, progress=False)


def test_an_error_of_the_work_is_passed_on() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        run_jobs(int, ["1", "x", "3"], workers=2, progress=False)
