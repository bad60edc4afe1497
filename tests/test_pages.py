"""The train page without a browser: Streamlit's AppTest over pages/main.py, with a real engine of one worker.

What a page looks like, the address bar and all that is drawn live is tested in test_browser.py.
"""

import random
import re
from dataclasses import replace

import pytest
from driven import Driven

from pages.parts import controls
from pages.parts.session import SPEEDS
from toytrain import Config, engine, make_data
from toytrain.config import FIELDS, GROUPS, OPTIMIZERS, SCHEDULES, limits
from toytrain.datasets import DATASETS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pool")]


class Page(Driven):
    """The train page in one visitor's session."""

    @property
    def config(self):
        return self.session.config

    def widgets(self):
        """Every widget of the sidebar by the Config field it stands for."""
        sidebar = self.app.sidebar
        kinds = (sidebar.number_input, sidebar.text_input, sidebar.selectbox, sidebar.checkbox)
        found = [widget for kind in (*kinds, sidebar.button_group) for widget in kind]
        return {re.fullmatch(r"field_(.*?)(_\d+)?", widget.key)[1]: widget for widget in found}

    def widgets_in_order(self):
        """The fields as they stand in the sidebar, from top to bottom."""
        found = []

        def look(block):
            for child in block.children.values():
                if hasattr(child, "children"):
                    look(child)
                elif match := re.fullmatch(r"field_(.*?)(_\d+)?", getattr(child, "key", None) or ""):
                    found.append(match[1])

        look(self.app.sidebar)
        return found

    def set(self, name, value):
        """Put a value into a field's widget, as the widget holds it."""
        self.widgets()[name].set_value(value)
        self.look()

    def click(self, key):
        self.app.button(key=key).click()
        self.look()

    def train(self):
        self.click("step_batch")

    def sentences(self):
        return [box.value for box in (*self.app.error, *self.app.warning, *self.app.info)]


@pytest.fixture
def open_page(own_runs):
    return Page


def plain(sentence):
    """A sentence as it is read, without the backslashes that keep Markdown away from it."""
    return re.sub(r"\\(.)", r"\1", sentence)


def as_widget_holds(value):
    if isinstance(value, tuple):
        return list(value) if isinstance(value[0], str) else ", ".join(map(str, value))
    return value


# Own points are drawn or uploaded on a page of their own.
WITH_WIDGETS = {name for name in FIELDS if limits(name).group in GROUPS}
# A value of each field that is permitted, trains, and is not the default.
OTHERS = {
    "dataset": "circles",
    "points": 300,
    "noise": 0.25,
    "classes": 3,
    "data_seed": 7,
    "test_fraction": 0.5,
    "label_noise": 0.3,
    "imbalance": 0.5,
    "features": ("x1", "x2", "x1*x2"),
    "hidden": (8, 8),
    "activation": "tanh",
    "dropout": 0.2,
    "batch_norm": True,
    "learning_rate": 0.03,
    "batch_size": 16,
    "optimizer": "adam",
    "momentum": 0.5,
    "nesterov": True,
    "weight_decay": 0.01,
    "l1": 0.001,
    "schedule": "cosine",
    "step_size": 2,
    "gamma": 0.5,
    "t_max": 7,
    "warmup_epochs": 3,
    "clip_norm": 0.5,
    "shuffle": False,
    "drop_last": True,
    "num_workers": 2,
    "seed": 5,
    "epochs": 3,
    "target_loss": 0.05,
    "target_accuracy": 0.98,
    "patience": 4,
}
# What must stand beside a field for it to be there, or for its other value to be permitted.
BESIDE = {
    "classes": {"dataset": "blobs"},
    "nesterov": {"momentum": "0.9"},
    **{name: {"schedule": schedule} for schedule, names in SCHEDULES.items() for name in names},
}


def test_the_other_values_of_these_tests_are_of_every_field_with_a_widget_but_the_device():
    assert set(OTHERS) == WITH_WIDGETS - {"device"}
    assert all(getattr(Config(), name) != value for name, value in OTHERS.items())


