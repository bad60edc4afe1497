"""What the page makes of a learning-rate search: its curve, its words, and the rate that it offers."""

import pytest

from pages.parts import charts
from pages.parts.rate_search import in_words
from toytrain import Config, Trainer
from toytrain.rate_finder import RateFinder


@pytest.fixture(scope="module")
def found():
    trainer = Trainer.from_config(Config(points=200))
    trainer.advance(steps=5)
    finder = RateFinder(trainer.snapshot())
    while not finder.done:
        finder.advance(1.0)
    return {
        "rates": finder.rates,
        "losses": finder.losses,
        "smoothed": finder.smoothed,
        "suggestion": finder.suggestion,
    }


def test_the_curve_stands_on_a_log_axis_with_the_suggestion_as_a_line(found):
    figure = charts.rate_search(found)
    assert figure.layout.xaxis.type == "log"
    assert list(figure.data[1].y) == found["smoothed"]
    assert figure.layout.shapes[0].x0 == found["suggestion"]
    assert figure.layout.yaxis.range[1] < 3 * found["smoothed"][0]  # what explodes is cut off


def test_the_words_name_what_the_curve_shows(found):
    text = in_words(found)
    lowest = found["rates"][found["smoothed"].index(min(found["smoothed"]))]
    assert f"lowest at {lowest:.2g}" in text
    assert "Suggested" in text
    assert "Suggested" not in in_words({**found, "suggestion": None})


def test_a_search_without_a_finite_loss_has_a_curve_too():
    nothing = {"rates": [], "losses": [], "smoothed": [], "suggestion": None}
    assert charts.rate_search(nothing).layout.xaxis.type == "log"
    assert in_words(nothing) == "The search found no finite loss."
