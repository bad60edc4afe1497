"""The book page in a real browser: every figure computed, another seed, the graph stepped by keys."""

import pytest

from toytrain.book import FIGURES, SECTIONS

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.flaky(reruns=1)]

TICKS, CROSSES, OPEN = (
    f"document.querySelectorAll('.figures tr.{kind}').length" for kind in ("yes", "no", "open")
)
STALE = "document.querySelectorAll('.figures tr.stale').length"
GRAPH = "document.querySelector('.toytrain-graph')"


@pytest.fixture
def reader(visits, shared_server):
    """Somebody who opens the book page first, where the code of every section stands."""

    def read(**settings):
        visitor = visits(shared_server, **settings)
        visitor.allowed = "404"  # Streamlit itself asks at such an address for what is at the root
        visitor.page.goto(f"{visitor.url}/book")
        visitor.until(f"document.querySelectorAll('[data-testid=stCode]').length >= {len(SECTIONS)}", 60)
        visitor.until("document.querySelector('.toytrain-graph [data-node=loss]') !== null")
        visitor.idle()
        return visitor

    return read


def test_the_whole_book_is_run_and_every_figure_gets_its_tick_and_with_another_seed_crosses(reader):
    visitor = reader()
    assert visitor.evaluate(OPEN) == len(FIGURES)
    visitor.click("Run all")
    visitor.until(f"{OPEN} === 0", 120)
    visitor.idle()
    assert (visitor.evaluate(TICKS), visitor.evaluate(CROSSES)) == (len(FIGURES), 0)
    visitor.page.get_by_text(f"{len(FIGURES)} of {len(FIGURES)} figures as in the book").wait_for()

    visitor.write("seed", 124)
    visitor.until(f"{CROSSES} > 30 && {STALE} === 0", 120)
    visitor.idle()
    visitor.says("seed = 124", "Figures that moved")
    kind = "document.querySelector('[data-figure={}]').className"
    assert visitor.evaluate(kind.format("parameters_2_2")) == "yes"
    assert visitor.evaluate(kind.format("losses")) == "no"

    # All of it is there again after another page.
    visitor.page.get_by_role("link", name="Checkpoint", exact=True).click()
    visitor.page.get_by_text("Save this run").first.wait_for()
    visitor.page.get_by_role("link", name="Book", exact=True).click()
    visitor.until(f"{CROSSES} > 30")
    assert visitor.page.get_by_label("seed", exact=True).input_value() == "124"


def test_the_graph_is_stepped_to_the_gradients_of_the_book_by_keys_and_by_buttons(reader):
    visitor = reader()
    picture = visitor.page.locator(".toytrain-graph svg")
    assert "0.0852" not in picture.get_attribute("aria-label")
    visitor.button("Run").nth(1).click()
    visitor.until(f"!{GRAPH}.querySelector('[aria-label^=\"One node on\"]').disabled")
    picture.focus()
    for _ in range(4):
        picture.press("ArrowRight")
    assert "loss = 0.0852" in picture.get_attribute("aria-label")
    assert "grad" not in picture.text_content()
    visitor.click("To the end (End)")
    for figure in ("w1.grad = -0.0898", "b.grad = -0.0817"):
        assert figure in picture.get_attribute("aria-label")
    assert "-0.0898" in visitor.page.locator(".toytrain-graph-says").inner_text()
    picture.press("Home")
    visitor.until(f"{GRAPH}.dataset.position === '0'")
    visitor.button("One node back").is_disabled()
    # Other numbers go through autograd at once: y = 1, sigmoid(0) = 0.5, and so -ln(0.5).
    visitor.write("w1", 0)
    picture.press("End")
    visitor.until(f"{GRAPH}.querySelector('svg').getAttribute('aria-label').includes('loss = 0.6931')")


def test_a_phone_shows_the_graph_from_top_to_bottom_and_nothing_beside_the_screen(reader):
    visitor = reader(viewport={"width": 390, "height": 844})
    assert visitor.evaluate(f"{GRAPH}.querySelector('svg').classList.contains('toytrain-graph-tall')")
    assert visitor.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
