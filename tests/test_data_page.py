"""The data page without a browser: what a file, the table and the plane do to a visitor's run, which is
nothing until they say so; and which rows the batches of an epoch hold."""

import re
from dataclasses import replace

import pytest
import torch
from driven import Driven

from pages.parts.live import data_views
from pages.parts.own_points import Draft, as_csv, shuffled_apart
from toytrain import Config, ToytrainError, Trainer
from toytrain.datasets import DATASETS
from toytrain.rows import EXAMPLE, read_rows, write_rows
from toytrain.table import MAX_BYTES, guess, read_table, take

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pool")]

XOR = ((1, 1, 0), (-1, -1, 0), (0.9, 1.1, 0), (1, -1, 1), (-1, 1, 1), (-0.9, 1.1, 1))
CSV = b"x1,x2,label\n1,1,a\n-1,-1,a\n0.9,1.1,a\n1,-1,b\n-1,1,b\n-0.9,1.1,b\n"
USE = "Use these points"
MANY = tuple((number / 7, -number / 3, number % 3) for number in range(700))


class Page(Driven):
    """The data page of a visitor who has trained so many batches of a run of this address."""

    def __init__(self, view="datasets", steps=0, **query):
        super().__init__(**query)
        for _ in range(steps):
            self.click("Step batch")
        self.turn_to("data.py")
        if view != "datasets":
            self.see(view)

    def see(self, view):
        next(group for group in self.app.button_group if group.key == "data_view").set_value(view)
        self.look()

    def upload(self, data, name="file.csv"):
        self.app.file_uploader[0].set_value((name, data, "text/csv"))
        self.look()

    def has(self, label):
        return any(button.label.startswith(label) and not button.disabled for button in self.app.button)

    def put(self, points):
        self.session.draft.put(tuple(points))
        self.look()

    def errors(self):
        return [re.sub(r"\\(.)", r"\1", box.value) for box in (*self.app.error, *self.app.warning)]

    def captions(self):
        return " ".join(re.sub(r"\\(.)", r"\1", box.value) for box in self.app.caption)


@pytest.fixture
def open_page(own_runs):
    return Page


# Datasets


def test_every_dataset_has_a_preview_under_the_present_settings(pool):
    config = Config(points=60, label_noise=0.5, classes=4, dataset="blobs")
    previews = {preview["name"]: preview for preview in pool.previews(config, 20)}
    assert list(previews) == list(DATASETS)
    assert all("refusal" not in preview for preview in previews.values())
    assert previews["spirals"]["classes"] == 4
    assert previews["moons"]["classes"] == 2


def test_a_dataset_that_the_settings_rule_out_says_so_in_its_preview(pool):
    previews = pool.previews(Config(points=10, test_fraction=0.05), 20)
    assert (
        "leaves no test point"
        in next(preview for preview in previews if preview["name"] == "moons")["refusal"]
    )


def test_the_page_tells_how_many_labels_were_changed(open_page):
    page = open_page(points="100", label_noise="0.25")
    assert "20 of 80 training labels are changed" in page.captions()


@pytest.mark.parametrize("name", ["moons", "own", "plane"])
def test_a_download_holds_the_points_bit_for_bit_and_an_upload_takes_them_back(pool, name):
    config = Config(dataset=name, points=100)
    data = Trainer.from_config(config).data
    lines = as_csv(pool.points(config, 20)).decode().splitlines()
    assert lines[0].split(",")[2:] == ["target" if name == "plane" else "label", "part"]
    numbers = torch.tensor([[float(cell) for cell in line.split(",")[:2]] for line in lines[1:]])
    assert torch.equal(numbers, torch.cat([data.train_points, data.test_points]))
    if name != "plane":
        table = read_table("\n".join(lines).encode())
        taken = take(table, guess(table))
        assert [label for *_, label in taken.points] == torch.cat(
            [data.train.labels, data.test.labels]
        ).tolist()


# Own points


def test_nothing_is_taken_before_somebody_says_so(open_page):
    page = open_page("own")
    run, config = page.run, page.session.config
    page.put(XOR)
    page.upload(CSV)
    assert page.run is run
    assert page.session.config == config


