"""The engine with its real worker processes: bits, deaths, leases, and what is left behind.

The oracle is a plain Trainer in this process, or the run's own script in a fresh one.
"""

import ast
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from conftest import ENVIRONMENT, wait_until

from toytrain import Config, ToytrainError, Trainer
from toytrain.engine import Pool, SavedRuns
from toytrain.engine.frame import Frame
from toytrain.engine.pool import WorkerProcess

pytestmark = pytest.mark.slow

BOOK = Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5, epochs=3)
SIX_LOSSES = [
    0.7487356662750244,
    0.6450306177139282,
    0.44225579500198364,
    0.12562280893325806,
    0.026905599981546402,
    0.0043272399343550205,
]


@pytest.fixture
def make_pool():
    pools = []

    def make(**settings):
        pools.append(Pool(**settings))
        return pools[-1]

    yield make
    for pool in pools:
        pool.stop()


@pytest.fixture
def pool(make_pool):
    return make_pool(workers=1)


@pytest.fixture
def watching():
    """Keeps asking for frames of the runs it is given, as open pages do."""
    watched, over = [], threading.Event()

    def look():
        while not over.wait(0.02):
            for run in watched:
                run.want_frame()

    thread = threading.Thread(target=look)
    thread.start()
    yield watched.append
    over.set()
    thread.join()


def opened(pool, config):
    run = pool.open(config)
    assert run.wait_until_open(60)
    return run


def paused_losses(run):
    run.pause()
    return run.losses


def alone(config, steps, changes=None):
    """The losses of an undisturbed plain run."""
    trainer = Trainer.from_config(config)
    trainer.learning_rates |= changes or {}
    return trainer.advance(steps=steps).losses.tolist()


# Bits


def test_the_books_six_losses_come_out_beside_another_run_and_while_it_is_looked_at(pool, watching):
    book, other = opened(pool, BOOK), opened(pool, Config(dropout=0.5, batch_norm=True, drop_last=True))
    watching(book)
    watching(other)
    other.play()
    for _ in range(3):
        book.step_batch()
        book.checkpoint()
        book.script()
    book.play()
    wait_until(lambda: book.status == "finished")
    assert book.losses == SIX_LOSSES
    losses = paused_losses(other)
    assert len(losses) > 0
    assert losses == alone(other.config, len(losses))


@pytest.mark.parametrize(
    "config",
    [
        Config(dropout=0.3, optimizer="adam", learning_rate=0.01),
        Config(dataset="spirals", classes=4, batch_norm=True, drop_last=True, momentum=0.9, nesterov=True),
        Config(dataset="gaussians", activation="tanh", optimizer="rmsprop", learning_rate=0.01, l1=1e-4),
        Config(dataset="checkerboard", features=("x1", "sin(x1)", "x1*x2"), hidden=(8, 8, 8), shuffle=False),
        Config(dataset="imbalanced", classes=3, optimizer="adamw", weight_decay=0.01, batch_size=7),
        Config(dataset="book", batch_size=2, num_workers=1, seed=5),
        Config(schedule="cosine", t_max=4, clip_norm=0.3, patience=1000, batch_size=50),
    ],
    ids=lambda config: config.to_query(),
)
def test_a_runs_losses_are_those_its_script_prints_with_every_change_of_the_learning_rate(
    pool, watching, forked, tmp_path, config
):
    run = opened(pool, config)
    watching(run)
    run.set_speed(300)
    run.play()
    for rate in (0.02, 0.005):
        wait_until(lambda before=run.steps: run.steps > before + 20)
        run.set_learning_rate(rate)
    run.edit_weight("layers.0.weight", (1, 0), 0.5)
    run.half_step()
    run.play()
    wait_until(lambda before=run.steps: run.steps > before + 20)
    losses = paused_losses(run)
    output = forked(run.script(), cwd=tmp_path)
    printed = next(line for line in output.splitlines() if line.startswith("losses = "))
    assert ast.literal_eval(printed.removeprefix("losses = ")) == losses
    assert len(run.learning_rates) == 2


def test_pause_is_acknowledged_when_no_step_follows(pool, watching):
    run = opened(pool, Config())
    watching(run)
    run.play()
    wait_until(lambda: run.steps > 100)
    run.pause()
    steps = run.steps
    assert run.status == "paused"
    assert len(run.losses) == steps
    run.step_batch()
    assert run.steps == steps + 1
    assert len(run.losses) == steps + 1


