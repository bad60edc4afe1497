"""The mistakes page without a browser: Streamlit's AppTest over pages/main.py."""

import gc
import math
import re

import pytest
from browser import wait_until
from conftest import ROOT
from driven import Driven
from streamlit.testing.v1 import AppTest

from pages.parts import lab_charts
from pages.parts.bench import BOOK, NO_MISTAKE, Bench, guesses, hidden
from pages.parts.session import MEMORY
from toytrain import ToytrainError, engine
from toytrain.engine import LabRun
from toytrain.mistakes import MISTAKES
from toytrain.mistakes.scripts import MARK, write_scripts

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pool")]

CASES = range(1, 400)


class Page(Driven):
    timeout = 60

    def __init__(self, **query):
        super().__init__(**query)
        self.turn_to("mistakes.py")

    @property
    def bench(self) -> Bench:
        return self.session.bench

    @property
    def run(self):
        return self.bench.run

    def guess(self, name):
        self.choose("The mistake is", name)
        self.click("Guess")

    def finish(self):
        self.choose("Speed", 0)
        self.click("Play")
        wait_until(lambda: self.run.status == "finished", 60, "the experiment ends")
        self.look()

    def words(self):
        """Everything the page says."""
        texts = (*self.app.markdown, *self.app.caption, *self.app.error, *self.app.warning, *self.app.success,
                 *self.app.info)  # fmt: skip
        return re.sub(r"\\(.)", r"\1", "\n".join(text.value for text in texts))

    def difference(self):
        """The lines in which the scripts differ, as the page shows them."""
        return "".join(code.value for code in self.app.code if code.language == "diff")

    def downloads(self):
        return [button.proto.label for button in self.app.get("download_button")]


@pytest.fixture
def page():
    opened = []

    def open_page(**query):
        opened.append(Page(**query))
        return opened[-1]

    yield open_page
    for page in opened:
        engine.pool().close(page.run)


def case_of(name, is_wrong=True):
    """A case in which a mistake is made, or is not."""
    return next(case for case in CASES if hidden(case)[:2] == (name, is_wrong))


def test_figures_beside_a_logarithmic_axis_keep_apart_however_far_it_reaches():
    powers = {(1.0, 10.0): 1, (1e-3, 1e3): 1, (1e-2, 1e15): 3, (0.0, math.nan, math.inf): 1, (): 1}
    assert {values: lab_charts.logarithmic(values)["dtick"] for values in powers} == powers


def test_a_mistake_is_explained_made_and_shown_as_one_line(page):
    lab = page()
    mistake = MISTAKES["no_zero_grad"]
    for text in (mistake.title, mistake.happens, mistake.look, mistake.find):
        assert text in lab.words()
    changed = [line for line in lab.difference().split("\n") if line[:1] in "+-" and line.strip()]
    assert [line.strip("+- ") for line in changed] == [
        "optimizer.zero_grad()",
        "# optimizer.zero_grad()  # <- the mistake",
    ]
    lab.click("Step batch")
    look = lab.run.look("gradient")
    assert (look.right.steps, look.wrong.steps) == (1, 1)
    assert look.right.losses == look.wrong.losses
    lab.finish()
    look = lab.run.look("gradient")
    assert look.right.scores[-1][4] > look.wrong.scores[-1][4] + 0.2


def test_the_downloads_are_the_scripts_that_run(page):
    lab = page(mistake="softmax_before_cross_entropy", mistake_seed="9")
    mistake = MISTAKES["softmax_before_cross_entropy"]
    scripts = lab.run.scripts()
    assert (scripts["right"], scripts["wrong"]) == write_scripts(mistake, lab.bench.config)
    assert "torch.manual_seed(9)" in scripts["wrong"]
    assert lab.downloads() == ["The script with the mistake", "The right script"]


def test_the_books_five_points_are_a_switch_where_they_show_the_mistake(page):
    lab = page(mistake="no_shuffle")
    lab.app.toggle[0].set_value(True)
    lab.look()
    assert lab.run.config == BOOK
    assert lab.address["mistake_data"] == "book"
    lab.click("Step epoch")
    wait_until(lambda: len(lab.run.look("batches").wrong.losses) == 2, 20, "an epoch")
    assert lab.run.look("batches").wrong.losses == pytest.approx([0.7450, 0.6538], abs=5.1e-5)
    lab.choose("Mistake", "weights_all_zero")
    assert not lab.app.toggle
    assert lab.run.config == MISTAKES["weights_all_zero"].config


def test_an_error_is_shown_with_its_line(page):
    lab = page(mistake="labels_from_one")
    lab.click("Step batch")
    (error,) = lab.app.error
    assert "IndexError: Target 2 is out of bounds." in error.value
    assert "loss = F.cross_entropy(logits, labels)" in error.value
    assert lab.run.look("").right.steps == 1


def test_the_address_brings_the_experiment_back(page):
    lab = page(mistake="weights_all_zero", mistake_seed="5")
    lab.click("Step batch")
    again = page(**lab.address)
    assert again.run is lab.run
    assert (again.bench.name, again.bench.seed) == ("weights_all_zero", 5)
    other = {name: text for name, text in lab.address.items() if name != "lab"}
    assert page(**other).run is not lab.run


def test_an_experiment_that_is_gone_is_made_again(page):
    lab = page()
    lab.click("Step batch")
    engine.pool().close(lab.run)
    lab.look()
    assert lab.run.look("").right.steps == 0
    assert lab.run.status == "paused"
    assert "was closed; here it is again" in lab.words()


