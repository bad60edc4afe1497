"""Journeys through the data page in a real browser: draw an XOR and see it separated, upload a CSV, follow
the batches. What every file does stands in test_data_page.py, without a browser."""

import itertools
import random

import pytest
from browser import LIVE, SCREEN

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.flaky(reruns=1)]

PAD = ".toytrain-pad"
MARGIN = (38, 8)  # of the plot within the canvas, in CSS pixels (axes.js)
BEYOND = 44
RNG = random.Random(3)


class Pad:
    """The plane to draw on, by the coordinates that it shows."""

    def __init__(self, visitor):
        self.visitor = visitor
        self.page = visitor.page
        self.canvas = self.page.locator(f"{PAD} canvas")
        self.canvas.wait_for()

    def place(self, x1, x2):
        side = self.canvas.bounding_box()["width"] - BEYOND
        return {"x": MARGIN[0] + (x1 + 2) / 4 * side, "y": MARGIN[1] + (2 - x2) / 4 * side}

    def choose(self, text):
        self.page.locator(f"{PAD} header button").filter(has_text=text).first.click()

    def click(self, x1, x2):
        self.canvas.click(position=self.place(x1, x2))

    def drag(self, *places):
        box = self.canvas.bounding_box()
        for number, (x1, x2) in enumerate(places):
            place = self.place(x1, x2)
            self.page.mouse.move(box["x"] + place["x"], box["y"] + place["y"], steps=12)
            if number == 0:
                self.page.mouse.down()
        self.page.mouse.up()

    @property
    def points(self):
        return int(self.visitor.evaluate(f"document.querySelector('{PAD}').dataset.points"))


def see(visitor, view):
    visitor.page.locator("[data-testid=stButtonGroup]").get_by_text(view, exact=True).click()
    visitor.idle()


def open_data_page(visitor, view=None):
    visitor.page.get_by_role("link", name="Data").click()
    visitor.page.locator(".toytrain-gallery button").first.wait_for()
    visitor.idle()
    if view:
        see(visitor, view)
    return visitor


def rows_in(visitor):
    return [row.split(",") for row in visitor.query["rows"].split(";")]


def test_an_xor_is_drawn_trained_and_separated(visit):
    visitor = open_data_page(visit("learning_rate=0.3&test_fraction=0.3&speed=0"), "Own points")
    pad = Pad(visitor)
    pad.choose("spray")
    for label, corners in (("0", ((1, 1), (-1, -1))), ("1", ((1, -1), (-1, 1)))):
        pad.choose(label)
        for (x1, x2), _ in itertools.product(corners, range(4)):
            pad.click(x1 + RNG.uniform(-0.4, 0.4), x2 + RNG.uniform(-0.4, 0.4))
    assert pad.points == 80
    pad.choose("erase")
    pad.drag((-1.9, -1.9), (1.9, -1.9))  # where nothing is
    assert pad.points == 80
    pad.choose("Clear")
    assert pad.points == 0
    pad.choose("Undo")
    assert pad.points == 80
    visitor.click("Use these points")
    visitor.page.get_by_text("The run has these 80 points").wait_for()
    assert len(rows_in(visitor)) == 80
    assert {row[2] for row in rows_in(visitor)} == {"0", "1"}
    visitor.page.get_by_text("Train on them").click()
    visitor.ready()
    assert visitor.page.locator("[data-testid=stSidebar] input").first.input_value() == "own"
    visitor.play(until_step=600)
    visitor.pause()
    visitor.until(f"{LIVE}.dataset.drawn > 0")
    assert visitor.figure("train_score").endswith("1.000")
    assert visitor.figure("test_score").endswith("1.000")
    visitor.reload()
    assert len(rows_in(visitor)) == 80