def test_a_refused_config_says_why_and_the_pool_works_on(pool):
    refused = pool.open(Config(batch_size=1000, drop_last=True))
    with pytest.raises(ToytrainError, match="no complete batch") as caught:
        refused.wait_until_open(60)
    assert caught.value.field == "batch_size"
    with pytest.raises(ToytrainError, match="no complete batch"):
        refused.play()
    with pytest.raises(ToytrainError, match="no complete batch"):
        pool.check(Config(batch_size=1000, drop_last=True), 10)
    opened(pool, Config()).step_batch()


@pytest.mark.parametrize("rate", [0, -1, float("nan"), 1e9])
def test_a_learning_rate_out_of_range_is_refused_and_changes_nothing(pool, rate):
    run = opened(pool, BOOK)
    with pytest.raises(ToytrainError, match="learning_rate"):
        run.set_learning_rate(rate)
    run.play()
    wait_until(lambda: run.status == "finished")
    assert run.losses == SIX_LOSSES


# Deaths


def test_three_playing_runs_survive_the_kill_of_their_worker_with_their_bits(pool, watching):
    runs = [
        opened(pool, Config(dropout=0.3)),
        opened(pool, Config(dataset="spirals", optimizer="adam", learning_rate=0.01)),
        opened(pool, Config(dataset="circles", momentum=0.9)),
    ]
    for run in runs:
        watching(run)
        run.play()
    wait_until(lambda: all(run.steps > 300 for run in runs))
    runs[2].set_learning_rate(0.02)
    before = [run.steps for run in runs]
    os.kill(pool.workers[0].pid, signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: all(run.note and run.playing for run in runs))
    wait_until(lambda: all(run.steps > steps for run, steps in zip(runs, before, strict=True)))
    print(f"\nmeasured: all three further than before after {time.monotonic() - killed:.1f} s (bar: 5 s)")
    for run in runs:
        losses = paused_losses(run)
        assert losses == alone(run.config, len(losses), run.learning_rates)


def test_a_paused_run_loses_nothing_when_its_worker_is_killed(pool):
    run = opened(pool, Config(optimizer="adam"))
    for _ in range(15):
        run.step_batch()
    losses = run.losses
    os.kill(pool.workers[0].pid, signal.SIGKILL)
    wait_until(lambda: "died" in run.note)
    wait_until(lambda: pool.warm)
    run.step_batch()
    assert run.losses[:15] == losses
    assert run.losses == alone(run.config, 16)
    assert run.status == "paused"


def test_a_worker_that_dies_again_and_again_does_not_play_its_runs_again(pool):
    run = opened(pool, Config())
    run.play()
    for death in range(1, 4):
        pid = pool.workers[0].pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: pool.workers[0].pid != pid)
        wait_until(lambda: pool.warm)
        if death < 3:
            wait_until(lambda: run.playing)
    wait_until(lambda: run.status == "paused")
    assert "is where it was" in run.note


def test_a_run_opened_in_a_worker_that_dies_is_opened_by_the_next(pool):
    opened(pool, BOOK)
    os.kill(pool.workers[0].pid, signal.SIGSTOP)  # so that it cannot answer before it dies
    run = pool.open(BOOK)
    os.kill(pool.workers[0].pid, signal.SIGKILL)
    assert run.wait_until_open(60)
    run.step_batch()
    assert run.losses == SIX_LOSSES[:1]


# What never waits


def test_a_run_is_read_at_once_while_its_worker_hangs(pool):
    run = opened(pool, BOOK)
    for _ in range(3):
        run.step_batch()
    os.kill(pool.workers[0].pid, signal.SIGSTOP)
    with pytest.raises(ToytrainError, match="does not answer"):
        run.step_batch()  # it does hang
    read = []
    asking = pool.workers[0].ask("step_batch", run.id)
    reading = threading.Thread(
        target=lambda: read.extend([run.losses, run.steps, run.status, run.message(None)]), daemon=True
    )
    reading.start()
    reading.join(5)
    assert not asking.done()
    assert read[:3] == [SIX_LOSSES[:3], 3, "paused"]


