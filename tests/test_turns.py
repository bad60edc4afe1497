"""Fair shares: what one student's settings cost falls on that student's run alone."""

from collections import Counter

import pytest

from toytrain import Config
from toytrain.engine.turns import LAG, Turns
from toytrain.engine.worker import FRAMES_SHARE, Worker


def serve(turns, costs, seconds, may=lambda run_id: True):
    """Let turns be taken that cost so many seconds each: how many seconds every run has had."""
    had, now = Counter(), 0.0
    while now < seconds:
        run_id = turns.next(may)
        turns.charge(run_id, costs[run_id])
        had[run_id] += costs[run_id]
        now += costs[run_id]
    return had


def turns_of(*run_ids):
    turns = Turns()
    for run_id in run_ids:
        turns.add(run_id)
    return turns


def test_equal_runs_take_their_turns_one_after_the_other():
    turns = turns_of("a", "b", "c")
    taken = []
    for _ in range(6):
        taken.append(turns.next(lambda run_id: True))
        turns.charge(taken[-1], 0.004)
    assert taken == ["a", "b", "c", "a", "b", "c"]


def test_a_run_whose_turns_last_ten_times_as_long_gets_no_more_than_the_others():
    had = serve(turns_of("a", "b", "big"), {"a": 0.004, "b": 0.004, "big": 0.04}, 12)
    for run_id in had:
        assert had[run_id] == pytest.approx(4, abs=0.1)


def test_what_a_run_takes_beside_its_turns_is_counted():
    turns = turns_of("a", "watched")
    had = Counter()
    for _ in range(1000):
        run_id = turns.next(lambda run_id: True)
        had[run_id] += 1
        turns.charge(run_id, 0.01)
        if run_id == "watched":
            turns.charge(run_id, 0.03)  # its pictures
    assert had["a"] == pytest.approx(4 * had["watched"], abs=2)


def test_a_run_that_stood_still_is_next_and_takes_no_more_than_a_moment_from_the_others():
    turns = turns_of("a", "idle")
    costs = {"a": 0.004, "idle": 0.004}
    serve(turns, costs, 60, lambda run_id: run_id == "a")
    had = serve(turns, costs, 1)
    assert had["idle"] - had["a"] == pytest.approx(LAG, abs=0.01)


def test_a_run_that_is_gone_has_no_turn():
    turns = turns_of("a", "b")
    turns.remove("a")
    turns.charge("a", 1)
    assert turns.next(lambda run_id: True) == "b"
    assert turns.next(lambda run_id: False) is None


def test_the_picture_of_a_large_network_comes_less_often_and_those_of_the_others_as_before():
    """By a clock that moves when something is drawn: the large one takes ten times as long."""
    now = [0.0]
    worker = Worker(clock=lambda: now[0])
    for run_id in ("large", "a", "b", "c"):
        worker.handle("open", run_id, {"config": Config(points=20).to_dict()})
    make, drawn = worker._frame, Counter()

    def frame(run, began, looked, *rest):
        run_id = next(name for name in worker.runs if worker.runs[name] is run)
        now[0] += 0.04 if run_id == "large" else 0.004
        drawn[run_id] += looked
        return make(run, began, looked, *rest)

    worker._frame = frame
    for run_id in worker.runs:
        worker.handle("play", run_id, {})
    while now[0] < 20:
        for run_id in worker.runs:
            worker.handle("want_frame", run_id, {})
            worker.note_change(run_id)
        worker.frames()
        now[0] += 0.005
    assert drawn["large"] == pytest.approx(20 * FRAMES_SHARE / (0.04 * 4), rel=0.2)
    for run_id in "abc":
        assert drawn[run_id] > 3 * drawn["large"]
