"""Lessons: one file each; a step turns green when its task is done and not before; broken files are named."""

import shutil
from array import array
from dataclasses import replace

import pytest
import test_pages

from pages.parts import lesson_files
from pages.parts import session as sessions
from pages.parts.lesson_files import FOLDER, Judged, all_lessons, find, moments
from pages.parts.words import LANGUAGES
from toytrain import Trainer
from toytrain.engine import Run
from toytrain.engine.frame import Frame

open_page = test_pages.open_page  # a fixture

NAMES = (
    "first-network",
    "learning-rate",
    "batch-size",
    "capacity",
    "regularisation",
    "features-or-layers",
    "train-and-eval",
    "loss-curve",
)
# How each step can be done with what its lesson shows: settings of a new run, a learning rate for
# the one before, or None where that just goes on; and how many epochs at the most.
SOLUTIONS = {
    "first-network": [({}, 1), (None, 1), (None, 60)],
    "learning-rate": [
        ({"learning_rate": 0.001}, 5),
        ({"learning_rate": 10}, 3),
        ({"learning_rate": 0.5}, 10),
    ],
    "batch-size": [
        ({"batch_size": 1}, 2),
        ({"batch_size": 400}, 20),
        ({"batch_size": 400, "learning_rate": 1}, 60),
    ],
    "capacity": [({"hidden": (2,)}, 50), ({"hidden": (64, 64)}, 150), ({"hidden": (12, 12)}, 100)],
    "regularisation": [({}, 150), ({"weight_decay": 0.01}, 100), ({"weight_decay": 0, "dropout": 0.5}, 100)],
    "features-or-layers": [
        ({}, 20),
        ({"features": ("x1", "x2", "x1^2", "x2^2")}, 20),
        ({"features": ("x1", "x2"), "activation": "relu", "hidden": (8, 8)}, 60),
    ],
    "train-and-eval": [
        ({}, 10),
        ({"dropout": 0}, 10),
        ({"batch_norm": True, "batch_size": 4}, 5),
    ],
    "loss-curve": [({}, 3), (0.05, 30), ({"points": 40, "learning_rate": 0.1}, 120)],
}


def known(trainer):
    """What the page knows of a run that stands where this Trainer stands."""
    losses = [trainer.evaluate(loader.dataset) for loader in (trainer.train_loader, trainer.test_loader)]
    header = {"epoch": trainer.epoch, "step": trainer.steps, "status": "playing"}
    for name, (loss, score) in zip(("train", "test"), losses, strict=True):
        header |= {f"{name}_loss": loss, f"{name}_score": score}
    rows = list(zip(trainer.tests[0::3], trainer.tests[1::3], trainer.tests[2::3], strict=True))
    return list(moments(trainer.config, header, rows, trainer.learning_rate, Judged()))


# Those that come along


