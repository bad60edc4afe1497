"""The book page without a browser: Streamlit's AppTest over pages/main.py, with a real engine of one worker.

The figures of the appendix are typed here once more, so that the page is compared with the book."""

import html
import re

import pytest
from browser import wait_until
from conftest import ROOT
from driven import Driven

from pages.parts import book_address, book_words
from pages.parts.figure_table import Row, table
from pages.parts.live import graph
from pages.parts.session import MEMORY
from toytrain import engine
from toytrain.book import FIGURES, SECTIONS, Figure, Settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pool")]

BOOK = {
    "loss_of_one_example": "0.0852",
    "gradient_of_w1": "-0.0898",
    "gradient_of_b": "-0.0817",
    "parameters_50_3": "2213",
    "parameters_2_2": "752",
    "first_weights": "-0.0577 0.0047 -0.0702",
    "batches": "[2.3, -1.1] [-0.9, 2.9] / [-1.2, 3.1] [-0.5, 2.6] / [2.7, -1.5]",
    "losses_as_printed": "0.75 0.65 0.44 0.13 0.03 0.00",
    "evaluate_through_a_loader": "0.7487 0.6450 0.2540 0.1128 0.0578 0.0336",
    "softmax_before_cross_entropy": "0.7205 0.5924 0.6360 0.4290 0.3894 0.3302",
    "keys_matched": "<All keys matched successfully>",
    "two_processes_rank_1": "0.668005 0.445244 0.105021",
}


class Page(Driven):
    timeout = 60

    def __init__(self, **query):
        super().__init__(**query)
        self.turn_to("book.py")

    @property
    def reader(self):
        return self.session.reader

    def run(self, key="all"):
        next(button for button in self.app.button if button.key == f"book_run_{key}").click()
        self.look_at_the_end()

    def look_at_the_end(self):
        self.app.run()
        wait_until(lambda: not self.reader.running, 120, "everything is computed")
        self.look()

    def set(self, name, value):
        widgets = (*self.app.number_input, *self.app.checkbox, *self.app.selectbox)
        next(widget for widget in widgets if widget.key == f"book_{name}").set_value(value)
        self.look_at_the_end()

    def figures(self):
        """By key: what is shown as the book's, what as computed here, and what is said of the two."""
        found = {}
        for block in (block.value for block in self.app.get("html") if 'class="figures"' in block.value):
            for key, row in re.findall(r'data-figure="(\w+)">(.*?)</tr>', block):
                book, here = (
                    html.unescape(re.sub(r"<[^>]*>", "", side)).replace("\xa0", " ")
                    for side in re.findall(r'<div class="side.*?</span>(.*?)</div>', row)
                )
                verdict = re.search(r'aria-label="([^"]*)"', row)
                found[key] = (book, here, verdict and verdict[1])
        return found

    def verdicts(self):
        return {key: verdict for key, (_book, _here, verdict) in self.figures().items()}

    def says(self, text):
        return any(text in box.value for box in (*self.app.info, *self.app.error, *self.app.markdown))


@pytest.fixture(scope="module")
def page_run():
    """A page of which everything has been run; tests that change it take a page of their own."""
    page = Page()
    page.run()
    return page


@pytest.fixture
def page():
    return Page()


def test_before_anything_is_run_every_figure_of_the_book_stands_there_and_none_is_computed(page):
    figures = page.figures()
    assert figures.keys() == FIGURES.keys()
    assert {key: figures[key][0] for key in BOOK} == BOOK
    assert {(here, verdict) for _book, here, verdict in figures.values()} == {("–", None)}


def test_each_section_has_its_number_its_words_its_code_and_its_button(page):
    titles = [header.value for header in page.app.subheader]
    assert [title.split(" · ")[0] for title in titles if " · " in title] == [
        s.number for s in SECTIONS.values()
    ]
    shown = [block.value for block in page.app.code]
    for source in engine.pool().book_sources(5).values():
        assert source in shown
    assert {f"book_run_{key}" for key in SECTIONS} < {button.key for button in page.app.button}


def test_run_all_computes_every_figure_of_the_book(page_run):
    figures = page_run.figures()
    assert {key: figures[key][:2] for key in BOOK} == {key: (text, text) for key, text in BOOK.items()}
    assert {verdict for _book, _here, verdict in figures.values()} == {"as in the book"}
    assert page_run.says(f"{len(FIGURES)} of {len(FIGURES)} figures as in the book")
    assert not page_run.app.error


def test_run_computes_its_own_section_only(page):
    page.run("model")
    computed = {key for key, verdict in page.verdicts().items() if verdict}
    assert computed == {key for key, figure in FIGURES.items() if figure.section == "model"}


