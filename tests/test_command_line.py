"""`python -m toytrain` as its user meets it: what it prints, which files it writes, how it ends."""

import json
import signal
import subprocess
import sys

import pytest
import torch
from conftest import ENVIRONMENT, same

from toytrain import Config, Trainer, checkpoint
from toytrain.__main__ import main
from toytrain.script import write_script

BOOK = ["--dataset=book", "--batch-size=2", "--drop-last", "--learning-rate=0.5", "--seed=123", "--epochs=3"]
BOOK_LINES = [
    "Epoch: 001/003 | Batch 000/002 | Train/Val Loss: 0.75",
    "Epoch: 001/003 | Batch 001/002 | Train/Val Loss: 0.65",
    "Epoch: 002/003 | Batch 000/002 | Train/Val Loss: 0.44",
    "Epoch: 002/003 | Batch 001/002 | Train/Val Loss: 0.13",
    "Epoch: 003/003 | Batch 000/002 | Train/Val Loss: 0.03",
    "Epoch: 003/003 | Batch 001/002 | Train/Val Loss: 0.00",
]


@pytest.fixture
def toytrain(python, tmp_path):
    """Runs `python -m toytrain` with these arguments in an empty folder: the finished process."""
    return lambda *arguments: python("-m", "toytrain", *arguments, cwd=tmp_path)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """The same without a new interpreter: its status and what it printed and complained of."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


# A whole run


@pytest.fixture(scope="module")
def book(python, tmp_path_factory):
    """The book's training in a new interpreter, which writes every file: the process and its folder."""
    folder = tmp_path_factory.mktemp("book")
    files = ["--losses", "losses.json", "--save", "model.pth", "--checkpoint", "full.pth"]
    return python("-m", "toytrain", *BOOK, *files, cwd=folder), folder


def test_it_prints_the_log_lines_of_the_book(book):
    finished, _ = book
    assert finished.stdout.splitlines()[:6] == BOOK_LINES


def test_it_prints_the_accuracies_of_the_book_last(book):
    finished, _ = book
    assert finished.stdout.splitlines()[6:] == ["Training accuracy: 1.0000", "Test accuracy: 1.0000"]


def test_it_ends_well_and_complains_of_nothing(book):
    finished, _ = book
    assert (finished.returncode, finished.stderr) == (0, "")


def test_losses_are_written_in_full_precision(book, book_config):
    _, folder = book
    losses = torch.tensor(json.loads((folder / "losses.json").read_text()))
    assert torch.equal(losses, Trainer.from_config(book_config).advance().losses)


def test_save_writes_the_bare_state_dict(book, book_config):
    _, folder = book
    weights = torch.load(folder / "model.pth", weights_only=True)
    assert same(weights, Trainer.from_config(book_config).advance().weights)


def test_checkpoint_writes_the_whole_run(book, book_config):
    _, folder = book
    loaded = checkpoint.load((folder / "full.pth").read_bytes())
    assert loaded.config == book_config
    assert loaded.finished


# Settings


def test_an_untouched_field_keeps_its_default(command):
    command("--checkpoint", "full.pth", "--steps", 1, "--seed", 7)
    with open("full.pth", "rb") as file:
        assert checkpoint.load(file.read()).config == Config(seed=7)


def test_every_field_of_a_config_is_an_option(command):
    config = Config(
        dataset="spirals",
        points=90,
        noise=0.2,
        classes=3,
        data_seed=5,
        test_fraction=0.4,
        features=("x1*x2", "sin(x1)"),
        hidden=(4, 3),
        activation="tanh",
        dropout=0.1,
        batch_norm=True,
        batch_size=8,
        shuffle=False,
        drop_last=True,
        num_workers=1,
        optimizer="sgd",
        learning_rate=0.05,
        momentum=0.5,
        nesterov=True,
        weight_decay=0.01,
        l1=0.001,
        seed=9,
        epochs=2,
    )
    arguments = []
    for name, value in config.changes().items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{option}" if value else f"--no-{option}")
        else:
            arguments += [f"--{option}", *(value if isinstance(value, tuple) else [value])]
    assert command(*arguments, "--script", "run.py")[0] == 0
    with open("run.py", encoding="utf-8") as file:
        assert file.read() == write_script(config)


def test_settings_come_from_a_file_and_options_beside_it_win(command, tmp_path):
    (tmp_path / "settings.json").write_text(Config(dataset="book", seed=5, epochs=9).to_json())
    command("--config", "settings.json", "--epochs", 2, "--script", "run.py")
    expected = write_script(Config(dataset="book", seed=5, epochs=2))
    assert (tmp_path / "run.py").read_text(encoding="utf-8") == expected


