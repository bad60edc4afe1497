"""The predict page without a browser: its tables by Streamlit's AppTest, and what it fetches over HTTP, with
a real engine of one worker. The numbers are compared with a plain Trainer in this process."""

import asyncio
import csv
import io
import re

import numpy as np
import pytest
import torch
from conftest import ROOT
from driven import Driven
from starlette.requests import Request
from streamlit.testing.v1 import AppTest

from pages.parts.confusion import confusion_matrix
from pages.parts.live import traces
from pages.parts.tables import classes_csv, confusion_csv, rows_csv, scores_csv, to_csv
from toytrain import Config, Trainer
from toytrain.engine.frame import decode
from toytrain.evaluation import evaluate_part
from toytrain.trace import trace_point

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pool")]

BOOK = Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5, seed=123, epochs=3)
BLOBS = Config(dataset="blobs", classes=4, points=80, noise=1.0, batch_size=16, dropout=0.2)
PLANE = Config(dataset="plane", points=60)
MANY = ";".join(f"{row % 71},{row % 73},{row % 2}" for row in range(5000))


class Page(Driven):
    """The predict page of a visitor whose run has trained some batches."""

    def __init__(self, config, steps, **query):
        super().__init__(**(config.to_texts() | query))
        for _ in range(steps):
            self.run.step_batch()
        self.turn_to("predict.py")

    @property
    def rows(self):
        return self.app.dataframe[0].value

    def captions(self):
        return [caption.value for caption in self.app.caption]

    def choose(self, part):
        self.app.button_group(key="predict_part").set_value(part)
        self.look()


@pytest.fixture
def open_page(own_runs):
    return Page


def trained(config, steps):
    trainer = Trainer.from_config(config)
    trainer.advance(steps=steps)
    return trainer.snapshot()


def read(data):
    return list(csv.reader(io.StringIO(data.decode())))


# Every row


def test_the_table_holds_every_test_row_with_the_wrong_ones_first(open_page):
    page = open_page(BLOBS, 4)
    expected = evaluate_part(trained(BLOBS, 4), "test")
    order = expected.worst_first
    assert page.rows["row"].tolist() == order.tolist()
    assert page.rows["predicted"].tolist() == expected.predictions[order].tolist()
    for label in range(4):
        found = page.rows[f"p({label})"].to_numpy()
        assert np.array_equal(found, expected.probabilities[order, label])
    wrong = int(expected.wrong.sum())
    assert 0 < wrong < len(order)
    assert page.rows["wrong"].tolist() == ["✗"] * wrong + [""] * (len(order) - wrong)
    assert f"Batch 4, epoch 1: {wrong} of 16 test rows wrong" in page.captions()[0]


def test_the_switch_shows_the_training_rows(open_page):
    page = open_page(BLOBS, 4)
    page.choose("train")
    expected = evaluate_part(trained(BLOBS, 4), "train")
    assert page.rows["row"].tolist() == expected.worst_first.tolist()
    assert page.rows["loss"].to_numpy().tolist() == expected.losses[expected.worst_first].tolist()


def test_the_metrics_of_each_class_stand_beside_it(open_page):
    page = open_page(BLOBS, 4)
    table = page.app.dataframe[1].value
    expected = evaluate_part(trained(BLOBS, 4), "test")
    assert table["class"].tolist() == [*(f"class {k}" for k in range(4)), "mean", "weighted mean"]
    for word, name in (
        ("precision", "precision"),
        ("recall", "recall"),
        ("F1", "f1-score"),
        ("rows", "support"),
    ):
        assert np.array_equal(
            table[word].to_numpy()[:4], [row[name] for row in expected.classes], equal_nan=True
        )
    (matrix,) = [block.value for block in page.app.get("html") if "confusion" in block.value]
    assert [int(n) for n in re.findall(r"<td[^>]*>(\d+)<", matrix)] == expected.confusion.flatten().tolist()