def test_another_seed_brings_crosses_and_says_why(page):
    for key in ("model", "dataset", "training", "autograd"):
        page.run(key)
    page.set("seed", 124)
    verdicts = page.verdicts()
    moved = {key for key, verdict in verdicts.items() if verdict == "differs from the book"}
    assert moved == {
        "first_weights", "last_weights", "logits_of_random_numbers", "probas_of_random_numbers",
        "first_log_line", "losses_as_printed", "losses", "rows_of_batches",
    }  # fmt: skip
    assert verdicts["parameters_50_3"] == verdicts["training_examples"] == "as in the book"
    assert page.says("seed = 124")
    assert page.says(book_words.reasons()["seed"])
    assert page.says("A.5")
    next(button for button in page.app.button if button.label == "As in the book").click()
    page.look_at_the_end()
    assert "differs from the book" not in page.verdicts().values()


def test_an_evaluation_through_a_loader_moves_what_the_lesson_says(page):
    page.run("training")
    page.set("evaluate", "loader")
    _book, here, verdict = page.figures()["losses_as_printed"]
    assert (here, verdict) == ("0.75 0.65 0.25 0.11 0.06 0.03", "differs from the book")
    assert page.says("evaluate = through a DataLoader")
    page.set("evaluate", "tensors")
    assert page.verdicts()["losses_as_printed"] == "as in the book"
    assert page.says("No figure has moved.")


def test_the_graph_takes_other_numbers_and_leaves_the_training_alone(page):
    page.run("autograd")
    page.run("training")
    page.set("x1", 0.5)
    verdicts = page.verdicts()
    assert verdicts["gradient_of_w1"] == "differs from the book"
    assert verdicts["losses"] == "as in the book"
    assert page.reader.answers["autograd", "logistic_regression"].computed["values"]["u"] == pytest.approx(
        1.1
    )


def test_what_cannot_be_computed_is_said_in_its_section(page):
    page.run("distributed")
    page.set("batch_size", 5)
    (error,) = page.app.error
    assert "full batch" in error.value
    figures = page.figures()
    assert figures["two_processes_rank_0"][2] is None
    assert figures["one_process"][2] == "differs from the book"


def test_results_and_settings_are_there_again_after_another_page(page):
    page.run("model")
    page.set("seed", 5)
    before = page.figures()
    page.turn_to("checkpoint.py")
    page.turn_to("book.py")
    assert page.figures() == before
    assert page.app.session_state[MEMORY].reader.answers["model", "seeded_weights"].settings == Settings(
        seed=5
    )


def test_after_a_reload_the_settings_are_there_and_what_was_run_is_computed_again(page):
    page.run("model")
    page.run("dataset")
    page.set("seed", 5)
    page.set("shuffle", False)
    before = page.figures()
    again = Page(**page.address)
    again.look_at_the_end()
    assert again.figures() == before
    assert again.app.session_state[MEMORY].book == Settings(seed=5, shuffle=False)
    again.run()
    assert again.address["book"] == "all"


def test_what_an_address_cannot_mean_is_named_and_the_rest_of_it_holds():
    notices = []
    asked = {"book_seed": "-1", "book_shuffle": "2", "book_x1": "nan", "book_epochs": "4", "book_y": "0.0",
             "book": "model,nothing", "seed": "7"}  # fmt: skip
    texts = dict(asked)
    assert book_address.take_from(texts, notices) == (Settings(epochs=4, y=0.0), ("model",))
    assert texts == {"seed": "7"}
    assert [notice.split(" = ")[0] for notice in notices] == [
        f"In the address: book_{name}" for name in ("seed", "shuffle", "x1")
    ]
    settings = Settings(seed=5, evaluate="loader", random_number=True, learning_rate=0.25)
    for sections in ((), ("model", "saving"), tuple(SECTIONS)):
        assert book_address.take_from(book_address.to_texts(settings, sections), notices) == (
            settings, sections,
        )  # fmt: skip
    assert book_address.take_from({"book": "nothing"}, notices) == (Settings(), ())
    assert len(notices) == 4


def test_the_page_leads_to_a_run_of_its_settings(page):
    query = Settings().config.to_query()
    (link,) = page.app.get("link_button")
    assert link.proto.url.endswith(f"/?{query}")


def test_every_section_figure_and_setting_has_its_words():
    assert book_words.titles().keys() == book_words.about().keys() == SECTIONS.keys()
    assert book_words.figures().keys() == FIGURES.keys()
    assert book_words.reasons().keys() == Settings().to_dict().keys()


def test_what_differs_is_marked_word_by_word():
    text = table([Row(Figure("key", "section", "1.0 2.0", 1), "<name>", [1.0, 3.0])], "caption")
    assert "<code>1.0 <mark>3.0</mark></code>" in text
    assert "&lt;name&gt;" in text
    assert "✗" in text


def test_the_graph_has_a_word_for_every_step():
    source = (ROOT / "pages/parts/live/static/graph.js").read_text(encoding="utf-8")
    asked = set(re.findall(r'this\.#word\("(\w+)"', source)) | {
        f"says_{node}" for node in ("u", "z", "a", "loss")
    }
    assert asked <= graph.words().keys()