def test_a_closed_run_stays_closed_whatever_its_worker_was_about_to_say(pool):
    run = opened(pool, BOOK)
    run.play()
    late = run.frame
    run.close()
    run.take(Frame({**late.header, "status": "playing"}))
    assert run.status == "closed"


# What is left behind


def children():
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "toytrain.engine.process" in process.cmdline()
    ]


def test_stopping_the_pool_leaves_no_process_also_while_workers_still_warm_up(make_pool):
    pool = make_pool(workers=2)
    wait_until(lambda: len(children()) == 2)  # a process that has just begun has no command line yet
    pool.stop()
    assert children() == []


def test_stopping_the_pool_ends_a_worker_that_hangs(make_pool):
    pool = make_pool(workers=1)
    wait_until(lambda: pool.warm)
    os.kill(pool.workers[0].pid, signal.SIGSTOP)
    pool.stop()
    assert children() == []


def test_stopping_the_pool_while_a_dead_worker_is_being_replaced_leaves_no_process(make_pool, monkeypatch):
    pool = make_pool(workers=1)
    start = WorkerProcess._start
    replacing, go_on = threading.Event(), threading.Event()

    def start_slowly(worker):
        replacing.set()
        assert go_on.wait(30)
        return start(worker)

    monkeypatch.setattr(WorkerProcess, "_start", start_slowly)
    os.kill(pool.workers[0].pid, signal.SIGKILL)
    assert replacing.wait(30)
    stopping = threading.Thread(target=pool.stop)
    stopping.start()
    wait_until(lambda: pool.stopping)
    go_on.set()
    stopping.join(30)
    assert not stopping.is_alive()
    assert children() == []


def test_a_pool_that_stops_does_not_wait_for_workers_that_were_ended_with_it(make_pool, tmp_path):
    pool = make_pool(workers=1, saved_runs=SavedRuns(tmp_path))
    run = opened(pool, BOOK)
    worker = psutil.Process(pool.workers[0].pid)
    worker.suspend()
    answer = pool.workers[0].ask("step_batch", run.id)
    pool._stopping.set()  # as pool.stop does first; a service manager ends all processes at once
    worker.kill()
    with pytest.raises(ToytrainError, match="died"):
        answer.result(30)
    with pytest.raises(ToytrainError, match="died"):
        run.step_batch()


