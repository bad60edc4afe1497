"""The charts beside the loss in a real browser: each opens under its tab, says what it shows, and is live."""

import pytest
from browser import LIVE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.flaky(reruns=1)]


def test_each_tab_shows_its_chart_live_and_says_what_it_shows(visit):
    visitor = visit("hidden=6,4&schedule=step&step_size=2&gamma=0.5&speed=0")
    visitor.play(until_step=20)
    for tab, says in (
        ("rates", "Learning rate"),
        ("gradients", "hidden 1: "),
        ("weights", "output: within"),
        ("activity", "of 6 dead"),
    ):
        visitor.page.locator(f"[data-tab={tab}]").click()
        plot = visitor.page.locator(".toytrain-figure-plot")
        visitor.page.locator(".toytrain-says").filter(has_text=says).wait_for()
        visitor.until("document.querySelector('.toytrain-figure-plot').data?.length > 0")
        assert says in plot.get_attribute("aria-label")
        before = visitor.step
        visitor.until(f"Number({LIVE}.dataset.step) > {before}")
        assert visitor.page.locator("[role=tab][aria-selected=true]").count() == 1
    visitor.pause()
    figure = "document.querySelector('.toytrain-figure-plot')"
    bars = visitor.evaluate(f"{figure}.data.map((trace) => trace.y.length)")
    assert bars == [6, 4]

    # The rate halves every second epoch; the keyboard opens the tab.
    visitor.page.locator("[role=tab][aria-selected=true]").press("ArrowRight")
    visitor.until("document.querySelector('.toytrain-plot') !== null")
    visitor.page.locator("[role=tab][aria-selected=true]").press("ArrowRight")
    visitor.until(f"{figure}?.data?.length === 1")
    rates = visitor.evaluate(f"{figure}.data[0].y.slice(0, 3)")
    assert rates == pytest.approx([0.1, 0.05, 0.025], rel=1e-6)


def test_a_network_without_a_relu_has_none_that_is_dead(visit):
    visitor = visit("activation=tanh")
    visitor.page.locator("[data-tab=activity]").click()
    visitor.page.get_by_text("There is no ReLU in this network").wait_for()
    visitor.page.locator("[data-tab=loss]").click()
    visitor.page.get_by_text("The loss appears here with the first batch").wait_for()


def test_a_rate_is_found_on_a_copy_and_taken_over(visit):
    visitor = visit("points=200")
    visitor.page.locator("[data-tab=loss]").click()  # a browser remembers which chart was open
    for step in range(1, 4):
        visitor.click("Step batch")
        visitor.until(f"Number({LIVE}.dataset.step) === {step}")
    losses = visitor.losses()
    visitor.page.locator("[data-tab=rates]").click()
    visitor.click("Find a rate")
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_text("Use this rate").wait_for()
    suggested = float(dialog.get_by_role("spinbutton", name="learning rate").input_value())
    assert 1e-5 < suggested <= 1
    dialog.get_by_role("button", name="Use this rate").click()
    dialog.wait_for(state="detached")
    visitor.idle()
    visitor.until(f"new URLSearchParams(location.search).get('learning_rate') === '{suggested}'")
    visitor.page.locator("[data-tab=loss]").click()
    assert visitor.losses() == losses  # the run itself has not trained