def test_the_points_become_the_data_of_the_run(open_page):
    page = open_page("own", test_fraction="0.4")
    page.put(XOR)
    page.click(USE)
    assert page.run.config == Config(dataset="own", rows=write_rows(XOR), test_fraction=0.4)
    assert page.session.pending == {}
    assert page.app.query_params["rows"] == write_rows(XOR)


def test_a_run_that_has_trained_goes_on_until_reset(open_page):
    page = open_page("own", steps=2, test_fraction="0.4")
    run = page.run
    page.put(XOR)
    page.click(USE)
    assert page.run is run
    assert page.session.pending == {"dataset": "own", "rows": "6 points"}
    page.click("Reset")
    assert page.run is not run
    assert read_rows(page.run.config.rows) == XOR


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([(0, 0, 0)] * 6, "All points have the same class"),
        ([(0, 0, 0), (1, 1, 0), (0, 0, 1), (1, 1, 1)], "leaves no test point"),
    ],
)
def test_points_of_which_no_run_can_be_made_are_refused_where_they_are_and_stay(open_page, points, says):
    page = open_page("own")
    run = page.run
    page.put(points)
    page.click(USE)
    (sentence,) = page.errors()
    assert says in sentence
    assert page.run is run
    assert page.session.draft.points == tuple(points)


def test_classes_with_gaps_are_numbered_anew_on_the_plane_too(open_page):
    page = open_page("own", test_fraction="0.4")
    page.put((x1, x2, 3 * label) for x1, x2, label in XOR)
    page.click(USE)
    assert page.session.draft.points == XOR
    assert page.run.config.classes == 2


def test_the_plane_begins_with_the_points_of_the_run_and_keeps_others(open_page):
    page = open_page("own", dataset="own")
    assert page.session.draft.points == read_rows(EXAMPLE)
    page.put(XOR)
    page.see("datasets")
    page.see("own")
    assert page.session.draft.points == XOR


def test_far_points_can_be_standardised(open_page):
    page = open_page("own")
    page.put(XOR)
    assert not page.has("Standardise")
    page.put((100 * x1, x2, label) for x1, x2, label in XOR)
    page.click("Standardise")
    assert max(abs(value) for point in page.session.draft.points for value in point[:2]) < 2


# The draft


def test_what_was_drawn_on_points_that_were_replaced_meanwhile_is_dropped():
    draft = Draft()
    stale = draft.revision
    draft.put(XOR)
    draft.draw({"revision": stale, "points": [[0, 0, 0]]})
    assert draft.points == XOR
    draft.draw({"revision": draft.revision, "points": [[0, 0, 0]]})
    assert draft.points == ((0, 0, 0),)


@pytest.mark.parametrize(
    "points", [[[0, 0, 10]], [[0, 0, -1]], [[0, 0, 0.5]], [[1e9, 0, 0]], [[0, 0, 0]] * 5001]
)
def test_the_plane_and_the_table_cannot_hold_what_is_no_point(points):
    draft = Draft(XOR)
    for change in (
        lambda: draft.draw({"revision": draft.revision, "points": points}),
        lambda: draft.type(points),
    ):
        with pytest.raises(ToytrainError):
            change()
        assert draft.points == XOR


def test_a_row_of_the_table_waits_until_it_is_complete():
    draft = Draft(XOR)
    revision = draft.revision
    assert draft.type([*XOR, (1, None, 0), (None, None, None)]) == 2
    assert (draft.points, draft.revision) == (XOR, revision)
    assert draft.type([*XOR, (1, 2, 0)]) == 0
    assert draft.points == (*XOR, (1, 2, 0))
    assert draft.revision != revision
    assert draft.in_table == XOR  # the table's own change stays on top of what it was given


def test_the_plane_is_as_large_as_its_points_need():
    assert Draft(XOR).extent() == (-2, 2, -2, 2)
    left, right, low, high = Draft(((170, 60, 0), (190, 90, 1))).extent()
    assert left < 170 < 190 < right
    assert low < 60 < 90 < high
    assert right - left == pytest.approx(high - low)
    assert Draft(((9, 9, 0),)).extent()[0] < 9


# Files


