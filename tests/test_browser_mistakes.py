"""The mistakes page in a real browser: three mistakes made while one watches, and a case solved."""

import pytest

from pages.parts.bench import hidden
from toytrain.mistakes import MISTAKES

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.flaky(reruns=1)]

PLOTS = "[...document.querySelectorAll('.js-plotly-plot')]"
ENDED = "[...document.querySelectorAll('.st-key-bench_play button')].some((button) => button.disabled)"


@pytest.fixture
def lab(visits, shared_server):
    """Somebody who opens the mistakes page first, at this address."""

    def open_lab(query=""):
        visitor = visits(shared_server)
        visitor.allowed = "404"  # Streamlit itself asks at such an address for what is at the root
        visitor.page.goto(f"{visitor.url}/mistakes?{query}")
        visitor.button("Step batch").wait_for(timeout=90_000)
        visitor.until(f"{PLOTS}.length >= 2")
        visitor.idle()
        return visitor

    return open_lab


def drawn(visitor, name, chart=0):
    """How many points a curve of a chart has, the top left one by default."""
    curve = f"{PLOTS}[{chart}].data.find((curve) => curve.name === '{name}')"
    return visitor.evaluate(f"{curve}?.x.length ?? 0")


def play_to_the_end(visitor):
    visitor.click("Play")
    visitor.until(ENDED, 60)
    visitor.idle()


def test_three_mistakes_are_made_and_one_watches_them(lab):
    visitor = lab()
    visitor.evaluate(f"{PLOTS}[0].dataset.mine = 'yes'")
    visitor.click("Play")
    visitor.until(f"{PLOTS}[0].data.length === 2 && {PLOTS}[0].data[1].x.length > 5")
    visitor.click("Pause")
    visitor.button("Play").wait_for()
    visitor.idle()
    seen = drawn(visitor, "wrong")
    assert 5 < seen < 260
    visitor.click("Step batch")
    visitor.until(f"{PLOTS}[0].data[1].x.length > {min(seen, 159)}")
    assert visitor.evaluate(f"{PLOTS}[0].dataset.mine") == "yes"  # the chart was never made anew

    visitor.choose("Mistake", "8. Labels from 1 to K")
    visitor.page.get_by_text(MISTAKES["labels_from_one"].happens).wait_for()
    visitor.idle()
    visitor.click("Step batch")
    visitor.says("IndexError: Target 2 is out of bounds.", "F.cross_entropy(logits, labels)")

    visitor.choose("Mistake", "13. All weights start at zero")
    visitor.page.get_by_text(MISTAKES["weights_all_zero"].happens).wait_for()
    visitor.idle()
    play_to_the_end(visitor)
    assert visitor.query["mistake"] == "weights_all_zero"
    wrong = f"{PLOTS}[1].data.find((curve) => curve.name === 'wrong, test').y.at(-1)"
    right = f"{PLOTS}[1].data.find((curve) => curve.name === 'right, test').y.at(-1)"
    assert visitor.evaluate(right) > 0.8 > 0.6 > visitor.evaluate(wrong)


def test_a_case_is_solved_by_its_sign(lab):
    number = next(case for case in range(1, 400) if hidden(case)[:2] == ("no_shuffle", True))
    visitor = lab(f"case={number}")
    play_to_the_end(visitor)
    assert "no_shuffle" not in visitor.page.content()
    visitor.choose("Measurement", "Labels in the batch")
    shares = f"{PLOTS}[2].data[0].y"
    visitor.until(f"{PLOTS}[2].data[0].name === 'share of the commonest label'")
    assert visitor.evaluate(f"{shares}.filter((share) => share === 1).length > {shares}.length / 2")
    visitor.choose("The mistake is", MISTAKES["no_shuffle"].title)
    visitor.idle()
    visitor.click("Guess")
    visitor.says(f"Found: {MISTAKES['no_shuffle'].title}.")
    assert (visitor.query["score"], visitor.query["guess"]) == ("1of1", "no_shuffle")
    visitor.page.reload()
    visitor.says(f"Found: {MISTAKES['no_shuffle'].title}.")
    assert visitor.query["score"] == "1of1"