def test_script_writes_the_script_and_trains_nothing(command, tmp_path, book_config):
    assert command(*BOOK, "--script", "run.py", "--save", "model.pth") == (0, "", "")
    assert (tmp_path / "run.py").read_text(encoding="utf-8") == write_script(book_config)
    assert not (tmp_path / "model.pth").exists()


def test_steps_ends_the_run_after_so_many_batches(command):
    _, printed, _ = command(*BOOK, "--steps", 3)
    assert printed.splitlines()[:-2] == BOOK_LINES[:3]


def test_a_regression_is_scored_in_its_own_words(command):
    _, printed, _ = command("--dataset", "plane", "--steps", 1)
    assert "Test R²: " in printed


def test_help_names_every_option_with_its_default(command, capsys):
    with pytest.raises(SystemExit) as ended:
        command("--help")
    assert ended.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert all(f"--{name.replace('_', '-')}" in printed for name in Config().to_dict())
    assert "(default: 30 20)" in printed


# Going on


def test_a_resumed_run_equals_one_that_never_stopped(command, tmp_path):
    settings = ["--points", 100, "--batch-size", 8, "--dropout", 0.3, "--optimizer", "adam"]
    command(*settings, "--steps", 23, "--checkpoint", "half.pth")
    command("--resume", "half.pth", "--steps", 20, "--save", "resumed.pth", "--losses", "resumed.json")
    command(*settings, "--steps", 43, "--save", "whole.pth", "--losses", "whole.json")
    assert (tmp_path / "resumed.json").read_text() == (tmp_path / "whole.json").read_text()
    resumed, whole = (torch.load(tmp_path / name, weights_only=True) for name in ("resumed.pth", "whole.pth"))
    assert same(resumed, whole)


def test_a_finished_run_goes_on_with_more_epochs(command, book):
    _, folder = book
    _, printed, _ = command("--resume", folder / "full.pth", "--epochs", 4)
    assert printed.startswith("Epoch: 004/004 | Batch 000/002 | Train/Val Loss: 0.")


def test_a_resumed_run_takes_another_learning_rate_and_its_script_says_so(command, book, tmp_path):
    _, folder = book
    command("--resume", folder / "full.pth", "--epochs", 4, "--learning-rate", 0.25, "--script", "run.py")
    assert "learning_rates = {6: 0.25}" in (tmp_path / "run.py").read_text(encoding="utf-8")


def test_the_script_of_a_run_from_a_files_weights_gets_them_beside_it(command, tmp_path, python):
    weights = Trainer.from_config(Config(seed=9)).snapshot().weights
    started = Trainer.from_config(Config(), weights).advance(steps=5)
    (tmp_path / "full.pth").write_bytes(checkpoint.save(started))
    command("--resume", "full.pth", "--script", "run.py", "--steps", 3)
    finished = python("run.py", cwd=tmp_path)
    whole = Trainer.from_config(Config(), weights).advance(steps=8)
    assert f"losses = {whole.losses.tolist()}" in finished.stdout, finished.stderr


def test_a_resumed_run_refuses_another_setting_by_name(command, book):
    _, folder = book
    status, _, complaint = command("--resume", folder / "full.pth", "--batch-size", 3)
    assert status == 2
    assert "batch_size = 2 in the checkpoint cannot become 3" in complaint


# Refusing


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--points", "3"], "points = 3 is not permitted; permitted is 10 to 5000"),
        (["--points", "many"], "--points"),
        (["--points", "2.5"], "--points"),
        (["--learning-rate", "nan"], "learning_rate = nan"),
        (["--hidden", "3", "0"], "hidden = [3, 0]"),
        (["--features", "x3"], "features = ['x3']"),
        (["--dataset", "MNIST"], "dataset = MNIST"),
        (["--nesterov"], "nesterov"),
        (["--steps", "0"], "--steps = 0"),
        (["--colour", "red"], "--colour"),
        (["--seed"], "--seed"),
        (["--config", "absent.json"], "absent.json"),
        (["--config", "text"], "not JSON"),
        (["--config", "bytes"], "bytes"),
        (["--resume", "absent.pth"], "absent.pth"),
        (["--resume", "text"], "not a checkpoint"),
        (["--resume", "bare.pth"], "weights only"),
        (["--resume", "text", "--config", "text"], "--config"),
        (["--dataset", "book", "--batch-size", "6", "--drop-last"], "5 training examples"),
        (["--dataset", "book", "--epochs", "1", "--save", "absent/model.pth"], "absent/model.pth"),
        (["--dataset", "book", "--epochs", "1", "--script", "."], "."),
    ],
    ids=" ".join,
)
def test_a_mistake_is_named_in_one_sentence_with_status_2(arguments, named, command, tmp_path):
    (tmp_path / "text").write_text("no settings")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    bare = checkpoint.save_weights(Trainer.from_config(Config()).snapshot())
    (tmp_path / "bare.pth").write_bytes(bare)
    status, _, complaint = command(*arguments)
    assert status == 2
    assert complaint.startswith("toytrain: ")
    assert named in complaint
    assert complaint.endswith(".\n")
    assert complaint.count("\n") == 1


