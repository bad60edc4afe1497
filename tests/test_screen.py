"""What a teacher arranges: hidden and locked controls, a task, large type, all of it in the address."""

from urllib.parse import parse_qsl, urlsplit

import pytest
import test_pages
from test_pages import plain

from pages.parts import controls, live, teachers
from pages.parts.screen import BUTTONS, CAN_HIDE, CAN_LOCK, LONGEST_TASK, SETTINGS, TEACHERS, VIEWS, Screen
from toytrain import ToytrainError

pytestmark = pytest.mark.slow

open_page = test_pages.open_page  # a fixture


def read(**texts):
    notices = []
    return Screen.take_from(texts, notices), notices


# The value


def test_names_are_unique_and_each_has_a_name_for_people():
    assert len(set(CAN_HIDE)) == len(CAN_HIDE)
    names = [teachers.name_of(name) for name in CAN_HIDE]
    assert len(set(names)) == len(names)
    assert not set(names) & set(CAN_HIDE)


@pytest.mark.parametrize(
    "screen",
    [
        Screen(),
        Screen(hide=("points", "loss"), lock=("dataset", "play")),
        Screen(task="Find\n<b>it</b> & 100 %; a=b, ü", present=True),
        Screen(hide=CAN_HIDE, lock=CAN_LOCK),
    ],
)
def test_the_address_holds_the_whole_screen(screen):
    assert read(**screen.to_texts()) == (screen, [])


def test_the_order_in_an_address_makes_no_other_screen():
    assert read(hide="noise, points,noise") == read(hide="points,noise")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"hide": "noise,bias"}, ["hide", "bias"]),
        ({"lock": "loss"}, ["lock", "loss"]),
        ({"hide": "a,b,c,d" * 1000}, ["hide", "a", "…"]),
        ({"present": "yes"}, ["present", "yes", "1", "0"]),
        ({"present": "9" * 5000}, ["present", "…"]),
        ({"task": "x" * 501}, ["501", str(LONGEST_TASK)]),
    ],
)
def test_what_makes_no_sense_is_named_in_one_short_sentence(texts, said):
    _screen, (notice,) = read(**texts)
    assert all(part in notice for part in said)
    assert len(notice) < 300


def test_a_task_keeps_its_lines_and_loses_what_cannot_be_printed():
    assert read(task="  one\ntwo\x00\x1b[31m  ")[0].task == "one\ntwo[31m"


# The page


def keys(page):
    return {button.key for button in page.app.button}


def test_hidden_fields_are_not_there_and_keep_their_values_from_the_address(open_page):
    page = open_page(hide="optimizer,momentum", optimizer="sgd", momentum="0.9")
    assert not {"optimizer", "momentum"} & set(page.widgets())
    assert page.run.config.momentum == 0.9
    page.set("points", 300)
    page.click("reset")
    assert page.config.momentum == 0.9
    assert "momentum" not in page.widgets()


@pytest.mark.parametrize("schedule", ["step", "cosine"])
def test_every_field_can_be_hidden_and_locked(open_page, schedule):
    beside = {"dataset": "blobs", "schedule": schedule}
    shown = set(open_page(**beside).widgets())
    odd, even = SETTINGS[::2], SETTINGS[1::2]
    for hidden, locked in ((odd, even), (even, odd)):
        widgets = open_page(hide=",".join(hidden), lock=",".join(locked), **beside).widgets()
        assert set(widgets) == shown & set(locked)
        assert all(widget.disabled for widget in widgets.values())


def test_a_locked_field_shows_its_value_and_cannot_be_used(open_page):
    page = open_page(lock="dataset", dataset="circles")
    widget = page.widgets()["dataset"]
    assert [name for name, widget in page.widgets().items() if widget.disabled] == ["dataset"]
    assert widget.value == "circles"
    assert "Locked" in widget.help


def test_what_is_locked_is_changed_on_no_other_way(open_page):
    page = open_page(lock="dataset,seed")
    with pytest.raises(ToytrainError, match="dataset is locked at moons"):
        page.session.start(type(page.config)(dataset="circles"))
    assert page.app.button(key="new_seed").disabled


def test_buttons_can_be_hidden_and_locked(open_page):
    buttons = {"play", "step_batch", "step_epoch", "reset", "new_seed"}
    assert buttons <= keys(open_page())
    hiding = open_page(hide=",".join(BUTTONS))
    assert not buttons & keys(hiding)
    assert not [box for box in hiding.app.main.selectbox if box.label == "Speed"]
    locking = open_page(lock=",".join(BUTTONS))
    assert all(locking.app.button(key=key).disabled for key in buttons)


def test_a_page_without_any_setting_works(open_page):
    page = open_page(hide=",".join((*SETTINGS, *BUTTONS, *VIEWS, TEACHERS)))
    assert not page.widgets()
    assert not page.sentences()


