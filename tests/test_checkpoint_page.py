"""The checkpoint page without a browser: what a file does to a visitor's run, which is nothing until they
go on from it. Streamlit's AppTest over pages/main.py, with a real engine of one worker."""

import hashlib
import io
import math
import re
import tempfile
from dataclasses import replace
from itertools import pairwise

import corpus
import pytest
import torch
from browser import wait_until
from corpus import ACCEPTED
from driven import Driven
from streamlit.runtime.memory_media_file_storage import _calculate_file_id

from toytrain import Config, ToytrainError, Trainer, checkpoint, engine

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pool")]

GO_ON = "Go on from this file"
WITHOUT_LOSSES = "full: the engine's, without history"
HONEST = corpus.honest()
HOSTILE = corpus.hostile(f"{tempfile.gettempdir()}/toytrain-page-canary")


class Page(Driven):
    """The checkpoint page of a visitor who has trained some batches of a run of this address."""

    def __init__(self, steps=3, **query):
        super().__init__(**query)
        for _ in range(steps):
            self.click("Step batch")
        self.turn_to("checkpoint.py")

    def upload(self, data):
        self.app.file_uploader[0].set_value(("file.pth", data, "application/octet-stream"))
        self.look()

    def go_on(self, data):
        """Upload the file, go on from it, and look at the train page."""
        self.upload(data)
        self.click(GO_ON)
        self.turn_to("train.py")  # where the page has led to; AppTest alone would go back

    @property
    def offers_to_go_on(self):
        return any(button.label == GO_ON for button in self.app.button)

    def digest(self):
        """A hash of the visitor's session and of their run: weights, optimizer, losses, random state."""
        session = self.session
        seen = (session.config, session.run.id, session.speed, session.refused, session.notices)
        content = [repr(seen).encode(), session.run.checkpoint(), repr(session.run.losses).encode()]
        return hashlib.blake2b(b"".join(content)).hexdigest()


@pytest.fixture
def open_page(own_runs):
    return Page


def refusal(data):
    with pytest.raises(ToytrainError) as caught:
        checkpoint.load(data)
    return str(caught.value)


def saved(module):
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    return buffer.getvalue()


def network(*sizes):
    torch.manual_seed(7)
    layers = [layer for pair in pairwise(sizes) for layer in (torch.nn.Linear(*pair), torch.nn.ReLU())]
    return torch.nn.Sequential(*layers[:-1])


# Refused


def test_no_hostile_file_changes_the_session_or_the_run(open_page):
    page = open_page(dropout="0.3", optimizer="adam", learning_rate="0.01")
    before = page.digest()
    for case in HOSTILE:
        page.upload(case.data)
        assert page.sentences() == [refusal(case.data)], case.name
        assert not page.offers_to_go_on, case.name
        assert page.digest() == before, case.name


def test_a_file_whose_run_is_not_made_in_time_leaves_the_run_in_place(open_page, monkeypatch):
    page = open_page()
    before = page.digest()
    page.upload(saved(network(2, 8, 2)))
    monkeypatch.setattr(engine.Run, "wait_until_open", lambda *_: False)
    page.click(GO_ON)
    assert any("does not answer" in sentence for sentence in page.sentences())
    assert page.digest() == before


def test_a_run_whose_statistics_overflowed_can_be_left_and_come_back_to(open_page):
    page = open_page(steps=0, batch_norm="true", drop_last="true", learning_rate="100", hidden="8,8")
    while all(math.isfinite(tensor["greatest"]) for tensor in page.run.tensors()):
        page.run.step_batch()
        assert page.run.status != "diverged"
    page.upload(saved(network(2, 8, 2)))
    assert page.offers_to_go_on
    at = page.run.steps
    page.go_on(page.run.checkpoint())
    assert page.run.steps == at


def test_a_file_that_the_settings_cannot_train_is_refused_where_it_was_uploaded(open_page):
    page = open_page(batch_size="1")
    before = page.digest()
    normed = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(),
                                 torch.nn.Linear(4, 2))  # fmt: skip
    page.upload(saved(normed))
    assert any("batch_norm" in sentence for sentence in page.sentences())
    assert page.digest() == before


# Accepted


@pytest.mark.parametrize(
    "case", [case for case in HONEST if case.name != WITHOUT_LOSSES], ids=lambda case: case.name
)
def test_an_honest_file_becomes_the_run_and_trains(open_page, case):
    page = open_page(steps=1)
    old = page.run
    found = checkpoint.load(case.data)
    page.go_on(case.data)
    assert page.run is not old
    assert page.run.steps == found.steps
    started_from = checkpoint.load(page.run.checkpoint()).weights.values()
    for here, there in zip(started_from, found.weights.values(), strict=True):
        assert torch.equal(here, there)
    page.run.step_batch()
    assert page.run.steps == found.steps + (page.run.status not in ("finished", "diverged"))
    assert case.expected == ACCEPTED


def test_a_checkpoint_without_its_losses_leaves_the_run_in_place(open_page):
    page = open_page()
    before = page.digest()
    page.upload(next(case.data for case in HONEST if case.name == WITHOUT_LOSSES))
    page.click(GO_ON)
    assert any("without its losses" in sentence for sentence in page.sentences())
    assert page.digest() == before


def test_looking_at_a_file_changes_nothing(open_page):
    page = open_page()
    before = page.digest()
    page.upload(saved(network(2, 8, 3)))
    assert page.offers_to_go_on
    assert page.digest() == before