def test_a_regression_shows_its_errors(open_page):
    page = open_page(PLANE, 6)
    expected = evaluate_part(trained(PLANE, 6), "test")
    assert page.rows["row"].tolist() == expected.worst_first.tolist()
    errors = (expected.predictions - expected.labels)[expected.worst_first]
    assert np.array_equal(page.rows["error"].to_numpy(), errors)
    shown = "\n".join(text.value for text in page.app.markdown)
    for score in expected.scores.values():
        assert f"`{score:.4f}`" in shown


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        (Config(dataset="own", points=5000, epochs=100_000), 1),
        (Config(dataset="own", points=10, epochs=100_000, rows=MANY), 3),
        (Config(dataset="blobs", points=1000, epochs=100_000), 1),
        (Config(dataset="blobs", points=1001, epochs=100_000), 3),
    ],
    ids=["8 own", "5000 own", "1000", "1001"],
)
def test_a_run_of_many_rows_is_looked_at_less_often_while_it_plays(config, seconds, open_page, monkeypatch):
    page = open_page(config, 0)
    intervals = []
    monkeypatch.setattr("streamlit.fragment", lambda shown, run_every: intervals.append(run_every) or shown)
    page.run.play()
    page.look()
    page.run.pause()
    page.look()
    assert intervals == [seconds, None]


def test_an_untrained_and_a_diverged_run_show_what_they_predict(open_page):
    page = open_page(Config(points=50), 0)
    assert "Batch 0, epoch 0" in page.captions()[0]
    diverged = Config(points=200, learning_rate=100, weight_decay=1)
    page = open_page(diverged, 30)
    assert page.run.status == "diverged"
    assert len(page.rows) == 40


def test_who_watches_sees_the_predictions_and_steers_nothing(open_page):
    run = open_page(BLOBS, 4).run
    app = AppTest.from_file(str(ROOT / "pages/main.py"), default_timeout=30)
    app.query_params["watch"] = run.stream_token
    app.run()
    app.switch_page("predict.py").run()  # a link leaves the query behind
    assert not app.exception
    assert "You are watching somebody's run" in app.caption[0].value
    assert not {"Play", "Step batch"} & {button.label for button in app.button}
    assert (
        app.dataframe[0].value["row"].tolist()
        == evaluate_part(trained(BLOBS, 4), "test").worst_first.tolist()
    )


def test_what_a_teacher_hides_and_locks_holds_here_too(open_page):
    page = open_page(BLOBS, 4, hide="step_epoch", lock="play")
    found = {button.label: button.disabled for button in page.app.button}
    assert found["Play"]
    assert not found["Step batch"]
    assert "Step epoch" not in found


# One point, over HTTP


def ask(serve, run, **query):
    text = "&".join(f"{name}={value}" for name, value in query.items())
    scope = {
        "type": "http",
        "query_string": text.encode(),
        "path": "/",
        "path_params": {"token": run.stream_token},
        "headers": [(b"host", b"localhost")],
    }
    return asyncio.run(serve(Request(scope)))


@pytest.fixture
def run(pool):
    run = pool.open(BOOK)
    run.wait_until_open(30)
    for _ in range(6):
        run.step_batch()
    yield run
    pool.close(run)


def test_the_book_s_numbers_are_what_the_page_fetches(run):
    header, arrays = decode(ask(traces.serve_trace, run, x1=-1.2, x2=3.1, neuron="5.0").body)
    expected = trace_point(trained(BOOK, 6), -1.2, 3.1)
    values = np.frombuffer(arrays["values"], "<f4")
    assert values.tolist() == torch.cat([stage.values for stage in expected.stages]).tolist()
    assert [f"{value:.4f}" for value in values[-2:]] == ["2.8569", "-4.1618"]
    assert [f"{p:.4f}" for p in np.frombuffer(arrays["probabilities"], "<f4")] == ["0.9991", "0.0009"]
    assert header["prediction"] == 0
    assert header["step"] == 6
    assert header["parameters"] == [["weight", 20], ["bias", 1]]


