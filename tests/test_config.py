"""Config: a value that survives every way it is written down, and refuses what no run may hold."""

import copy
import dataclasses
import math
import pickle
import random

import pytest

from toytrain import Config, ToytrainError
from toytrain.config import FEATURES, FIELDS, SCHEDULES, limits
from toytrain.datasets import DATASETS


def draw(rng):
    """A Config of any values that go together."""
    values = {}
    for name, spec in FIELDS.items():
        bounds, kind = limits(name), type(spec.default)
        if kind is bool:
            values[name] = rng.random() < 0.5
        elif name == "features":
            values[name] = tuple(rng.sample(FEATURES, rng.randint(*bounds.count)))
        elif name == "hidden":
            values[name] = tuple(rng.randint(1, 64) for _ in range(rng.randint(*bounds.count)))
        elif bounds.choices:
            values[name] = rng.choice(bounds.choices)
        elif name == "rows":
            values[name] = ";".join(
                f"{rng.gauss(0, 10)!r},{rng.uniform(-1e6, 1e6)!r},{label}"
                for label in (0, 1, 2, *[1] * rng.randint(1, 9))
            )
        elif kind is int:
            values[name] = rng.randint(bounds.low, bounds.high)
        else:
            values[name] = rng.uniform(bounds.low, bounds.high)
    values["classes"] = rng.randint(*(DATASETS[values["dataset"]].classes or (2, 2)))
    values["batch_size"] += values["batch_size"] == 1
    return Config(**values)


RNG = random.Random(7)
CONFIGS = [Config(), *(draw(RNG) for _ in range(200))]


def refusal(**values):
    """The error with which these values are refused."""
    with pytest.raises(ToytrainError) as caught:
        Config(**values)
    return caught.value


# Writing down and reading back


@pytest.mark.parametrize(
    "round_trip",
    [
        lambda config: Config.from_dict(config.to_dict()),
        lambda config: Config.from_json(config.to_json()),
        lambda config: Config.from_query(config.to_query()),
        lambda config: Config.from_query("?" + config.to_query()),
        lambda config: Config.from_texts(config.to_texts()),
        lambda config: Config(**config.changes()),
        lambda config: pickle.loads(pickle.dumps(config)),
        copy.deepcopy,
    ],
    ids=["dict", "json", "query", "query with ?", "texts", "changes", "pickle", "copy"],
)
def test_a_config_survives_a_round_trip(round_trip):
    assert [round_trip(config) for config in CONFIGS] == CONFIGS


def test_a_query_has_no_character_that_an_address_cannot_hold():
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/?%^")
    assert set("".join(config.to_query() for config in CONFIGS)) <= allowed


def test_the_query_of_the_defaults_is_empty():
    assert Config().to_query() == ""


def test_a_query_names_only_what_differs_from_the_defaults():
    assert Config(seed=1, hidden=(4, 3)).to_query() == "hidden=4,3&seed=1"


def test_a_dict_of_some_settings_keeps_the_other_defaults():
    assert Config.from_dict({"seed": 7}) == Config(seed=7)


@pytest.mark.parametrize("word", ["true", "True", "1", "on", "yes"])
def test_a_query_switches_on_with_a_word(word):
    assert Config.from_query(f"drop_last={word}").drop_last is True


@pytest.mark.parametrize("word", ["false", "False", "0", "off", "no"])
def test_a_query_switches_off_with_a_word(word):
    assert Config.from_query(f"shuffle={word}").shuffle is False


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("points=many", "points"),
        ("points=", "points"),
        ("points=20.5", "points"),
        ("noise=0,1", "noise"),
        ("noise=nan", "noise"),
        ("learning_rate=inf", "learning_rate"),
        ("shuffle=perhaps", "shuffle"),
        ("hidden=", "hidden"),
        ("hidden=3,x", "hidden"),
        ("hidden=3,0", "hidden"),
        ("features=x1,x3", "features"),
        ("features=x1,x1", "features"),
        ("optimizer=SGD", "optimizer"),
        ("seed=" + "9" * 5000, "seed"),
    ],
)
def test_a_query_with_a_text_that_is_no_value_is_refused_by_name(query, field):
    with pytest.raises(ToytrainError, match=field) as caught:
        Config.from_query(query)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "read",
    [
        lambda: Config.from_dict({"colour": 1}),
        lambda: Config.from_json('{"colour": 1}'),
        lambda: Config.from_query("colour=1"),
        lambda: Config.from_texts({"colour": "1"}),
    ],
    ids=["dict", "json", "query", "texts"],
)
def test_an_unknown_setting_is_refused_by_name(read):
    with pytest.raises(ToytrainError, match="colour is not a setting") as caught:
        read()
    assert "learning_rate" in str(caught.value)
    assert caught.value.field == "colour"


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"seed"', "[" * 100_000, '{"seed": NaN}'])
def test_a_text_that_is_no_object_of_settings_is_refused(text):
    with pytest.raises(ToytrainError):
        Config.from_json(text)


# Refusing

NUMBERS = [name for name in FIELDS if limits(name).low is not None and limits(name).count is None]
WHOLE = [name for name in NUMBERS if isinstance(FIELDS[name].default, int)]
SWITCHES = [name for name in FIELDS if isinstance(FIELDS[name].default, bool)]
NAMES = [name for name in FIELDS if limits(name).choices and limits(name).count is None]
TEXTS = [name for name in FIELDS if limits(name).letters]
SERIES = [name for name in FIELDS if isinstance(FIELDS[name].default, tuple)]


def just_beyond(name, towards):
    """The first number beyond a limit."""
    limit = limits(name).low if towards < 0 else limits(name).high
    return limit + (-1 if towards < 0 else 1) if name in WHOLE else math.nextafter(limit, towards)