def test_a_full_checkpoint_goes_on_bit_for_bit_where_it_was(open_page):
    config = Config(dropout=0.2, optimizer="adam", learning_rate=0.01, dataset="spirals", classes=3)
    trainer = Trainer.from_config(config)
    page = open_page(steps=0)
    page.go_on(checkpoint.save(trainer.advance(steps=20)))
    assert page.session.config == config
    for _ in range(5):
        page.run.step_batch()
    trainer.advance(steps=5)
    assert page.run.losses == trainer.losses.tolist()
    assert checkpoint.load(page.run.checkpoint()).steps == 25


def test_a_run_from_bare_weights_is_the_script_that_loads_them(open_page, forked, tmp_path):
    page = open_page(dataset="spirals", classes="3", batch_size="16", dropout="0.2")
    page.go_on(saved(network(2, 8, 6, 3)))
    assert page.session.config == Config(
        dataset="spirals", classes=3, batch_size=16, dropout=0.2, hidden=(8, 6)
    )
    for _ in range(30):
        page.run.step_batch()
    (tmp_path / "initial.pth").write_bytes(page.run.initial_model())
    output = forked(page.run.script(), cwd=tmp_path)
    assert f"losses = {page.run.losses}" in output


def test_what_a_state_dict_does_not_hold_is_asked_for(open_page):
    page = open_page(steps=0, activation="tanh", dataset="circles", features="x1,x1^2")
    page.upload(saved(network(2, 8, 2)))
    shown = {box.label: box.value for box in page.app.selectbox if box.label != "Language"}
    assert shown == {"dataset": "circles", "activation": "tanh", "optimizer": "sgd"}
    page.choose("activation", "gelu")
    page.choose("optimizer", "adam")
    page.click(GO_ON)
    assert page.session.config == Config(
        dataset="circles", activation="gelu", optimizer="adam", features=("x1", "x1^2"), hidden=(8,)
    )


def test_as_many_features_are_asked_for_as_the_network_has_inputs(open_page):
    page = open_page(steps=0)
    page.upload(saved(network(3, 8, 2)))
    page.app.button_group[0].set_value(["x1", "x2"]).run()
    assert any("3 inputs" in sentence for sentence in page.sentences())
    assert not page.offers_to_go_on
    page.app.button_group[0].set_value(["x1", "x2", "sin(x1)"]).run()
    page.click(GO_ON)
    assert page.run.config.features == ("x1", "x2", "sin(x1)")


def test_the_first_layer_that_differs_is_named(open_page):
    page = open_page(steps=0)
    page.upload(saved(network(2, 30, 8, 2)))
    (sentence,) = page.sentences()
    assert "hidden 2, Linear weight: 8 × 30 in the file, 20 × 30 here" in sentence
    table = page.app.dataframe[0].value
    assert list(table["in the file"]) == [f"{n}.{part}" for n in (0, 2, 4) for part in ("weight", "bias")]
    assert list(table["fits"]) == ["yes", "yes", "no", "no", "no", "yes"]


def test_a_device_that_this_machine_has_not_becomes_the_cpu_and_the_page_says_so(open_page):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device that the test needs to be missing")
    page = open_page(steps=0)
    snapshot = Trainer.from_config(Config(seed=5)).advance(steps=7)
    page.go_on(checkpoint.save(replace(snapshot, config=Config(seed=5, device="cuda"))))
    assert page.run.config == Config(seed=5)
    assert page.run.steps == 7
    assert any("goes on on the CPU" in sentence for sentence in page.sentences())


# Afterwards


def test_settings_of_a_run_from_a_file_wait_for_reset_which_keeps_its_weights(open_page):
    page = open_page(steps=0)
    data = saved(network(2, 8, 2))
    page.go_on(data)
    before = page.run
    page.app.number_input(key=page.session.key("batch_size")).set_value(16).run()
    assert page.run is before
    page.click("Reset")
    assert page.run.config.batch_size == 16
    assert torch.equal(checkpoint.load(page.run.model()).weights["layers.0.weight"],
                       checkpoint.load(data).weights["layers.0.weight"])  # fmt: skip
    page.app.text_input(key=page.session.key("hidden")).set_value("9").run()
    page.click("Reset")
    assert page.run.config.hidden == (9,)
    assert any("the seed drew new ones" in sentence for sentence in page.sentences())


def test_a_run_from_a_file_is_that_also_after_its_worker_has_died(open_page, pool):
    page = open_page(steps=0)
    data = saved(network(2, 8, 2))
    page.go_on(data)
    pool.workers[0]._process.kill()
    wait_until(lambda: not pool.warm, 10, "the death is noticed")
    wait_until(lambda: pool.warm, 60, "another worker is warm")
    assert torch.equal(checkpoint.load(page.run.model()).weights["layers.0.weight"],
                       checkpoint.load(data).weights["layers.0.weight"])  # fmt: skip
    assert page.run.has_initial_weights


# Downloads


def test_large_checkpoints_of_two_runs_never_share_a_download(open_page):
    """Streamlit takes files above 1 MiB for one and the same if length, name and samples are equal."""
    data = checkpoint.save(Trainer.from_config(Config()).snapshot()) + bytes(2 * 2**20)
    pages = [open_page(steps=0), open_page(steps=0)]
    names = [re.search(r"checkpoint-\w+\.pth", page.app.code[1].value)[0] for page in pages]
    ids = {_calculate_file_id(data, "application/octet-stream", name) for name in names}
    assert len(ids) == 2
