"""The predict page in a real browser: a point is traced, dragged, followed and lost by nothing."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import LIVE

from toytrain import Config, Trainer
from toytrain.trace import trace_point

BOOK = Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5, seed=123, epochs=3)

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.flaky(reruns=1)]


@pytest.fixture
def predict(visit):
    """Opens the predict page of a run of this Config, as somebody new."""

    def predict(config):
        visitor = visit(config.to_query())
        visitor.page.get_by_role("link", name="Predict").first.click()
        traced(visitor, 0)
        return visitor

    return predict


def traced(visitor, step):
    """Wait until the numbers on the page are those of this step or a later one."""
    visitor.until(f"Number({LIVE}?.dataset.traced ?? -1) >= {step}")
    visitor.idle()


def texts(visitor, selector):
    return [text.replace("−", "-") for text in visitor.page.locator(selector).all_inner_texts()]


def outputs(visitor):
    """Per class: logit, probability and loss as they stand on the page."""
    rows = visitor.page.locator(".toytrain-outputs tr[data-class]")
    return [[text.replace("−", "-") for text in rows.nth(at).locator(".toytrain-figure").all_inner_texts()]
            for at in range(rows.count())]  # fmt: skip


def write_point(visitor, x1, x2):
    for name, value in ("x1", x1), ("x2", x2):
        visitor.page.locator(f"[data-coordinate={name}]").fill(str(value))


def test_a_point_is_traced_as_the_book_does_it_by_hand(predict):
    visitor = predict(BOOK)
    visitor.page.locator(".toytrain-status").filter(has_text="Not trained yet").wait_for()
    for epoch in range(1, 4):
        visitor.click("Step epoch")
        traced(visitor, 2 * epoch)
    trainer = Trainer.from_config(BOOK)
    snapshot = trainer.advance(steps=6)

    # The first training row is chosen to begin with: its label is known, and so is its loss.
    assert outputs(visitor) == [["2.8569", "0.9991", "0.0009"], ["-4.1618", "0.0009", "7.0196"]]
    assert "class 0" in visitor.page.locator(".toytrain-predicted").inner_text()
    stages = trace_point(snapshot, -1.2, 3.1).stages
    shown = [float(text) for text in texts(visitor, ".toytrain-value > span:last-child")]
    expected = torch.cat([stage.values for stage in stages]).tolist()
    assert shown == pytest.approx(expected, abs=6e-5)

    # A click on the empty plane comes back as coordinates, and everything follows.
    canvas = visitor.page.locator(".toytrain-canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": 0.6 * box["width"], "y": 0.5 * box["height"]})
    visitor.page.get_by_text("A point of your own").wait_for()
    x1, x2 = (float(visitor.page.locator(f"[data-coordinate={name}]").input_value()) for name in ("x1", "x2"))
    logits = trace_point(snapshot, x1, x2).stages[-1].values.tolist()
    visitor.until(
        f"document.querySelector('.toytrain-figure').innerText.replace('−', '-') === '{logits[0]:.4f}'"
    )
    assert [float(row[0]) for row in outputs(visitor)] == pytest.approx(logits, abs=1e-3)
    assert "choose a label" in visitor.page.locator(".toytrain-lines-by-hand").inner_text()

    # So do typed coordinates, and each number says how it is computed.
    write_point(visitor, 2.3, -1.1)
    visitor.until("document.querySelector('.toytrain-figure').innerText === '−1.4814'")
    visitor.page.locator(".toytrain-strip").last.press("ArrowRight")
    visitor.page.locator(".toytrain-by-hand").filter(has_text="= −1.4814").wait_for()

    # What it shows can be taken along.
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("link", name="CSV", exact=True).click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    probabilities = [np.float32(row[5]) for row in rows if row[2] == "softmax"]
    assert probabilities == trace_point(snapshot, 2.3, -1.1).probabilities.tolist()

    # A line of the table is a point too.
    table = visitor.page.locator("[data-testid=stDataFrame]").first
    table.scroll_into_view_if_needed()
    table.click(position={"x": 15, "y": 54})
    visitor.page.locator(".toytrain-point").filter(has_text="Test row").wait_for()


def test_a_dragged_logit_moves_softmax_and_loss_and_lets_go(predict):
    visitor = predict(BOOK)
    before = outputs(visitor)
    slider = visitor.page.get_by_label("logit of class 1")
    slider.focus()
    for _ in range(30):
        visitor.page.keyboard.press("ArrowRight")
    logits = torch.tensor([[float(row[0]) for row in outputs(visitor)]])
    assert logits[0, 1] > float(before[1][0]) + 2.5
    for label, (_, probability, loss) in enumerate(outputs(visitor)):
        assert float(probability) == pytest.approx(torch.softmax(logits, dim=1)[0, label].item(), abs=1e-4)
        expected = torch.nn.functional.cross_entropy(logits, torch.tensor([label])).item()
        assert float(loss) == pytest.approx(expected, abs=1e-3)
    visitor.page.get_by_text("these are your logits").wait_for()
    visitor.click("Back to the network's")
    assert outputs(visitor) == before


def test_the_numbers_follow_a_playing_run_and_keep_the_point(predict):
    visitor = predict(Config(dataset="spirals", classes=3, batch_norm=True, dropout=0.2))
    write_point(visitor, 0.25, -0.5)
    visitor.page.get_by_text("A point of your own").wait_for()
    visitor.evaluate("document.querySelector('.toytrain-results').isTheFirst = true")
    visitor.click("Play")
    for step in (20, 40, 60):
        visitor.until(f"Number({LIVE}.dataset.traced) >= {step}")
    visitor.click("Pause")
    visitor.until(f"{LIVE}.dataset.status === 'paused'")
    visitor.idle()
    visitor.until(f"{LIVE}.dataset.traced === {LIVE}.dataset.step")
    assert visitor.evaluate("document.querySelector('.toytrain-results').isTheFirst")
    snapshot = Trainer.from_config(
        Config(dataset="spirals", classes=3, batch_norm=True, dropout=0.2)
    ).advance(steps=visitor.step)
    expected = trace_point(snapshot, 0.25, -0.5)
    shown = [float(row[1]) for row in outputs(visitor)]
    assert shown == pytest.approx(expected.probabilities.tolist(), abs=6e-5)
    assert "dropout is off in eval mode" in visitor.page.locator(".toytrain-stages").inner_text()

    # Another page and a reload lose no point.
    visitor.page.get_by_role("link", name="Train").first.click()
    visitor.ready()
    visitor.page.get_by_role("link", name="Predict").first.click()
    visitor.until("document.querySelector('[data-coordinate=x1]')?.value === '0.25'")

    # What is no number is refused beside the field, and the last point stays.
    visitor.page.locator("[data-coordinate=x2]").fill("1e9")
    visitor.page.get_by_text("This is not a value for x2").wait_for()
    visitor.until("document.querySelector('.toytrain-outputs .toytrain-bar').innerText === "
                  f"'{expected.probabilities[0].item():.4f}'")  # fmt: skip


def test_nothing_sticks_out_on_a_phone(predict):
    visitor = predict(Config(dataset="blobs", classes=10))
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    visitor.until("document.querySelector('.toytrain-predict').getBoundingClientRect().right < 391")
    too_wide = visitor.evaluate(
        "[...document.querySelectorAll('.toytrain-live *')]"
        ".filter((one) => one.getBoundingClientRect().right > 391).map((one) => one.className)"
    )
    assert too_wide == []