def test_a_file_is_shown_and_its_points_go_to_the_plane_when_asked_to(open_page):
    page = open_page("own", test_fraction="0.4")
    page.put(((0, 0, 0),))
    page.upload(CSV)
    assert page.session.draft.points == ((0, 0, 0),)
    assert "6 rows, read as utf-8, divided by comma" in page.captions()
    assert "a → 0, b → 1" in page.captions()
    page.click("Put 6 points on the plane")
    assert page.session.draft.points == XOR
    page.click(USE)
    assert page.run.config.rows == write_rows(XOR)


@pytest.mark.parametrize(
    "data",
    [
        CSV.decode().encode("utf-16"),
        CSV.replace(b"a\n", "ä\n".encode("latin-1")),
        b"\xef\xbb\xbf" + CSV,
        CSV.replace(b",", b";").replace(b".", b","),
        CSV.replace(b",", b"\t"),
        CSV.split(b"\n", 1)[1],
        CSV.replace(b"a\n", b"1\n").replace(b"b\n", b"2\n"),
        CSV.replace(b"a\n", b"-1\n").replace(b"b\n", b"1.5\n"),
        CSV.replace(b"x1,x2,label", b"x,x,x"),
        CSV.replace(b"a\n", b"=1+1\n"),
    ],
)
def test_odd_files_are_handled(open_page, data):
    page = open_page("own")
    page.upload(data)
    page.click("Put 6 points on the plane")
    labels = [label for *_, label in page.session.draft.points]
    assert sorted(labels) == [0, 0, 0, 1, 1, 1]
    assert page.errors() == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"x1,x2,label\n", "no rows"),
        (b"1\n2\n", "only one column"),
        (b"1,2,0\n1,2\n", "Line 2 has 2 cells"),
        (b"1,2,0\n2,3,0\n", "same label"),
        (b"".join(b"%d,1,%d\n" % (n, n) for n in range(500)), "500 different values"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a text file"),
        (b"1,2," + b"a" * (MAX_BYTES - 100) + b"\n", "more than 1,000 characters"),
        (b"1,2,0\n" + b"a" * 20 * 2**20, "20 MB"),
        *(
            (CSV + cell + b",1,a\n", "Line 8: x1 is")
            for cell in (b"nan", b"inf", b"1e400", b"two", b"", b'"<img src=x>"')
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_sentence_and_nothing_is_lost(open_page, data, says):
    page = open_page("own", steps=1)
    page.put(XOR)
    losses, config = page.run.losses, page.session.config
    page.upload(data)
    (sentence,) = page.errors()
    assert says in sentence
    assert not page.has("Put ")
    assert (page.run.losses, page.session.config, page.session.draft.points) == (losses, config, XOR)


def test_rows_that_give_no_point_can_be_left_out(open_page):
    page = open_page("own")
    page.upload(CSV + b"two,1,a\n1e400,2,b\n")
    next(
        box for box in page.app.checkbox if box.label == "Leave out the rows that give no point: 2"
    ).check().run()
    page.click("Put 6 points on the plane")
    assert page.session.draft.points == XOR


def test_of_too_many_rows_some_are_drawn_and_the_page_says_so(open_page):
    page = open_page("own")
    page.upload(b"".join(b"%d,%d,%d\n" % (row % 10, row % 7, row % 2) for row in range(200_000)))
    assert "200,000 rows" in page.captions()
    assert "up to 5,000 points" in page.captions()
    assert page.has("Put ")


def test_large_numbers_are_standardised_unless_somebody_does_not_want_it(open_page):
    page = open_page("own")
    page.upload(CSV.replace(b"1,1,a", b"1e9,1,a"))
    assert "x1: mean" in page.captions()
    assert page.has("Put 6 points")
    box = next(box for box in page.app.checkbox if box.label.startswith("Standardise"))
    box.uncheck().run()
    assert "1e9; permitted is -1,000,000 to 1,000,000" in page.errors()[0]


@pytest.mark.parametrize("name", ["dataset", "data_seed"])
def test_own_points_cannot_take_the_place_of_a_locked_dataset(open_page, name):
    page = open_page("own", dataset="own", lock=name)
    page.put((x1, x2, label) for x1, x2, label in (*XOR, *XOR))
    page.click(USE)
    assert (page.session.config.rows == Config().rows) == (name == "dataset")
    assert any("is locked at" in sentence for sentence in page.errors()) == (name == "dataset")


@pytest.mark.parametrize("arranged", [{"hide": "dataset"}, {"lock": "dataset"}])
def test_a_dataset_that_a_teacher_has_fixed_is_chosen_nowhere(open_page, arranged, monkeypatch):
    galleries = []
    monkeypatch.setattr(data_views, "_gallery", lambda data, **_: galleries.append(data))
    page = open_page(dataset="circles", **arranged)
    assert "Click a dataset" not in page.captions()
    assert galleries[-1]["is_fixed"]
    page.see("own")
    page.put(XOR)
    page.click(USE)
    assert page.session.config == page.run.config == Config(dataset="circles")
    assert page.session.draft.points == XOR
    assert any("dataset is locked at circles" in sentence for sentence in page.errors())


# The address


def test_many_points_leave_the_address_and_a_reload_finds_them_with_the_run(open_page):
    page = open_page("own")
    page.put(MANY)
    assert "do not fit into an address" in page.captions()
    page.click(USE)
    assert page.run.config.rows == write_rows(MANY)
    query = dict(page.app.query_params)
    assert len(query["rows"]) < 20
    again = open_page(**query)
    assert again.session.config == page.session.config
    assert again.run is page.run
    assert again.session.notices == []
    page.turn_to("train.py")
    assert "too many for an address" in page.captions()


def test_who_is_given_an_address_without_the_points_is_told(open_page):
    page = open_page(dataset="own", rows="too-many", seed="5")
    assert page.session.config == Config(dataset="own", seed=5)
    assert any("too many for an address" in sentence for sentence in page.errors())


# The DataLoader


def test_the_batches_of_the_page_are_those_of_a_plain_loader(open_page):
    page = open_page("loader", points="100", batch_size="16", drop_last="true")
    plain = Trainer.from_config(Config(points=100, batch_size=16, drop_last=True))
    for epoch, batch in ((0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0)):
        told = page.run.deal_epoch()
        assert (told["epoch"], told["batch"]) == (epoch, batch)
        features, _ = plain.next_batch()
        rows = told["order"][16 * batch : 16 * (batch + 1)]
        assert torch.equal(torch.tensor([told["points"][row] for row in rows]), features)
        plain.record(torch.tensor(1.0))
        assert f"Epoch {epoch + 1}: 5 batches of 16, {batch} trained" in page.captions()
        page.click("Step batch")


def test_the_buttons_at_the_batches_are_those_that_a_teacher_shows(open_page):
    names = {"play", "step_batch", "step_epoch", "reset"}
    keys = {button.key for button in open_page("loader").app.button}
    assert names <= keys
    hiding = open_page("loader", hide=",".join(names))
    assert not names & {button.key for button in hiding.app.button}
    locking = open_page("loader", lock=",".join(names))
    assert all(locking.app.button(key=name).disabled for name in names)
    locking.run.play()
    locking.app.run()
    assert locking.app.button(key="pause").disabled


def test_a_hidden_reset_is_not_above_the_gallery_either(open_page):
    page = open_page(steps=1, hide="reset")
    page.put(XOR)
    page.see("own")
    page.click(USE)
    assert page.session.pending
    assert not page.has("Reset")


def test_looking_at_the_batches_leaves_the_run_as_it_is(open_page):
    config = Config(points=100, batch_size=16, dropout=0.3)
    page = open_page("loader", **config.to_texts())
    for _ in range(7):
        page.click("Step batch")
    assert page.run.losses == Trainer.from_config(config).advance(steps=7).losses.tolist()


def test_the_page_says_what_drop_last_and_shuffle_do(open_page):
    page = open_page("loader", points="100", batch_size="32", drop_last="true", shuffle="false")
    assert "drop_last leaves out 16 rows" in page.captions()
    assert "Without shuffle every epoch deals the rows in the same order" in page.captions()
    page = open_page("loader", points="100", batch_size="32")
    assert "The last batch has 16 rows; drop_last is off" in page.captions()


def test_what_shuffle_has_moved_is_counted():
    assert shuffled_apart([0, 1, 2, 3], 2) == 0
    assert shuffled_apart([3, 1, 0, 2], 2) == 1
    assert replace(Config(), shuffle=False).shuffle is False