def test_points_are_drawn_with_the_keyboard_and_a_finger_and_outlive_a_reload(visits, shared_server):
    visitor = visits(shared_server, has_touch=True).open()
    visitor.allowed = "404"  # Streamlit itself asks at such an address for what is at the root
    open_data_page(visitor, "Own points")
    pad = Pad(visitor)
    pad.canvas.tap(position=pad.place(1, 1))
    pad.drag((-1, 1), (1, 1))
    drawn = pad.points
    assert drawn > 5
    pad.canvas.focus()
    for key in ("3", "ArrowDown", "Shift+ArrowLeft", "Enter", "ArrowUp", "Space"):
        visitor.page.keyboard.press(key)
    assert pad.points == drawn + 2
    visitor.page.keyboard.press("Control+z")
    assert pad.points == drawn + 1
    visitor.page.keyboard.press("Delete")
    assert pad.points == drawn
    visitor.page.keyboard.press("Control+z")
    assert pad.points == drawn + 1
    see(visitor, "Datasets")
    see(visitor, "Own points")
    assert Pad(visitor).points == drawn + 1
    visitor.page.reload()
    visitor.page.locator(".toytrain-gallery button").first.wait_for()
    see(visitor, "Own points")
    visitor.until(f"document.querySelector('{PAD}')?.dataset.points === '{drawn + 1}'")
    visitor.page.get_by_role("button", name="Use these points").wait_for()


def test_a_csv_is_uploaded_looked_at_and_trained(visit, tmp_path):
    path = tmp_path / "plants.csv"
    lines = [
        f"{RNG.gauss(170 + 30 * kind, 5):.1f};{RNG.gauss(60, 5):.1f};{('fern', 'moss')[kind]}".replace(
            ".", ","
        )
        for kind in (0, 1)
        for _ in range(30)
    ]
    path.write_bytes("\r\n".join(["höhe;gewicht;art", *lines]).encode("latin-1"))
    visitor = open_data_page(visit("speed=0"), "Own points")
    visitor.page.get_by_role("tab", name="CSV file").click()
    visitor.page.locator("input[type=file]").set_input_files(path)
    visitor.page.get_by_text("60 rows, read as latin-1, divided by semicolon").wait_for()
    visitor.page.get_by_text("fern → 0, moss → 1").wait_for()
    visitor.click("Put 60 points on the plane")
    visitor.until(f"document.querySelector('{PAD}').dataset.points === '60'")
    visitor.click("Use these points")
    visitor.page.get_by_text("The run has these 60 points").wait_for()
    assert max(abs(float(row[0])) for row in rows_in(visitor)) < 4  # standardised
    visitor.page.get_by_text("Train on them").click()
    visitor.ready()
    visitor.play(until_step=400)
    visitor.pause()
    assert float(visitor.figure("test_score").splitlines()[-1]) > 0.9


def test_a_dataset_is_chosen_in_the_gallery_and_its_batches_are_followed(visit):
    visitor = open_data_page(visit("points=100&batch_size=30&drop_last=true"))
    visitor.page.locator("[data-dataset=circles]").click()
    visitor.page.locator("[data-dataset=circles][aria-pressed=true]").wait_for()
    visitor.idle()
    assert visitor.query["dataset"] == "circles"
    assert visitor.page.locator(".toytrain-counts tbody tr").last.inner_text().split() == [
        "together", "80", "20", "100",
    ]  # fmt: skip
    see(visitor, "DataLoader")
    batches = ".toytrain-batches > li"
    states = f"[...document.querySelectorAll('{batches}')].map((line) => line.dataset.state).join()"
    visitor.until(f"{states} === 'next,,dropped'")
    rows = visitor.page.locator(batches).first.locator(".toytrain-row").all_inner_texts()
    assert len(set(rows)) == 30
    visitor.click("Step batch")
    visitor.until(f"{states} === 'now,next,dropped'")
    shown = visitor.page.locator(".toytrain-loader canvas").first.get_attribute("aria-label")
    assert "Large: batch 1" in shown
    assert shown.split(": ")[-1].split(", ")[:30] == rows
    visitor.click("Step epoch")
    visitor.until(f"{states} === 'next,,dropped'")
    visitor.page.get_by_text("Epoch 2: 2 batches of 30, 0 trained. Samples seen: 60").wait_for()
    assert visitor.page.locator(batches).first.locator(".toytrain-row").all_inner_texts() != rows
    width = visitor.evaluate("document.scrollingElement.scrollWidth")
    assert width <= SCREEN["width"]