# Every field is there


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dataset", ["moons", "blobs", "book", "gaussians"])
def test_every_field_has_a_widget_unless_it_means_nothing_beside_the_others(open_page, dataset, optimizer):
    page = open_page(dataset=dataset, optimizer=optimizer)
    assert set(page.widgets()) == {name for name in WITH_WIDGETS if page.config.uses(name)}


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_field_is_hidden_only_where_it_changes_no_data(dataset):
    config = Config(dataset=dataset, points=50)

    def numbers(config):
        data = make_data(config)
        return [data.train_points.tolist(), data.train.labels.tolist(), data.test_points.tolist()]

    for name in ("points", "noise", "data_seed", "test_fraction", "label_noise", "imbalance"):
        changed = replace(config, **{name: OTHERS[name]})
        assert (numbers(changed) != numbers(config)) == config.uses(name)


def test_every_widget_has_a_name_and_says_what_it_does_what_is_permitted_and_where_the_book_has_it(open_page):
    widgets = {}
    for schedule in SCHEDULES:
        widgets |= open_page(dataset="blobs", schedule=schedule).widgets()
    assert set(widgets) == WITH_WIDGETS
    assert len({widget.label for widget in widgets.values()}) == len(WITH_WIDGETS)
    for name, widget in widgets.items():
        bounds = limits(name)
        assert widget.label
        assert widget.help.startswith(bounds.help)
        if isinstance(FIELDS[name].default, int | float) and not isinstance(FIELDS[name].default, bool):
            assert bounds.describe() in widget.help
        if bounds.book:
            assert f"section {bounds.book}" in widget.help
        if bounds.choices:
            assert list(widget.options) == list(bounds.choices)


def test_the_widgets_stand_in_the_group_of_their_field(open_page):
    page = open_page(dataset="blobs")
    titles = [text.value for text in page.app.sidebar.markdown]
    assert titles == [f"**{title}**" for title in controls.titles().values()]
    groups = [limits(name).group for name in page.widgets_in_order()]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert groups == sorted(groups, key=GROUPS.index)


# Changes


@pytest.mark.parametrize("name", OTHERS)
def test_a_change_before_training_makes_a_new_run_with_that_config(open_page, pool, name):
    page = open_page(**BESIDE.get(name, {}))
    before, expected = page.run, replace(page.config, **{name: OTHERS[name]})
    page.set(name, as_widget_holds(OTHERS[name]))
    assert page.config == page.run.config == expected
    assert page.run is not before
    assert pool.get(before.id) is None  # nobody looks at it any more
    assert page.run.wait_until_open(5)
    assert page.sentences() == []
    page.train()
    assert page.run.steps == 1


@pytest.mark.parametrize("name", OTHERS)
def test_a_change_after_training_waits_for_reset_and_leaves_the_run_alone(open_page, name):
    page = open_page(**BESIDE.get(name, {}))
    page.train()
    run, config, losses = page.run, page.config, page.run.losses
    expected = replace(config, **{name: OTHERS[name]})
    page.set(name, as_widget_holds(OTHERS[name]))
    assert page.config == expected
    assert page.run is run
    assert (run.config, run.losses) == (config, losses)
    if name == "learning_rate":
        assert run.learning_rates == {1: OTHERS[name]}
        assert page.sentences() == []
    else:
        (notice,) = page.sentences()
        assert f"{name} = {as_widget_holds(OTHERS[name])}" in plain(notice)
    page.click("reset")
    assert page.run is not run
    assert page.run.config == expected
    assert page.sentences() == []


def test_a_pending_change_that_is_taken_back_is_no_longer_pending(open_page):
    page = open_page()
    page.train()
    page.set("batch_size", 64)
    assert len(page.sentences()) == 1
    page.set("batch_size", 32)
    assert page.sentences() == []


def test_new_seed_counts_on_and_its_widget_shows_it(open_page):
    page = open_page(seed=str(2**32 - 1))
    for seed in (0, 1):
        page.click("new_seed")
        assert page.config.seed == page.run.config.seed == page.widgets()["seed"].value == seed


def test_another_dataset_takes_the_nearest_number_of_classes_it_can_have(open_page):
    page = open_page(dataset="blobs", classes="9")
    page.set("dataset", "spirals")
    assert page.config.classes == page.widgets()["classes"].value == 5
    page.set("dataset", "moons")
    assert page.config.classes == 2
    page.set("dataset", "gaussians")
    assert page.config.task == "regression"
    page.set("dataset", "imbalanced")
    assert page.config.classes == page.widgets()["classes"].value == 2