def test_odd_values_in_a_link_are_named_and_the_rest_works(open_page):
    page = open_page(hide="noise,<script>", lock="loss", present="maybe", points="300")
    sentences = plain(" ".join(page.sentences()))
    assert all(part in sentences for part in ("hide = <script>", "lock = loss", "present = maybe"))
    assert "noise" not in page.widgets()
    assert page.config.points == 300


def test_a_task_is_shown_as_it_was_typed(open_page):
    page = open_page(task="Try <b>10</b> & **more**")
    (task,) = [element for element in page.app.get("html") if element.proto.body.startswith("<p")]
    assert "Try &lt;b&gt;10&lt;/b&gt; &amp; **more**" in task.proto.body


def test_the_screen_survives_reset_and_a_new_session_at_the_same_address(open_page):
    page = open_page(hide="noise", lock="dataset", task="Look", present="1")
    page.train()
    page.click("reset")
    screen = page.session.screen
    assert screen == Screen(("noise",), ("dataset",), "Look", True)
    again = open_page(**page.app.query_params)
    assert again.session.screen == screen


def test_the_panel_arranges_the_page_and_makes_the_link_for_students(open_page):
    page = open_page(dataset="circles")
    app = page.app
    app.multiselect(key="screen_hide").set_value(["noise", "loss"]).run()
    app.multiselect(key="screen_lock").set_value(["dataset"]).run()
    app.text_area(key="screen_task").set_value("Find it")
    page.look()
    assert page.session.screen == Screen(("noise", "loss"), ("dataset",), "Find it")
    assert "noise" not in page.widgets()
    (link,) = [code.value for code in app.code if "teachers" in code.value]
    texts = dict(parse_qsl(urlsplit(link).query))
    assert texts == {
        "dataset": "circles",
        "hide": "noise,loss,teachers",
        "lock": "dataset",
        "task": "Find it",
    }
    student = open_page(**texts)
    assert not student.sentences()
    assert TEACHERS not in keys(student)
    assert not [box for box in student.app.multiselect if box.key == "screen_hide"]
    page.click("hide_settings")
    assert not page.widgets()
    page.click("show_everything")
    assert page.session.screen == Screen()
    assert "noise" in page.widgets()


def test_presentation_mode_is_in_the_address_and_is_left_with_a_button(open_page):
    page = open_page()
    page.click("present")
    assert page.app.query_params["present"] == "1"
    assert "present" not in keys(page)
    page.click("leave")
    assert "present" not in page.app.query_params
    assert not page.session.screen.present


def test_the_keys_are_listed(open_page):
    page = open_page()
    page.click("keys")
    text = " ".join(element.value for element in page.app.markdown)
    shortcuts = {button.proto.shortcut.upper() for button in page.app.button if button.proto.shortcut}
    assert shortcuts >= set("PBEXNFK")
    assert all(f"[{key}]" in text for key in shortcuts)


def test_what_is_rarely_needed_is_folded_away(open_page):
    page = open_page(momentum="0.5")
    folded = {field for group in page.app.sidebar.expander for field in SETTINGS if has(group, field)}
    basic = {name for row in controls.BASICS for name in row}
    assert folded == set(page.widgets()) - basic
    assert [group.label for group in page.app.sidebar.expander][-1].endswith("1 changed")


def has(block, name):
    kinds = (block.number_input, block.text_input, block.selectbox, block.checkbox, block.button_group)
    return any((widget.key or "").startswith(f"field_{name}_") for kind in kinds for widget in kind)


# A step, part by part


def test_half_steps_go_through_one_step_and_make_it(open_page):
    page, whole = open_page(hidden="4"), open_page(hidden="4")
    parts = []
    for _ in range(4):
        page.click("half_step")
        parts.append(page.session.half["part"])
    assert parts == ["forward", "loss", "backward", "optimizer step"]
    whole.train()
    assert page.run.model() == whole.run.model()
    assert page.run.losses == whole.run.losses
    page.click("half_step")
    assert page.session.half["part"] == "forward"
    page.train()  # what else trains ends the mode
    page.look()
    assert page.session.half is None
    assert page.run.steps == 2  # the begun step was finished first


def test_a_begun_step_is_there_again_after_a_reload_and_gone_after_reset(open_page):
    page = open_page()
    page.click("half_step")
    page.click("half_step")
    again = open_page(run=page.run.id)
    assert again.session.half["part"] == "loss"
    again.click("reset")
    assert again.session.half is None


def test_without_the_view_that_shows_it_there_is_no_half_step(open_page):
    assert "half_step" in keys(open_page())
    assert "half_step" not in keys(open_page(hide="step"))


def test_what_is_no_number_is_drawn_of_a_half_step_as_a_word():
    tensors = [{"name": "loss", "shape": [], "values": float("nan"), "before": None}]
    wide = {"name": "logits", "shape": [20, 9], "values": [[float("inf")] * 9] * 20, "before": None}
    drawn = live._drawable({"part": "loss", "source": "def", "tensors": [*tensors, wide]})
    assert drawn["tensors"][0]["values"] == "nan"
    assert drawn["tensors"][1]["values"] == [["inf"] * 8] * 8
