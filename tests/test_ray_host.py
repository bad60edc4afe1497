"""Workers as actors of a local Ray: the same runs with the same bits, and nothing left at the end."""

import os
import signal

import pytest
from conftest import wait_until

from toytrain import Config, ToytrainError, Trainer
from toytrain.classroom import Classroom
from toytrain.engine import Pool, ray_host

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool():
    ray = pytest.importorskip("ray", reason="Ray is not installed: see requirements-ray.txt")
    pool = Pool(classroom=Classroom(ray="local", workers=1))
    wait_until(lambda: pool.warm, 120)
    yield pool
    pool.stop()
    ray.shutdown()


def trained(pool, steps):
    run = pool.open(Config(dropout=0.3))
    assert run.wait_until_open(30)
    for _ in range(steps):
        run.step_batch()
    wait_until(lambda: len(run.losses) == steps)
    return run


def test_a_run_in_an_actor_has_the_losses_of_a_plain_trainer(pool):
    run = trained(pool, 20)
    assert run.losses == Trainer.from_config(run.config).advance(steps=20).losses.tolist()


def test_a_run_in_an_actor_plays_and_pauses(pool):
    run = trained(pool, 1)
    run.play()
    wait_until(lambda: run.want_frame() or run.steps > 300)
    run.pause()
    assert run.losses == Trainer.from_config(run.config).advance(steps=len(run.losses)).losses.tolist()


def test_a_refusal_crosses_as_its_sentence(pool):
    with pytest.raises(ToytrainError, match="training examples") as refused:
        pool.check(Config(points=10, batch_size=1000, drop_last=True), 30)
    assert refused.value.field == "batch_size"


def test_an_actor_that_dies_is_replaced_and_its_runs_come_back(pool):
    run = trained(pool, 3)
    pid = pool.workers[0].pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "died and was replaced" in run.note, 60)
    wait_until(lambda: pool.warm, 120)
    run.step_batch()
    assert run.losses == Trainer.from_config(run.config).advance(steps=len(run.losses)).losses.tolist()


def test_without_ray_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ToytrainError, match=r"pip install -r requirements-ray\.txt"):
        ray_host.connect("local")