def test_every_speed_reaches_the_run(open_page):
    page = open_page()
    for speed in SPEEDS:
        page.app.selectbox(key="speed").set_value(speed)
        page.look()
        assert page.run.speed == speed
    page.click("reset")
    assert page.run.speed == SPEEDS[-1]


# Refusals


NUMBERS = [name for name in FIELDS if limits(name).low is not None and limits(name).count is None]


def out_of_range(name):
    """A value below and one above what is permitted, of the widget's own type."""
    bounds, kind = limits(name), type(FIELDS[name].default)
    return [kind(bounds.low - 1), kind(bounds.high + 1)]


@pytest.mark.parametrize("trained", [False, True], ids=["before training", "after training"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_value_out_of_range_is_refused_at_its_control_and_changes_nothing(open_page, name, trained):
    page = open_page(**BESIDE.get(name, {}))
    if trained:
        page.train()
    run, config, losses = page.run, page.config, page.run.losses
    for value in out_of_range(name):
        page.set(name, value)
        (sentence,) = page.sentences()
        assert sentence == page.app.sidebar.error[0].value
        shown = f"{value:g}" if isinstance(value, float) else value
        assert plain(sentence).startswith(f"{name} = {shown} is not permitted")
        assert f"permitted is {limits(name).describe()}" in plain(sentence)
        assert plain(sentence).endswith(f"In use: {getattr(config, name)}.")
        assert page.run is run
        assert (page.config, run.losses) == (config, losses)
    page.set(name, getattr(config, name))
    assert page.sentences() == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("hidden", "a", "hidden = a is not a whole number"),
        ("hidden", "", "hidden"),
        ("hidden", "1 2 3 4 5 6 7", "1 to 6 values"),
        ("hidden", "65", "each 1 to 64"),
        ("hidden", "<b>*_[x](y)", "is not a whole number"),
        ("features", [], "features"),
        ("learning_rate", 0.0, "learning_rate = 0"),
        ("learning_rate", 1e9, "learning_rate = 1"),
        ("nesterov", True, "nesterov = True needs momentum"),
        ("device", "cuda", "device = cuda is not there"),
        ("device", "mps", "device = mps is not there"),
        ("test_fraction", 0.0, "test_fraction = 0"),
        ("classes", 1, "classes = 1"),
    ],
)
def test_one_sentence_says_what_is_wrong_and_the_old_value_stays(open_page, name, value, says):
    import torch

    if name == "device" and getattr(torch, "cuda" if value == "cuda" else "mps").is_available():
        pytest.skip("this machine has the device that the test needs to be missing")
    page = open_page(**({"dataset": "blobs"} if name == "classes" else {}))
    for _ in ("before training", "after training"):
        run, config, losses = page.run, page.config, page.run.losses
        page.set(name, value)
        (sentence,) = page.sentences()
        assert says in plain(sentence)
        assert "\n" not in sentence
        assert (page.run, page.config, run.losses) == (run, config, losses)
        page.set(name, as_widget_holds(getattr(config, name)))
        assert page.sentences() == []
        page.train()
    assert page.run.steps == 2


@pytest.mark.parametrize(
    ("query", "name", "value", "says", "other", "mended"),
    [
        ({"drop_last": "true"}, "batch_size", 600, "no complete batch", "drop_last", False),
        ({"batch_size": "600"}, "drop_last", True, "no complete batch", "batch_size", 32),
        ({"points": "127", "batch_size": "25"}, "batch_norm", True, "batch_norm", "batch_size", 26),
        ({"points": "127", "batch_norm": "true"}, "batch_size", 25, "batch_norm", "points", 130),
    ],
)
@pytest.mark.parametrize("trained", [False, True], ids=["before training", "after training"])
def test_what_does_not_fit_the_data_is_refused_until_something_else_makes_it_fit(
    open_page, trained, query, name, value, says, other, mended
):
    page = open_page(**query)
    if trained:
        page.train()
    run, config = page.run, page.config
    page.set(name, value)
    (sentence,) = page.sentences()
    assert says in plain(sentence)
    assert (page.run, page.config) == (run, config)
    page.set(other, mended)
    assert page.config == replace(config, **{name: value, other: mended})
    assert not page.app.error
    page.click("reset")
    page.train()
    assert page.sentences() == []


# Addresses


