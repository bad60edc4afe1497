"""The distributed page without a browser: Streamlit's AppTest over pages/main.py, with replays in place of
processes. The real ranks are in test_browser.py, their figures in test_distributed.py."""

import re

import pytest
from browser import wait_until
from driven import Driven

from toytrain import Config

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pool")]


class Page(Driven):
    timeout = 60

    def __init__(self, **query):
        super().__init__(**query)
        self.turn_to("distributed.py")

    @property
    def run(self):
        return self.session.ranks

    def button(self, label):
        return next(button for button in self.app.button if button.label == label)

    def click(self, label):
        self.button(label).click()
        self.look()

    def start(self):
        self.click("Start ranks")
        wait_until(lambda: self.run.status not in ("queued", "starting"), 60, "the ranks are up")
        self.look()

    def switch(self, name, value):
        widgets = (*self.app.toggle, *self.app.radio, *self.app.number_input)
        next(widget for widget in widgets if widget.key == f"ranks_{name}").set_value(value)
        self.look()

    def shard(self, rank):
        """The rows of a rank's cards as they stand on the page, the dropped ones with a minus."""
        html = [block.value for block in self.app.get("html") if 'class="shard"' in block.value][rank]
        rows = []
        for kind, line in re.findall(r'<div class="shard-row ([a-z]*)">(.*?)</div>', html):
            for card in re.findall(r'class="shard-card"[^>]*>([^<]*)<', line):
                rows.append(("-" if kind == "dropped" else "") + card)
        return rows

    def figures(self):
        found = (re.fullmatch(r"(.*?)  \n`(.*)`", text.value) for text in self.app.markdown)
        return dict(match.groups() for match in found if match)


@pytest.fixture
def page():
    return Page()


def test_the_shards_of_the_book_stand_on_the_page_before_anything_runs(page):
    assert [page.shard(rank) for rank in range(2)] == [["4", "1", "-2"], ["0", "3", "-4*"]]
    page.app.button_group[0].set_value(1)
    page.look()
    assert [page.shard(rank) for rank in range(2)] == [["0", "2", "-1"], ["4", "3", "-0*"]]
    page.switch("world_size", 1)
    assert page.shard(0) == ["0", "4", "2", "3", "-1"]


def test_shards_without_set_epoch_are_those_of_the_first_epoch(page):
    page.switch("set_epoch", False)
    page.app.button_group[0].set_value(2)
    page.look()
    assert page.shard(0) == ["4", "1", "-2"]
    assert any("same shards" in sentence for sentence in page.sentences())


def test_a_replay_shows_the_figures_of_the_book_step_by_step(page):
    page.start()
    losses = {0: [], 1: []}
    for _ in range(3):
        page.click("Step batch")
        titles = [text.value for text in page.app.markdown if "**Rank" in text.value and "loss" in text.value]
        for rank, title in enumerate(titles):
            assert "weights equal" in title
            losses[rank].append(float(re.search(r"`(.*?)`", title)[1]))
    assert losses == {0: [0.663780, 0.227321, 0.134252], 1: [0.668005, 0.445244, 0.105021]}
    assert page.figures()["train/test score per rank"] == "1.00/1.00  1.00/1.00"
    assert page.figures()["ranks differ by"] == "0"
    assert 0 <= float(page.figures()["one process differs by"]) < 1e-5
    wait_until(lambda: page.run.status == "finished", 10, "the run notices that its epochs are done")


def test_without_ddp_the_replicas_drift_apart_while_the_accuracy_stays_one(page):
    page.switch("wrapped", False)
    assert any("drift apart" in sentence for sentence in page.sentences())
    page.start()
    page.click("Step epoch")
    page.click("Step epoch")
    wait_until(lambda: page.run.view().epoch == 2, 10, "the epochs are trained")
    page.look()
    assert float(page.figures()["ranks differ by"]) > 0.01
    assert page.figures()["train/test score per rank"] == "1.00/1.00  1.00/1.00"
    assert any("weights differ" in text.value for text in page.app.markdown)


def test_more_ranks_than_batches_are_refused_before_anything_starts(page):
    page.switch("world_size", 8)
    assert any("no rank has a full batch" in sentence for sentence in page.sentences())
    assert page.button("Start ranks").disabled
    page.switch("world_size", 2)
    assert not page.button("Start ranks").disabled


def test_shuffle_beside_the_sampler_is_refused_in_a_sentence(page):
    page.switch("loader_shuffle", True)
    page.start()
    assert page.run.status == "failed"
    assert page.run.view().message in page.sentences()


def test_unseeded_ranks_have_other_losses_when_they_are_started_again(page):
    page.switch("seeded", False)
    page.start()
    page.click("Step batch")
    page.start()
    page.click("Step batch")
    table = page.app.dataframe[0].value
    assert table["rank 0"][0] != table["rank 0, run before"][0]


def test_the_settings_of_the_train_page_are_trained_by_ranks_too():
    page = Page(dataset="spirals", classes="3", hidden="8,8", optimizer="adam", learning_rate="0.01")
    page.switch("mine", True)
    page.start()
    page.click("Step epoch")
    assert page.run.config == Config(
        dataset="spirals", classes=3, hidden=(8, 8), optimizer="adam", learning_rate=0.01
    )
    wait_until(lambda: page.run.view().epoch == 1, 10, "the epoch is trained")
    page.look()
    assert float(page.figures()["one process differs by"]) < 1e-4


def test_other_settings_wait_for_the_next_start(page):
    page.start()
    before = page.run
    page.switch("world_size", 3)
    assert page.run is before
    assert any("this one keeps its own" in sentence for sentence in page.sentences())
    page.start()
    assert page.run.ranks.world_size == 3


def test_a_reload_finds_the_run_and_its_settings(page):
    page.switch("world_size", 3)
    page.switch("wrapped", False)
    page.start()
    page.click("Step batch")
    again = Page(ranks=page.run.id)
    assert again.run is page.run
    shown = {widget.key: widget.value for widget in (*again.app.toggle, *again.app.number_input)}
    assert (shown["ranks_world_size"], shown["ranks_wrapped"]) == (3, False)


def test_a_run_that_is_gone_is_named():
    page = Page(ranks="0" * 32)
    assert page.run is None
    assert any("has ended" in sentence for sentence in page.sentences())