def test_who_shares_an_experiment_keeps_it_whatever_the_other_does(page):
    lab = page()
    lab.click("Step batch")
    other = page(**lab.address)
    shared = lab.run
    for leave in (lambda: lab.click("Reset"), lambda: lab.click("New seed")):
        leave()
        assert lab.run is not shared
        other.look()
        assert other.run is shared
        assert shared.look("").right.steps == 1
    other.choose("Mistake", "weights_all_zero")
    assert engine.pool().experiment(shared.id) is None  # the last one closes it


def test_who_has_left_for_good_keeps_no_experiment_open(page):
    lab = page()
    first, gone = lab.run, Bench.from_texts({"lab": lab.run.id}, [])
    assert gone.experiment("") is first
    del gone
    gc.collect()
    lab.click("Reset")
    assert engine.pool().experiment(first.id) is None


def test_what_ends_an_experiment_while_it_is_looked_at_is_a_sentence(page, monkeypatch):
    lab = page()

    def refuse(probe):
        raise ToytrainError("The training process of this run died.")

    monkeypatch.setattr(lab.run, "look", refuse)
    lab.look()
    assert "The training process of this run died." in lab.words()
    monkeypatch.undo()
    lab.click("Try again")
    assert "died" not in lab.words()


def test_an_experiment_closed_between_page_and_curves_is_made_again(page, monkeypatch):
    lab = page()
    first = lab.run

    def close_first(probe):
        engine.pool().close(first)
        return LabRun.look(first, probe)

    monkeypatch.setattr(first, "look", close_first)
    lab.look()
    assert lab.run is not first
    assert "was closed; here it is again" in lab.words()


def test_a_reset_begins_again_from_the_seed(page):
    lab = page(mistake="zero_grad_too_late")
    lab.click("Step batch")
    first = lab.run.look("").wrong.losses
    before = lab.run
    lab.click("Reset")
    assert lab.run is not before
    assert engine.pool().experiment(before.id) is None
    lab.click("Step batch")
    assert lab.run.look("").wrong.losses == first


def test_another_seed_gives_both_sides_other_weights(page):
    lab = page()
    lab.click("New seed")
    assert lab.run.config.seed == 124
    assert lab.address["mistake_seed"] == "124"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mistake", "no_zero_gard"),
        ("mistake_data", "moons"),
        ("mistake_seed", "-1"),
        ("mistake_seed", "9" * 40),
        ("case", "0"),
        ("case", "12345"),
        ("guess", "no_zero_grad"),
        ("score", "5of3"),
        ("score", "<b>"),
    ],
)
def test_what_the_address_says_wrongly_is_named_and_left_out(name, text):
    notices = []
    texts = {name: text, "seed": "5"}
    bench = Bench.from_texts(texts, notices)
    assert texts == {"seed": "5"}
    assert vars(bench) == vars(Bench())
    (notice,) = notices
    assert f"{name} = {text}"[:60] in notice


def test_the_id_of_an_experiment_is_not_that_of_a_run(page):
    lab = page()
    train = AppTest.from_file(str(ROOT / "pages/main.py"), default_timeout=60)
    train.query_params["run"] = lab.run.id
    train.run()
    assert not train.exception
    assert train.session_state[MEMORY].run is not lab.run


# Cases


def test_every_mistake_that_can_hide_does_and_some_cases_hide_none():
    found = {hidden(case)[:2] for case in CASES}
    names = {name for name, mistake in MISTAKES.items() if mistake.hides}
    assert {name for name, is_wrong in found if is_wrong} == names
    assert any(not is_wrong for _name, is_wrong in found)
    assert list(guesses()) == [*(name for name in MISTAKES if name in names), NO_MISTAKE]


def test_before_the_guess_nothing_names_the_mistake(page):
    name = "optimizer_before_model"
    case = page(case=str(case_of(name)))
    case.click("Step batch")
    assert case.run.mistake == name
    assert name not in str(case.address)
    assert MISTAKES[name].title not in case.words()
    assert case.difference() == ""
    assert case.downloads() == []
    measurement = next(box for box in case.app.selectbox if box.label == "Measurement")
    assert measurement.value == "gradient"


def test_a_right_guess_counts_and_is_explained(page):
    name = "weights_all_zero"
    number = case_of(name)
    case = page(case=str(number))
    case.guess(name)
    assert f"Found: {MISTAKES[name].title}." in case.words()
    assert MISTAKES[name].happens in case.words()
    assert case.address["score"] == "1of1"
    assert case.downloads() == ["The script with the mistake", "The right script"]
    assert MARK in case.run.scripts()["wrong"]
    again = page(**case.address)
    assert again.bench.guess == name
    assert (again.bench.found, again.bench.tried) == (1, 1)
    case.click("Next case")
    assert case.bench.case != number
    assert (case.bench.guess, case.address["score"]) == ("", "1of1")


def test_a_wrong_guess_says_what_it_was_and_how_the_guess_would_have_looked(page):
    case = page(case=str(case_of("no_shuffle")), score="2of2")
    case.guess("learning_rate_too_low")
    assert f"It was: {MISTAKES['no_shuffle'].title}." in case.words()
    assert MISTAKES["learning_rate_too_low"].look in case.words()
    assert case.address["score"] == "2of3"


def test_a_case_may_hide_no_mistake(page):
    number = next(case for case in CASES if not hidden(case)[1])
    case = page(case=str(number))
    case.guess(NO_MISTAKE)
    assert "Found: No mistake." in case.words()
    assert "All is right in this run" in case.words()
    assert case.address["score"] == "1of1"


def test_the_other_way_and_back(page):
    lab = page(mistake="no_shuffle")
    lab.app.get("button_group")[0].set_value("mystery")
    lab.look()
    assert lab.bench.case > 0
    assert "mistake" not in lab.address
