"""The network in a real browser: neurons, weights and layers are changed where they are drawn."""

import re
from pathlib import Path

import pytest
from browser import LIVE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.flaky(reruns=1)]

CANVAS = "document.querySelector('.toytrain-boundary:not([hidden]) canvas')"


def neuron(visitor, column, index):
    """The middle of a neuron's tile in the window; column 0 holds the features."""
    box = visitor.page.locator(f"[data-column='{column}'][data-index='{index}']").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def readout(visitor):
    return visitor.page.locator(".toytrain-network .toytrain-readout").inner_text()


def find_weight(visitor, column):
    """Move the pointer between two columns until it meets a weight: its name."""
    (left, top), (right, bottom) = neuron(visitor, column, 0), neuron(visitor, column + 1, 0)
    for share in (0.5, 0.4, 0.6, 0.3, 0.7):
        for away in range(-20, 21, 4):
            visitor.page.mouse.move(left + share * (right - left), top + share * (bottom - top) + away)
            found = re.match(r"(layers\.\d+\.weight\[\d+, \d+\]) = ", readout(visitor))
            if found:
                return found[1]
    raise AssertionError("no weight is drawn there")


def test_a_weight_set_by_hand_is_recorded_and_the_script_sets_it_too(visit, rerun):
    visitor = visit("hidden=4,3&points=100&dropout=0.2&activation=tanh&speed=500")
    visitor.play(until_step=30)
    place = find_weight(visitor, 0)
    shown = "document.querySelector('.toytrain-network .toytrain-readout').textContent"
    visitor.until(f"{shown} !== {visitor.evaluate(shown)!r}")  # it follows the training
    visitor.page.mouse.down()
    visitor.page.mouse.up()
    field = visitor.page.get_by_label(place, exact=True)
    field.wait_for()
    visitor.until(f"{LIVE}.dataset.status === 'paused'")  # it stands still for who edits
    visitor.idle()
    step = visitor.step
    field.fill("two")
    field.press("Enter")
    visitor.page.get_by_role("alert").filter(has_text="no number").wait_for()
    field.fill("2,5")
    field.press("Enter")
    status = visitor.page.locator(".toytrain-status").filter(has_text=f"{place} was set to 2.5")
    status.wait_for()
    visitor.idle()
    assert visitor.step == step
    assert not field.is_visible()
    visitor.train(40)
    script = visitor.download("Script (.py)")
    line = "model." + re.sub(r"\.(\d+)", r"[\1]", place) + " = 2.5"  # model.layers[0].weight[3, 1] = 2.5
    assert line in Path(script).read_text(encoding="utf-8")
    assert rerun(script) == visitor.losses()


def test_a_neuron_takes_the_boundarys_place_and_its_weights_are_reached_by_keyboard(visit):
    visitor = visit("hidden=4,3&points=100")
    visitor.train(20)
    keyboard, mouse = visitor.page.keyboard, visitor.page.mouse
    boundary = visitor.evaluate(f"{CANVAS}.toDataURL()")
    mouse.click(*neuron(visitor, 1, 2))
    title = visitor.page.locator(".toytrain-boundary .toytrain-title").filter(has_text="layers.0, neuron 2")
    title.wait_for()
    visitor.until(f"{CANVAS}.toDataURL() !== '{boundary}'")
    mouse.move(0, 0)
    keyboard.press("Escape")
    title.wait_for(state="hidden")
    visitor.until(f"{CANVAS}.toDataURL() === '{boundary}'")

    visitor.page.locator(".toytrain-neurons > button[tabindex='0']").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        keyboard.press(key)
    title = visitor.page.locator(".toytrain-boundary .toytrain-title").filter(has_text="logit of class 1")
    title.wait_for()
    assert "layers.4, neuron 1" in readout(visitor)
    weights = visitor.page.locator(".toytrain-weights > button")
    assert weights.count() == 4  # the bias, and what comes from three neurons
    weights.nth(0).focus()
    keyboard.press("Enter")
    visitor.page.get_by_label("layers.4.bias[1]", exact=True).fill("-3")
    keyboard.press("Enter")
    weights.filter(has_text="−3.0000").wait_for()
    assert visitor.evaluate("document.activeElement.dataset.key") == "layers.4.bias"


def test_layers_neurons_and_features_are_changed_at_the_network(visit):
    visitor = visit("hidden=4,3&points=100")
    visitor.click("Add a neuron to hidden layer 1")
    visitor.until("location.search.includes('hidden=5,3') || location.search.includes('hidden=5%2C3')")
    visitor.idle()
    assert visitor.page.get_by_label("hidden layers", exact=True).input_value() == "5, 3"
    visitor.page.locator("[data-column='1'][data-index='4']").wait_for(state="attached")
    visitor.click("Add a hidden layer")
    visitor.until("document.querySelectorAll('.toytrain-neurons > [data-column=\"3\"]').length === 3")
    visitor.idle()
    visitor.page.mouse.click(*neuron(visitor, 0, 2))
    visitor.until("/features=x1(,|%2C)x2(,|%2C)x1(\\^|%5E)2/.test(location.search)")
    visitor.idle()
    visitor.train(10)
    step = visitor.step
    visitor.click("Take a neuron from hidden layer 2")
    visitor.says("Reset starts a new run with hidden = 5, 2, 3")
    assert visitor.page.locator(".toytrain-heads").get_by_text("3 → 2").count() == 1
    assert visitor.step == step  # what was trained is still there
    visitor.click("Reset")
    visitor.until("document.querySelectorAll('.toytrain-neurons > [data-column=\"2\"]').length === 2")


def test_the_hidden_space_stands_in_the_boundarys_place(visit):
    visitor = visit("hidden=4,3&points=100&activation=tanh")
    visitor.train(20)
    visitor.click("Hidden space")
    visitor.until(f"{CANVAS}.getAttribute('aria-label').includes('of the variance')")
    shown = visitor.page.locator(".toytrain-places button[aria-pressed=true]:visible")
    assert shown.inner_text() == "Hidden space"
    components = visitor.evaluate(f"{CANVAS}.toDataURL()")
    visitor.page.get_by_label("Vertical axis").select_option(label="layers.2, neuron 2")
    visitor.until(f"{CANVAS}.toDataURL() !== '{components}'")
    assert visitor.page.get_by_label("Horizontal axis").input_value() == "0"
    visitor.click("Boundary")
    visitor.until(f"{CANVAS}.getAttribute('aria-label').startsWith('2 classes')")
    assert shown.inner_text() == "Boundary"


def test_who_only_watches_sees_the_network_and_changes_nothing(visit, visits, shared_server):
    owner = visit("hidden=4,3&points=100")
    owner.page.locator("[data-testid=stPopover] button").filter(has_text="Download").click()
    address = owner.page.locator("code").filter(has_text="watch=").inner_text()
    watcher = visits(shared_server)
    watcher.open(address.split("?")[1])
    find_weight(watcher, 0)
    watcher.page.mouse.down()
    watcher.page.mouse.up()
    assert watcher.page.locator(".toytrain-editor").is_hidden()
    assert watcher.page.locator(".toytrain-head > button:visible").count() == 0
    watcher.page.mouse.click(*neuron(watcher, 2, 1))
    watcher.page.locator(".toytrain-boundary .toytrain-title").filter(
        has_text="layers.2, neuron 1"
    ).wait_for()