def test_every_field_is_of_one_kind_that_is_tried_below():
    assert sorted(NUMBERS + SWITCHES + NAMES + TEXTS + SERIES) == sorted(FIELDS)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_number_may_be_at_its_limit(name, end):
    limit = getattr(limits(name), end)
    assert getattr(Config(**{"dataset": "blobs", name: limit}), name) == limit


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("towards", [-math.inf, math.inf], ids=["below", "above"])
def test_a_number_beyond_its_limit_is_refused(name, towards):
    assert refusal(**{name: just_beyond(name, towards)}).field == name


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -1, 10**400, "12", "many", None, True, 1j, [1], (1,), b"1"]
)
def test_a_refused_number_is_named_with_its_value_and_the_permitted_range(name, value):
    error = refusal(**{name: value})
    assert error.field == name
    assert f"{name} = " in str(error)
    assert limits(name).describe() in str(error)
    shown = str(list(value) if isinstance(value, tuple) else value)
    assert f"{name} = {shown[:50]}" in str(error)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_is_refused_with_a_fraction(name):
    assert refusal(**{name: limits(name).low + 0.5}).field == name


def test_the_permitted_range_is_written_in_words():
    assert str(refusal(points=9)) == "points = 9 is not permitted; permitted is 10 to 5000."


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", [0, 1, "true", None, 0.5])
def test_a_switch_is_true_or_false(name, value):
    error = refusal(**{name: value})
    assert error.field == name
    assert f"{name} = {value} is not permitted; permitted is true or false." in str(error)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", "SGD", "book ", 1, None, True, ["book"]])
def test_a_name_is_one_of_those_known(name, value):
    error = refusal(**{name: value})
    assert error.field == name
    assert all(choice in str(error) for choice in limits(name).choices)


@pytest.mark.parametrize(
    "hidden", [(), (1,) * 7, (0,), (65,), (3, 2.5), (True,), ("3",), 3, "3", None, [[3]]]
)
def test_hidden_layers_are_one_to_six_whole_numbers(hidden):
    error = refusal(hidden=hidden)
    assert error.field == "hidden"
    assert "permitted is 1 to 6 values, each 1 to 64" in str(error)


@pytest.mark.parametrize("features", [(), ("x3",), ("x1", "x1"), "x1", ("x1", 2), None, [["x1"]]])
def test_features_are_known_names_each_at_most_once(features):
    assert refusal(features=features).field == "features"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"nesterov": True}, "nesterov"),
        ({"batch_norm": True, "batch_size": 1}, "batch_size"),
        ({"dataset": "moons", "classes": 3}, "classes"),
        ({"dataset": "book", "classes": 3}, "classes"),
        ({"dataset": "spirals", "classes": 6}, "classes"),
        ({"dataset": "plane", "classes": 3}, "classes"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(values, field):
    error = refusal(**values)
    assert error.field == field
    assert all(f"{name}" in str(error) for name in values)


def test_a_setting_that_a_choice_leaves_without_a_use_is_ignored():
    config = Config(optimizer="adam", nesterov=True)
    assert not config.uses("nesterov")


@pytest.mark.parametrize(
    ("values", "unused"),
    [
        ({"optimizer": "sgd"}, {"classes", "rows"}),
        ({"optimizer": "adam"}, {"classes", "rows", "momentum", "nesterov"}),
        ({"optimizer": "rmsprop", "dataset": "blobs"}, {"nesterov", "rows"}),
        ({"dataset": "plane"}, {"classes", "rows", "label_noise", "imbalance"}),
        (
            {"dataset": "book"},
            {"classes", "rows", "points", "noise", "data_seed", "test_fraction", "label_noise", "imbalance"},
        ),
        ({"dataset": "own"}, {"classes", "points", "noise"}),
    ],
)
def test_a_config_knows_which_settings_have_no_use(values, unused):
    of_schedules = {name for names in SCHEDULES.values() for name in names}
    assert {name for name in FIELDS if not Config(**values).uses(name)} == unused | of_schedules


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_has_settings_of_its_own(schedule):
    others = {name for other, names in SCHEDULES.items() for name in names if other != schedule}
    config = Config(dataset="blobs", schedule=schedule)
    assert {name for name in FIELDS if not config.uses(name)} == others | {"rows"}


def test_a_refused_value_of_any_length_is_quoted_briefly():
    assert len(str(refusal(optimizer="x" * 10_000))) < 200


# A value


def test_equal_configs_are_one_key():
    assert len({Config(hidden=(4,)), Config(hidden=[4]), Config(hidden=(4.0,))}) == 1


def test_minus_zero_is_zero():
    """NumPy refuses it as a standard deviation, and a file or an address may hold it."""
    assert str(Config(noise=-0.0).noise) == str(Config.from_query("noise=-0").noise) == "0.0"


def test_whole_numbers_given_as_floats_are_the_same_run():
    assert Config(points=100.0, noise=1) == Config(points=100, noise=1.0)
    assert isinstance(Config(points=100.0).points, int)
    assert isinstance(Config(noise=1).noise, float)


@pytest.mark.parametrize("name", ["seed", "data_seed", "learning_rate"])
def test_another_value_is_another_config(name):
    other = Config(**{name: 1})
    assert other != Config()
    assert other.changes() == {name: 1}


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().seed = 1


def test_a_replaced_field_is_checked_too():
    with pytest.raises(ToytrainError, match="points"):
        dataclasses.replace(Config(), points=1)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_says_what_it_does_in_a_sentence(name):
    assert limits(name).help.endswith(".")


def test_an_error_keeps_its_field_on_the_way_between_processes():
    error = pickle.loads(pickle.dumps(refusal(points=1)))
    assert (error.field, str(error)) == ("points", str(refusal(points=1)))