def test_a_mistake_shows_no_traceback_in_a_new_interpreter(toytrain):
    finished = toytrain("--points", "3")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr == "toytrain: points = 3 is not permitted; permitted is 10 to 5000.\n"


def test_a_diverged_run_writes_its_files_and_ends_with_a_sentence(command, tmp_path):
    settings = ["--dataset", "gaussians", "--activation", "linear", "--learning-rate", 100]
    status, _, complaint = command(
        *settings, "--epochs", 50, "--losses", "losses.json", "--save", "model.pth"
    )
    assert status == 2
    assert complaint.startswith("toytrain: Diverged at epoch ")
    assert json.loads((tmp_path / "losses.json").read_text())
    weights = torch.load(tmp_path / "model.pth", weights_only=True)
    assert all(tensor.isfinite().all() for tensor in weights.values())


# Ctrl-C


def test_ctrl_c_ends_an_endless_run_and_writes_its_files(tmp_path):
    files = ["--losses", "losses.json", "--save", "model.pth", "--checkpoint", "full.pth"]
    running = subprocess.Popen(
        [sys.executable, "-m", "toytrain", "--dataset", "book", *files],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout.readline().startswith("Epoch: 001/… | Batch 000/001")
    running.send_signal(signal.SIGINT)
    printed, complaint = running.communicate(timeout=60)
    losses = json.loads((tmp_path / "losses.json").read_text())
    assert running.returncode == 0
    assert complaint == f"Stopped after {len(losses)} batches.\n"
    assert "Test accuracy: " in printed
    assert checkpoint.load((tmp_path / "full.pth").read_bytes()).steps == len(losses)
    assert (tmp_path / "model.pth").exists()


@pytest.mark.parametrize("moment", ["next_batch", "record"])
def test_ctrl_c_in_the_middle_of_a_step_lets_the_step_end(moment, command, monkeypatch, tmp_path):
    calls = []
    uninterrupted = getattr(Trainer, moment)

    def interrupted(*arguments):
        calls.append(moment)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return uninterrupted(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, moment, interrupted)
        command("--points", 100, "--dropout", 0.5, "--steps", 20, "--checkpoint", "full.pth")
    stored = checkpoint.load((tmp_path / "full.pth").read_bytes())
    whole = Trainer.from_config(stored.config).advance(steps=5)
    assert stored.steps == 5
    assert same(stored.weights, whole.weights)
    assert same(stored.random_state, whole.random_state)


# Own points


def test_it_trains_on_the_points_of_a_file(toytrain, tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("x1;x2;kind\n" + "".join(f"{n},5;{-n};{'ab'[n % 2]}\n" for n in range(20)))
    finished = toytrain("--csv", path, "--epochs", "1", "--script", tmp_path / "run.py")
    assert finished.returncode == 0, finished.stderr
    script = (tmp_path / "run.py").read_text()
    assert "[0.5, 0, 0], [1.5, -1, 1]" in script


@pytest.mark.parametrize(
    ("content", "says"),
    [("1,2,0\n3,4,1\n5,six,1\n", "Line 3"), ("1,2\n", "only two columns"), ("1,2,0\n3,4,1\n", "too few")],
)
def test_a_file_that_cannot_be_taken_is_refused_in_one_line(command, tmp_path, content, says):
    path = tmp_path / "points.csv"
    path.write_text(content)
    status, _, error = command("--csv", path, "--epochs", "1")
    assert status == 2
    assert says in error
    assert error.count("\n") == 1


def test_own_points_can_be_given_as_text(command, tmp_path):
    rows = "0,0,0;1,1,0;2,2,0;3,3,1;4,4,1;5,5,1"
    status, *_ = command(
        "--dataset", "own", "--rows", rows, "--test-fraction", "0.4", "--script", tmp_path / "run.py"
    )
    assert status == 0
    assert f"rows={rows}" in (tmp_path / "run.py").read_text()