def test_eight_lessons_come_along_in_every_language_and_none_is_broken():
    for language in LANGUAGES:
        lessons, broken = all_lessons(language)
        assert broken == []
        assert tuple(lesson.name for lesson in lessons) == NAMES
    english, japanese = all_lessons("en")[0], all_lessons("ja")[0]
    for one, other in zip(english, japanese, strict=True):
        assert one.title != other.title
        assert [step.check for step in one.steps] == [step.check for step in other.steps]
        assert all(a.text != b.text for a, b in zip(one.steps, other.steps, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_each_step_is_red_at_first_and_can_be_done_with_the_controls_of_its_lesson(name):
    lesson = find(name, "en")
    config = lesson.config
    trainer = Trainer.from_config(config)
    assert not any(step.is_done(known(trainer)) for step in lesson.steps)
    for step, (settings, epochs) in zip(lesson.steps, SOLUTIONS[name], strict=True):
        if isinstance(settings, dict):
            assert set(settings) <= set(lesson.visible)
            config = replace(config, **settings)
            trainer = Trainer.from_config(config)
            assert not step.is_done(known(trainer))
        elif settings is not None:
            assert "learning_rate" in lesson.visible
            trainer.set_learning_rate(settings)
        last = trainer.epoch + epochs
        while not step.is_done(known(trainer)):
            assert trainer.epoch < last
            assert not trainer.ended
            trainer.advance(steps=len(trainer.train_loader))


def test_a_moment_between_two_looks_counts():
    lesson = find("learning-rate", "en")
    rows = [(31.0 * epoch, 0.1, 0.96 if epoch == 9 else 0.5) for epoch in range(1, 500)]
    header = {"epoch": 499, "step": 15469, "test_score": 0.5, "status": "playing"}
    assert lesson.steps[2].is_done(moments(lesson.config, header, rows, 0.5, Judged()))
    late = [(31.0 * epoch, 0.1, 0.96 if epoch == 11 else 0.5) for epoch in range(1, 500)]
    assert not lesson.steps[2].is_done(moments(lesson.config, header, late, 0.5, Judged()))


def test_moments_in_pieces_are_those_of_the_whole():
    config = find("first-network", "en").config
    rows = [(31.0 * epoch, loss, 0.5) for epoch, loss in enumerate((0.7, 0.2, 0.5, 0.1, 0.4), 1)]
    header = {"epoch": 5, "step": 155, "train_loss": 0.3, "test_loss": 0.4, "status": "paused"}
    whole = list(moments(config, header, rows, 0.5, Judged()))
    assert [moment["rise"] for moment in whole] == pytest.approx([1, 1, 2.5, 1, 4, 4])
    judged = Judged()
    parts = [list(moments(config, header, rows[a:b], 0.5, judged)) for a, b in ((0, 2), (2, 2), (2, 5))]
    assert [moment for part in parts for moment in part[:-1]] == whole[:-1]
    assert parts[-1][-1] == whole[-1]


def test_each_epoch_is_judged_once_and_anew_for_another_step_run_or_history(monkeypatch):
    lesson = find("learning-rate", "en")
    session = sessions.Session(lesson.config, Run(lesson.config, None), lesson=lesson.name, done=2)
    monkeypatch.setattr(sessions.st, "session_state", {sessions.MEMORY: session})

    def look(first, last, score=0.5):
        """How many epochs are judged, after the run has told of those from `first` to `last`."""
        rows = array("d", [number for epoch in range(first, last) for number in (epoch, 0.1, score)])
        header = {"step": last, "epoch": last, "status": "playing", "message": ""}
        session.run.take(Frame(header, tests_from=first, tests=rows.tobytes()))
        read = []
        tests_after = session.run.tests_after
        with monkeypatch.context() as patch:
            patch.setattr(session.run, "tests_after", lambda n: read.append(tests_after(n)) or read[-1])
            is_done = sessions.look_at_lesson(lesson)
        return is_done, len(read[0])

    assert [look(0, 3), look(3, 4), look(4, 4)] == [(False, 3), (False, 1), (False, 0)]
    assert look(2, 5) == (False, 5)  # told again from the third on
    session.done = 1
    assert look(5, 6) == (False, 6)
    session.done, session.run = 2, Run(replace(lesson.config, learning_rate=0.5), None)
    assert look(0, 4) == (False, 4)
    assert look(4, 6, score=0.99) == (True, 2)
    assert session.done == 3


# Files of one's own

GOOD = """+++
title = "Mine"
visible = ["play", "noise"]
checks = [{ epoch = ">= 2", noise = "< 0.5" }]
[config]
dataset = "circles"
+++
Hello.

## Do it

Press Play.
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of lessons with those that come along, in which a test may write."""
    shutil.copytree(FOLDER, tmp_path / "lessons")
    monkeypatch.setattr(lesson_files, "FOLDER", tmp_path / "lessons")
    return tmp_path / "lessons"


def test_one_file_is_one_lesson(folder):
    (folder / "mine.md").write_text(GOOD, encoding="utf-8")
    lessons, broken = all_lessons("ja")
    assert not broken
    assert [lesson.name for lesson in lessons] == [*NAMES, "mine"]
    mine = lessons[-1]  # in English, because it has no translation
    assert (mine.title, mine.intro, mine.config.dataset) == ("Mine", "Hello.", "circles")
    assert mine.visible == ("noise", "play")
    assert mine.steps[0].text == "Press Play."
    (folder / "mine.md").write_text(GOOD.replace("Mine", "Changed"), encoding="utf-8")
    assert all_lessons("ja")[0][-1].title == "Changed"


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new).encode()


BROKEN = {
    "empty": (b"", 1, "+++"),
    "no front matter": (b"# Hello\n", 1, "+++"),
    "not UTF-8": (changed("Hello", "H\u00e4llo").replace("ä".encode(), b"\xe4"), 8, "UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), 1, "UTF-8"),
    "no TOML": (changed('title = "Mine"', "title = Mine"), 2, "TOML"),
    "too large": (GOOD.encode() + b"x" * 40_000, 1, "32000"),
    "no title": (changed('title = "Mine"', "title = 3"), 2, "title"),
    "unknown key": (changed('title = "Mine"', 'title = "Mine"\nlevel = 3'), 3, "level"),
    "unknown control": (changed('"noise"]', '"nose"]'), 3, "nose"),
    "unknown quantity": (changed("epoch =", "epochs_done ="), 4, "epochs_done"),
    "code": (changed('">= 2"', "\"__import__('os')\""), 4, "epoch"),
    "no relation": (changed('">= 2"', '"2"'), 4, "epoch"),
    "a number": (changed('">= 2"', "2"), 4, "epoch"),
    "wrong setting": (changed('"circles"', '"triangles"'), 6, "dataset"),
    "unknown setting": (changed('dataset = "circles"', "depth = 3"), 6, "depth"),
    "steps without checks": (changed("## Do it", "## One\n\n## Two"), 4, "checks"),
    "no step": (changed("## Do it", "Do it"), 13, "##"),
    "lists within lists": (changed('title = "Mine"', "title = " + "[" * 9000), 1, "deep"),
    "names within names": (changed("dataset =", f"seed{'.a' * 9000} ="), 1, "deep"),
    "a number without end": (changed('title = "Mine"', f"order = {'1' * 5000}"), 7, "digits"),
    "odd order": (changed('title = "Mine"', 'order = "first"\ntitle = "Mine"'), 2, "order"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_with_line_and_reason_and_the_others_still_work(folder, name):
    data, line, said = BROKEN[name]
    (folder / "mine.md").write_bytes(data)
    lessons, (broken,) = all_lessons("en")
    assert tuple(lesson.name for lesson in lessons) == NAMES
    assert (broken.file, broken.line) == ("mine.md", line)
    assert said in broken.reason


def test_a_folder_or_a_link_to_nowhere_breaks_no_lesson(folder):
    (folder / "mine.md").mkdir()
    (folder / "other.md").symlink_to(folder / "nowhere")
    lessons, broken = all_lessons("en")
    assert tuple(lesson.name for lesson in lessons) == NAMES
    assert [(one.file, one.line) for one in broken] == [("mine.md", 1), ("other.md", 1)]


def test_a_broken_translation_is_named_and_the_lesson_is_there_in_english(folder):
    (folder / "ja/capacity.md").write_text('+++\ntitle = "x"\n+++\n\n## 一\n', encoding="utf-8")
    lessons, (broken,) = all_lessons("ja")
    assert broken.file == "ja/capacity.md"
    assert next(lesson for lesson in lessons if lesson.name == "capacity") == find("capacity", "en")


# On the page


def texts(page):
    return " ".join(element.value for element in page.app.sidebar.markdown)


@pytest.mark.slow
def test_a_step_turns_green_when_it_is_done_and_not_before(open_page):
    page = open_page(lesson="first-network")
    assert page.config == find("first-network", "en").config
    assert set(page.widgets()) == set()
    assert "check_circle" not in texts(page)
    page.look()
    assert page.session.done == 0
    page.train()
    page.look()
    assert page.session.done == 1
    assert texts(page).count(":green[:material/check_circle:]") == 1
    assert page.app.query_params["done"] == "1"
    page.look()
    assert page.session.done == 1  # the second asks for a whole epoch


@pytest.mark.slow
def test_progress_is_in_the_address_and_the_next_lesson_follows(open_page):
    page = open_page(lesson="first-network", done="3", passed="first-network", hidden="4")
    assert page.config.hidden == (4,)
    assert texts(page).count("check_circle") == 3
    page.click("next_lesson")
    assert (page.session.lesson, page.session.done) == ("learning-rate", 0)
    assert page.config == find("learning-rate", "en").config
    assert set(page.widgets()) == {"learning_rate"}
    assert page.app.query_params["passed"] == "first-network"
    page.click("reset")
    assert page.session.lesson == "learning-rate"
    page.click("leave_lesson")
    assert "dataset" in page.widgets()
    assert "lesson" not in page.app.query_params


@pytest.mark.slow
def test_odd_lessons_in_an_address_are_named(open_page):
    assert "nobody" in open_page(lesson="nobody").sentences()[0]
    assert "99" in open_page(lesson="capacity", done="99").sentences()[0]


@pytest.mark.slow
def test_the_page_of_lessons_lists_them_begins_one_and_names_broken_files(open_page, folder):
    (folder / "broken.md").write_text("+++\ntitle = 1\n+++\n", encoding="utf-8")
    page = open_page(passed="capacity")
    page.turn_to("lessons.py")
    titles = " ".join(element.value for element in page.app.main.markdown)
    assert all(lesson.title in titles for lesson in all_lessons("en")[0])
    assert titles.count("check_circle") == 1
    assert any("broken.md, line 2" in test_pages.plain(sentence) for sentence in page.sentences())
    page.click("begin_batch-size")
    assert page.session.lesson == "batch-size"