def test_a_worker_whose_parent_dies_in_the_middle_of_a_command_ends():
    worker = subprocess.Popen(
        [sys.executable, "-m", "toytrain.engine.process"],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with worker:
        pickle.load(worker.stdout)  # its greeting: it is warm
        worker.stdin.write(pickle.dumps((1, "open", "a", {"config": BOOK.to_dict()}))[:-20])
        worker.stdin.close()
        try:
            assert worker.wait(30) == 0
        finally:
            worker.kill()


def test_killing_the_parent_ends_workers_that_train():
    code = (
        "import time\nfrom toytrain import Config\nfrom toytrain.engine import Pool\npool = Pool(workers=1)\n"
        "run = pool.open(Config())\nrun.wait_until_open(60)\nrun.play()\n"
        "while run.steps < 100:\n    run.want_frame()\n    time.sleep(0.01)\n"
        "print(pool.workers[0].pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    gone = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    wait_until(lambda: not worker.is_running() or worker.status() in gone)


def test_killing_the_parent_ends_the_workers():
    code = (
        "import time\nfrom toytrain.engine import Pool\npool = Pool(workers=2)\n"
        "while len(pool.workers) < 2:\n    time.sleep(0.01)\n"
        "print(*[worker.pid for worker in pool.workers], flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    gone = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    wait_until(lambda: all(not worker.is_running() or worker.status() in gone for worker in workers))


def test_the_pages_side_of_the_engine_never_imports_torch():
    code = "import sys, toytrain.engine, toytrain.engine.saved_runs\nprint('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True)
    assert found.stdout == "False\n"


# Leases


def test_a_run_that_nobody_looks_at_pauses_itself_and_says_so(make_pool, watching):
    pool = make_pool(workers=1, unseen_for=1.0)
    unseen, seen = opened(pool, Config()), opened(pool, Config())
    watching(seen)
    unseen.play()
    seen.play()
    wait_until(lambda: "nobody had looked" in unseen.note)
    wait_until(lambda: unseen.status == "paused")
    assert seen.playing
    unseen.play()
    assert unseen.note == ""


# Ids


def test_ids_are_128_random_bits_and_watching_is_not_steering(pool):
    runs = [pool.open(BOOK) for _ in range(3)]
    names = [name for run in runs for name in (run.id, run.stream_token)]
    assert len(set(names)) == 6
    assert all(len(bytes.fromhex(name)) == 16 for name in names)
    for run in runs:
        assert pool.get(run.id) is run
        assert pool.get(run.stream_token) is None
        assert pool.watched(run.stream_token) is run
        assert pool.watched(run.id) is None


# Saved runs


def test_a_run_is_brought_back_in_another_pool_and_goes_on_bit_for_bit(make_pool, watching, tmp_path):
    config = Config(dropout=0.2, optimizer="adam")
    first = make_pool(workers=1, saved_runs=SavedRuns(tmp_path))
    run = opened(first, config)
    run.play()
    wait_until(lambda: (tmp_path / f"{run.id}.pth").exists())
    run.set_learning_rate(0.01)
    run.pause()
    steps = run.steps
    first.stop()
    second = make_pool(workers=1, saved_runs=SavedRuns(tmp_path))
    again = second.restore(run.id, 30)
    assert again.config == config
    assert (again.steps, again.status, again.stream_token) == (steps, "paused", run.stream_token)
    assert "brought back" in again.note
    assert again.losses == run.losses
    again.step_batch()
    assert again.losses == alone(config, steps + 1, run.learning_rates)


def test_five_runs_survive_the_kill_of_the_whole_server_at_most_ten_seconds_old(make_pool, tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom toytrain import Config\n"
        "from toytrain.engine import Pool, SavedRuns\n"
        f"pool = Pool(workers=2, saved_runs=SavedRuns(Path({str(tmp_path)!r})))\n"
        "runs = [pool.open(Config(dropout=0.1, seed=seed)) for seed in range(5)]\n"
        "[run.wait_until_open(60) for run in runs]\n[run.play() for run in runs]\n"
        "print(*[run.id for run in runs], flush=True)\n"
        "while True:\n    [run.want_frame() for run in runs]\n    time.sleep(0.1)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    ids = parent.stdout.readline().split()
    wait_until(lambda: len(list(tmp_path.glob("*.pth"))) == 5)
    time.sleep(12)  # long enough that a run saved only once would be too old
    parent.kill()
    parent.wait()
    killed = time.time()
    pool = make_pool(workers=1, saved_runs=SavedRuns(tmp_path))
    for seed, run_id in enumerate(ids):
        assert killed - (tmp_path / f"{run_id}.pth").stat().st_mtime <= 10
        run = pool.restore(run_id, 30)
        assert run.steps > 0
        run.step_batch()
        assert run.losses == alone(Config(dropout=0.1, seed=seed), run.steps)


def test_a_folder_that_cannot_be_written_is_said_and_training_goes_on(make_pool, watching, tmp_path):
    (tmp_path / "file").write_text("in the way")
    pool = make_pool(workers=1, saved_runs=SavedRuns(tmp_path / "file"))
    run = opened(pool, Config())
    watching(run)
    run.play()
    wait_until(lambda: pool.saved_runs.problem)
    assert "not being saved" in pool.saved_runs.problem
    before = run.steps
    wait_until(lambda: run.steps > before)
    (tmp_path / "file").unlink()
    run.pause()
    wait_until(lambda: not pool.saved_runs.problem)


def test_the_oldest_saved_runs_go_first(tmp_path):
    saved = SavedRuns(tmp_path, most_files=3, most_bytes=250)
    for number in range(5):
        saved.save(f"{number:032x}", bytes(100))
        os.utime(tmp_path / f"{number:032x}.pth", (number, number))
    saved.save("f" * 32, bytes(100))
    assert [path.stem[-1] for path in sorted(tmp_path.iterdir())] == ["4", "f"]
    assert saved.load("f" * 32) == bytes(100)


@pytest.mark.parametrize("name", ["../secret", "a" * 31, "A" * 32, "", "a" * 32 + "/x"])
def test_only_a_run_id_becomes_a_path(tmp_path, name):
    Path(tmp_path.parent / "secret.pth").write_bytes(b"secret")
    assert SavedRuns(tmp_path).load(name) is None