def test_the_trace_as_csv_holds_every_number_with_all_its_digits(run):
    answer = ask(traces.serve_csv, run, x1=-1.2, x2=3.1)
    rows = read(answer.body)
    expected = trace_point(trained(BOOK, 6), -1.2, 3.1)
    assert rows[0] == ["step", "stage", "layer", "index", "name", "value"]
    in_layers = [
        row for row in rows if row[2] not in ("layer", "point", "softmax", "argmax", "cross_entropy")
    ]
    values = torch.cat([stage.values for stage in expected.stages]).tolist()
    assert [float(np.float32(row[5])) for row in in_layers] == values
    softmax = [float(np.float32(row[5])) for row in rows if row[2] == "softmax"]
    assert softmax == expected.probabilities.tolist()
    assert "attachment" in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"x1": "=1+1", "x2": 0},
        {"x1": "nan", "x2": 0},
        {"x1": 0, "x2": "1e400"},
        {"x1": 0, "x2": 0, "target": "a"},
    ],
)
def test_what_is_no_point_is_refused_with_a_sentence(run, query):
    answer = ask(traces.serve_trace, run, **query)
    assert answer.status_code == 400
    assert re.match(r"(x1|x2|target) ", answer.body.decode())


def test_a_number_that_is_not_there_is_not_explained(run):
    for neuron in ("1.99", "99.0", "-1.0", "a.b", "1", "1e9.1", "9" * 50 + ".1"):
        header, _ = decode(ask(traces.serve_trace, run, x1=0, x2=0, neuron=neuron).body)
        assert header["neuron"] is None


def test_a_run_that_is_gone_has_no_trace(run, pool):
    pool.close(run)
    assert ask(traces.serve_trace, run, x1=0, x2=0).status_code == 404
    pool.runs[run.id] = run  # for the fixture


def test_more_questions_at_once_than_a_page_asks_are_turned_away(run, monkeypatch):
    monkeypatch.setitem(traces._asking, run.stream_token, traces.MOST_AT_ONCE)
    assert ask(traces.serve_trace, run, x1=0, x2=0).status_code == 503


# Files


def test_the_rows_as_csv_hold_every_digit(pool):
    run = pool.open(BLOBS)
    run.wait_until_open(30)
    for _ in range(4):
        run.step_batch()
    expected = evaluate_part(trained(BLOBS, 4), "test")
    head, *rows = read(rows_csv(run.evaluation("test")))
    assert head == ["step", "row", "x1", "x2", "label", "predicted", "p0", "p1", "p2", "p3", "loss"]
    for row, at in zip(rows, expected.worst_first, strict=True):
        assert [int(row[k]) for k in (0, 1, 4, 5)] == [4, at, expected.labels[at], expected.predictions[at]]
        assert np.array_equal(np.float32(row[2:4]), expected.points[at])
        assert np.array_equal(np.float32(row[6:10]), expected.probabilities[at])
        assert np.float32(row[10]) == expected.losses[at]
    counts = [[int(n) for n in row[2:]] for row in read(confusion_csv(run.evaluation("test")))[1:]]
    assert counts == expected.confusion.tolist()
    metrics = read(classes_csv(run.evaluation("test")))
    assert [float(row[2]) for row in metrics[1:5]] == pytest.approx(
        [row["precision"] for row in expected.classes], nan_ok=True
    )
    pool.close(run)


def test_a_regression_s_files_hold_its_errors(pool):
    run = pool.open(PLANE)
    run.wait_until_open(30)
    expected = evaluate_part(trained(PLANE, 0), "test")
    assert read(rows_csv(run.evaluation("test")))[0] == [
        "step",
        "row",
        "x1",
        "x2",
        "target",
        "output",
        "loss",
    ]
    head, values = read(scores_csv(run.evaluation("test")))
    assert dict(zip(head[1:], map(float, values[1:]), strict=True)) == expected.scores
    pool.close(run)


def test_no_cell_of_a_file_is_a_formula():
    cells = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "class 0", -0.5, np.float32(-1.2)]
    (row,) = read(to_csv([cells]))
    assert row[:6] == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "'\r=1"]
    assert row[6:] == ["class 0", "-0.5", "-1.2"]


def test_the_confusion_matrix_is_a_table_with_heads():
    html = confusion_matrix(np.array([[3, 1], [0, 0]]))
    assert re.findall(r'<td class="(\w+)"[^>]*>(\d+)<', html) == [
        ("right", "3"), ("wrong", "1"), ("none", "0"), ("none", "0")]  # fmt: skip
    assert html.count('scope="col"') == html.count('scope="row"') == 2
