"""How the engine starts: one worker first, so that the first Play need not wait for all of them."""

import os

import pytest
from conftest import wait_until

from toytrain import Config
from toytrain.engine import Pool

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="asks POSIX about processes")]


@pytest.fixture
def pool():
    pool = Pool(workers=2)
    yield pool
    pool.stop()


def test_the_second_worker_starts_when_the_first_is_warm_and_questions_go_to_the_warm_one(pool):
    assert len(pool.workers) == 1
    wait_until(lambda: len(pool.workers) == 2)
    assert pool.workers[0].hello
    pool.check(Config(), 5)  # asked of the second one, it would be an answer that takes seconds
    assert not pool.workers[1].hello
    run = pool.open(Config())
    assert run in pool.workers[0].runs.values()


def test_as_many_workers_start_as_there_are_runs_and_these_share_them_evenly(pool):
    for seed in range(4):
        pool.open(Config(seed=seed))
    assert [len(worker.runs) for worker in pool.workers] == [2, 2]


def test_a_worker_is_in_a_group_of_its_own_and_in_the_session_of_its_server(pool):
    """So Ctrl-C in the terminal does not reach it, and its niceness counts beside the server."""
    pid = pool.workers[0].pid
    assert os.getpgid(pid) == pid
    assert os.getsid(pid) == os.getsid(0)
