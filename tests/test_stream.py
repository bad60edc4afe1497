"""The stream of a run, over a real WebSocket: who may watch, what is told once, and when.

The server is uvicorn with the app's own routes, on a thread; the client is another program's
(`websockets`). A message is read with `decode`, which test_frame holds to the documented layout.
"""

import contextlib
import socket
import threading
from array import array
from urllib.parse import urlsplit

import pytest
import uvicorn
from conftest import wait_until
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from pages.parts.live.routes import ROUTES, STREAM, UNKNOWN_RUN
from toytrain import Config, Trainer, engine
from toytrain.engine.frame import decode

PATIENCE = 30  # seconds
CONFIG = Config(points=100, batch_size=8, dropout=0.3)


@pytest.fixture(scope="module")
def server():
    """The address of a server of the app's routes, with an engine of one worker."""
    with pytest.MonkeyPatch.context() as environment, contextlib.ExitStack() as at_the_end:
        environment.setenv("TOYTRAIN_RUNS", "")
        engine.start(1)
        at_the_end.callback(engine.stop)
        listening = socket.create_server(("127.0.0.1", 0))
        running = uvicorn.Server(uvicorn.Config(Starlette(routes=ROUTES), log_level="warning"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        at_the_end.callback(thread.join)
        at_the_end.callback(setattr, running, "should_exit", True)
        wait_until(lambda: running.started)
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def run(server):
    """A run that stands still at its first batch."""
    pool = engine.pool()
    run = pool.open(CONFIG)
    assert run.wait_until_open(PATIENCE)
    yield run
    if pool.get(run.id):
        pool.close(run)


class Viewer:
    """What a browser is: it puts the messages together, and says "ok" and what it shows after each."""

    def __init__(self, socket, *views):
        self.socket = socket
        self.views = views
        self.losses, self.tests, self.header = array("f"), array("f"), {}

    def receive(self):
        """Take the next message; whatever it tells must begin where the last one ended."""
        header, arrays = decode(self.socket.recv(PATIENCE))
        for known, first, name, width in (
            (self.losses, header["losses_from"], "losses", 1),
            (self.tests, header["tests_from"], "tests", 3),
        ):
            assert first * width == len(known)
            known.frombytes(arrays[name])
        self.header = header
        return header, arrays

    def say(self, word):
        self.socket.send(" ".join([word, *self.views]))

    def draw(self):
        self.say("ok")

    def follow(self, told):
        """Receive and draw until what has been told is enough."""
        while not told():
            self.receive()
            self.draw()


@pytest.fixture
def watch(server):
    """Opens viewers of a token, and closes them."""
    with contextlib.ExitStack() as at_the_end:

        def open_viewer(token, *views, **headers):
            address = f"{server}{STREAM}/{token}"
            return Viewer(at_the_end.enter_context(connect(address, additional_headers=headers)), *views)

        yield open_viewer


def close_code(viewer):
    """Read to the end of a stream: the code with which the server closed it."""
    try:
        while True:
            viewer.socket.recv(PATIENCE)
    except ConnectionClosed as closed:
        return closed.rcvd.code


# Who may watch


@pytest.mark.parametrize("origin", ["http://example.org", "http://127.0.0.1", "https://127.0.0.1:1", "null"])
def test_a_page_of_another_origin_is_refused(run, watch, origin):
    with pytest.raises(InvalidStatus) as refusal:
        watch(run.stream_token, Origin=origin)
    assert refusal.value.response.status_code == 403


def test_a_page_of_this_server_may_watch(run, watch, server):
    viewer = watch(run.stream_token, Origin=f"http://{urlsplit(server).netloc}")
    assert viewer.receive()[0]["run"]["id"] == run.stream_token


@pytest.mark.parametrize("token", ["0" * 32, "x"])
def test_an_unknown_token_is_told_so(server, watch, token):
    assert close_code(watch(token)) == UNKNOWN_RUN == 4404


def test_the_id_that_lets_one_steer_a_run_lets_nobody_watch_it(run, watch):
    assert close_code(watch(run.id)) == UNKNOWN_RUN


def test_no_message_holds_the_id_that_lets_one_steer(run, watch):
    viewer = watch(run.stream_token)
    messages = [viewer.socket.recv(PATIENCE)]
    run.step_batch()
    viewer.draw()
    messages.append(viewer.socket.recv(PATIENCE))
    assert all(run.id.encode() not in message for message in messages)


def test_nothing_that_a_viewer_sends_steers_the_run(run, watch):
    viewer = watch(run.stream_token)
    viewer.receive()
    for text in ("play", '{"play": true}', "ok" * 1000):
        viewer.socket.send(text)
    run.step_batch()
    assert (run.steps, run.status) == (1, "paused")


# What is told


def test_the_first_message_holds_the_run_its_points_and_its_labels(run, watch):
    header, arrays = watch(run.stream_token).receive()
    data = Trainer.from_config(CONFIG).data
    assert header["run"]["id"] == run.stream_token
    assert (header["run"]["train_points"], header["run"]["test_points"]) == (80, 20)
    points = [*data.train_points.flatten().tolist(), *data.test_points.flatten().tolist()]
    labels = [*data.train.labels.tolist(), *data.test.labels.tolist()]
    assert array("f", arrays["points"]).tolist() == points
    assert array("f", arrays["labels"]).tolist() == labels


def test_what_never_changes_is_told_once(run, watch):
    viewer = watch(run.stream_token)
    viewer.receive()
    viewer.draw()
    for _ in range(3):
        run.step_batch()
        header, arrays = viewer.receive()
        viewer.draw()
        assert "run" not in header
        assert not {"points", "labels"} & set(arrays)


def test_a_picture_comes_with_what_is_new_to_who_shows_the_boundary(run, watch):
    viewer = watch(run.stream_token, "boundary")
    pictures = set()

    def two_pictures():
        run.step_batch()
        _, arrays = viewer.receive()
        viewer.draw()
        if "picture" in arrays:
            assert (len(arrays["picture"]), len(arrays["wrong"])) == (100 * 100, -(-100 // 8))
            pictures.add(arrays["picture"])
        return len(pictures) == 2

    wait_until(two_pictures)


def test_who_shows_no_boundary_gets_no_picture_beside_one_who_does(run, watch):
    showing, other = watch(run.stream_token, "boundary"), watch(run.stream_token)
    other.receive()
    other.draw()
    while "picture" not in showing.receive()[1]:
        showing.draw()
    for _ in range(3):
        run.step_batch()
        header, arrays = other.receive()
        other.draw()
        assert "picture" not in arrays
    assert header["train_loss"] > 0


def test_a_view_opened_while_the_run_stands_still_comes_at_once(run, watch):
    for _ in range(2):  # the second finds it made
        viewer = watch(run.stream_token)
        _, arrays = viewer.receive()
        assert "picture" not in arrays
        viewer.draw()
        viewer.views = ("boundary",)
        viewer.say("show")
        while "picture" not in arrays:
            _, arrays = viewer.receive()
            viewer.draw()


def test_no_second_message_comes_for_a_view_opened_before_the_first_is_drawn(run, watch):
    viewer = watch(run.stream_token, "boundary")
    viewer.receive()
    for _ in range(5):
        viewer.say("show")
    run.step_batch()
    run.step_batch()
    with pytest.raises(TimeoutError):
        viewer.socket.recv(0.3)
    viewer.draw()
    while viewer.header["step"] < 2:
        viewer.receive()
        viewer.draw()


def test_views_that_there_are_not_are_passed_over(run, watch):
    viewer = watch(run.stream_token, "nothing", "boundary:1", "boundary", "..", "boundary:x", "é" * 1000)
    arrays = {}
    while "picture" not in arrays:
        _, arrays = viewer.receive()
        viewer.draw()
    assert set(arrays) <= {"losses", "tests", "points", "labels", "picture", "wrong"}


def test_viewers_of_the_same_share_one_message(run):
    run.want_frame(["boundary"])
    wait_until(lambda: not run.wanted)
    first, cursor = run.message(None, ("boundary",))
    assert run.message(None, ("boundary",))[0] is first
    assert run.message(cursor, ("boundary",))[0] is not first


def test_the_losses_of_the_messages_are_those_of_the_run_and_of_a_plain_trainer(run, watch):
    viewer = watch(run.stream_token)
    run.play()
    viewer.follow(lambda: len(viewer.losses) > 300)
    run.pause()
    viewer.follow(lambda: viewer.header["step"] == run.steps and viewer.header["status"] == "paused")
    plain = Trainer.from_config(CONFIG).advance(steps=run.steps)
    assert viewer.losses.tolist() == run.losses == plain.losses.tolist()
    tests = array("f", plain.tests.flatten().tolist())
    assert viewer.tests == tests
    assert len(tests) >= 90


def test_two_viewers_of_one_run_are_each_told_all_losses_once(run, watch):
    viewers = [watch(run.stream_token), watch(run.stream_token)]
    run.play()
    for _ in range(10):
        for viewer in viewers:
            viewer.receive()
            viewer.draw()
    viewers[0].follow(lambda: len(viewers[0].losses) > 300)  # the other waits for its turn
    run.pause()
    for viewer in viewers:
        viewer.follow(lambda viewer=viewer: len(viewer.losses) == run.steps)
        assert viewer.losses.tolist() == run.losses


def test_who_comes_again_is_told_the_whole_history(run, watch):
    viewer = watch(run.stream_token)
    run.play()
    viewer.follow(lambda: len(viewer.losses) > 100)
    run.pause()
    viewer.socket.close()
    again = watch(run.stream_token)
    header, arrays = again.receive()
    assert (header["losses_from"], header["tests_from"]) == (0, 0)
    assert again.losses.tolist() == run.losses
    assert {"points", "labels"} <= set(arrays)


# When it is told


def test_no_second_message_comes_before_the_first_is_drawn(run, watch):
    slow, quick = watch(run.stream_token), watch(run.stream_token)
    first, _ = slow.receive()
    run.play()
    quick.follow(lambda: len(quick.losses) > 300)  # the server has had much to tell and time to tell it
    run.pause()
    quick.follow(lambda: quick.header["status"] == "paused")
    slow.draw()
    # Whatever had been sent before the "ok" would come first, and would know less.
    second, _ = slow.receive()
    assert first["step"] == 0
    assert (second["step"], second["status"]) == (run.steps, "paused")
    assert slow.losses.tolist() == run.losses


def test_a_run_that_nobody_draws_is_not_asked_for_pictures(run, watch):
    viewer = watch(run.stream_token, "boundary")
    viewer.say("show")
    wait_until(
        lambda: run.message(None, ("boundary",))[1].views and "boundary" not in run.wanted
    )  # it has come
    viewer.receive()
    run.step_batch()
    assert "boundary" not in run.wanted
    viewer.draw()
    while "picture" not in viewer.receive()[1]:
        viewer.draw()


# What must not end a worker or its reader


def test_a_question_that_nobody_waits_for_any_more_still_gets_its_answer(run):
    answer = run._worker.ask("tensors", run.id)
    assert not answer.cancel()
    assert answer.result(30)
    assert run.tensors()


def test_an_experiment_of_the_mistake_lab_has_no_stream():
    pool = engine.pool()
    experiment = pool.open_lab("no_zero_grad", Config(epochs=1))
    try:
        assert pool.watched(experiment.stream_token) is None
    finally:
        pool.close(experiment)


# The end


def test_closing_a_run_ends_its_streams_and_who_comes_again_is_told_that_it_is_gone(run, watch):
    viewers = [watch(run.stream_token), watch(run.stream_token)]
    for viewer in viewers:
        viewer.receive()
    engine.pool().close(run)
    for viewer in viewers:
        assert close_code(viewer) != UNKNOWN_RUN  # a reset has given the page another run by now
    assert close_code(watch(run.stream_token)) == UNKNOWN_RUN


def test_closing_a_run_leaves_the_streams_of_others(run, watch):
    other = engine.pool().open(CONFIG)
    assert other.wait_until_open(PATIENCE)
    viewer, watching_other = watch(run.stream_token), watch(other.stream_token)
    viewer.receive()
    watching_other.receive()
    engine.pool().close(other)
    close_code(watching_other)
    run.step_batch()
    viewer.draw()
    viewer.follow(lambda: len(viewer.losses) == 1)


@pytest.mark.parametrize("leave", [lambda viewer: viewer.socket.close(),
                                   lambda viewer: viewer.socket.socket.shutdown(socket.SHUT_RDWR),
                                   lambda viewer: viewer.socket.send(b"no text")],
                         ids=["closing", "a lost connection", "sending what is no text"])  # fmt: skip
def test_who_leaves_is_no_viewer_any_more(run, watch, leave):
    viewer = watch(run.stream_token)
    viewer.receive()
    assert run.viewers == 1
    leave(viewer)
    wait_until(lambda: run.viewers == 0)


def test_a_viewer_who_leaves_does_not_disturb_another(run, watch):
    leaving, staying = watch(run.stream_token), watch(run.stream_token)
    run.play()
    leaving.receive()
    leaving.socket.close()
    staying.follow(lambda: len(staying.losses) > 100)
    run.pause()
    staying.follow(lambda: len(staying.losses) == run.steps)
    assert staying.losses.tolist() == run.losses