@pytest.mark.parametrize("name", OTHERS)
def test_an_address_sets_every_field_and_its_widget(open_page, name):
    beside = BESIDE.get(name, {})
    expected = Config.from_texts(
        {**beside, **replace(Config.from_texts(beside), **{name: OTHERS[name]}).to_texts()}
    )
    page = open_page(**expected.to_texts())
    assert page.config == page.run.config == expected
    assert page.widgets()[name].value == as_widget_holds(OTHERS[name])
    assert page.sentences() == []


def test_the_address_holds_the_settings_and_the_run(open_page):
    page = open_page()
    page.set("hidden", "8 8")
    page.set("dropout", 0.5)
    address = {name: page.app.query_params[name] for name in page.app.query_params}
    assert {name: text[0] if isinstance(text, list) else text for name, text in address.items()} == {
        "hidden": "8,8",
        "dropout": "0.5",
        "run": page.run.id,
    }


def test_a_new_session_at_the_address_finds_the_run_and_what_is_pending(open_page):
    page = open_page(noise="0.3")
    page.train()
    page.set("hidden", "8 8")
    page.set("learning_rate", 0.5)
    again = open_page(run=page.run.id, **page.config.to_texts())
    assert again.run is page.run
    assert again.config == page.config
    assert len(again.sentences()) == 1
    other = open_page(**page.config.to_texts())
    assert other.run is not page.run
    assert other.run.config == page.config


def test_a_refused_value_of_an_address_is_named_and_the_others_count(open_page):
    page = open_page(points="x", noise="0.3", colour="blue", speed="-5", hidden="0", activation="tanh")
    (box,) = page.sentences()
    said = plain(box)
    for part in ("points = x", "colour", "speed = -5", "hidden = "):
        assert part in said
    assert page.config == Config(noise=0.3, activation="tanh")


def test_an_address_that_asks_for_what_the_data_refuse_says_so(open_page):
    page = open_page(drop_last="true", batch_size="600", noise="0.3")
    assert "no complete batch" in plain(page.sentences()[0])
    assert page.config.noise == 0.3  # only what was refused is left out
    page.train()
    assert page.run.steps == 1


def test_html_and_markdown_of_an_address_are_shown_as_they_are(open_page):
    page = open_page(points="<img src=x onerror=alert(1)> **b** [a](http://x) $x$ :red[y]")
    (box,) = page.sentences()
    assert "<img src=x onerror=alert(1)> **b** [a](http://x) $x$ :red[y]"[:57] in plain(box)
    quoted = box[box.index("points") :]
    for sign in "<*[$":
        assert re.search(rf"(?<!\\)\{sign}", quoted) is None


# A pupil who clicks everything


@pytest.mark.parametrize("seed", range(4))
def test_a_pupil_who_clicks_and_changes_everything_never_meets_an_error_of_the_program(open_page, seed):
    rng = random.Random(seed)
    page = open_page(speed="0")
    for _ in range(25):
        # Without its settings a page leaves nothing to change.
        buttons = [b.key for b in page.app.button if not b.disabled and b.key != "hide_settings"]
        if rng.random() < 0.4:
            page.click(rng.choice(buttons))
            continue
        name, widget = rng.choice(list(page.widgets().items()))
        bounds, default = limits(name), FIELDS[name].default
        if name == "features":
            value = rng.sample(bounds.choices, rng.randint(0, 7))
        elif name == "hidden":
            value = rng.choice(["4", "8 8", "64, 64, 64, 64, 64, 64", "", "a", "-1", "1e3", "30;20"])
        elif bounds.choices:
            value = rng.choice(bounds.choices)
        elif isinstance(default, bool):
            value = not widget.value
        else:
            numbers = (
                bounds.low,
                bounds.high,
                bounds.low - 1,
                bounds.high * 10,
                default,
                rng.randint(0, 100),
            )
            value = type(default)(rng.choice(numbers))
        page.set(name, value)
        # What the page says of itself holds: the run is a Config that can train, and is the engine's.
        assert engine.pool().get(page.run.id) is page.run
        assert Config.from_dict(page.config.to_dict()) == page.config
        assert page.run.status not in ("failed", "closed")
    page.click("reset")
    if not page.app.error:
        page.train()
        assert page.run.steps == 1 or page.run.status == "diverged"
