"""What a stranger's file can do: be accepted, or be refused in one sentence. The files are in corpus.py.

Each is loaded in a child process: a file that froze or crashed it would be a failed test and not the
end of all tests. The child tells what it saw: time, memory, random state, and what Python was made to do.
"""

import json
import os
import pickle
import queue
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import corpus
import numpy as np
import pytest
import torch
from conftest import ENVIRONMENT, same
from corpus import ACCEPTED, Watch

from toytrain import Config, ToytrainError, Trainer, checkpoint, untrusted
from toytrain.untrusted import MAX_BYTES, SENTENCES, Cause

CANARY = f"{tempfile.gettempdir()}/toytrain-canary-{os.getpid()}"
SECONDS, MEBIBYTES = 0.5, 100  # that any file may take
PATIENCE = 60.0  # seconds without a word from the child, after which a file is said to have frozen it

HONEST = corpus.honest()
HOSTILE = corpus.hostile(CANARY)


# The child


def main(path: str, start: int) -> None:
    """Load every file from number `start` on; a line of JSON for each, and a last one about the memory."""
    with open(path, "rb") as file:
        files = pickle.load(file)
    torch.set_num_threads(1)
    for data in files[:3] + files[-3:]:
        _answer(data)  # what is imported at first need is imported now
    watch = Watch()
    for data in files[start:]:
        _forget_peak()
        before = _resident()
        states, began = _random_states(), time.process_time()
        with watch as events:
            code, sentence, cause = _answer(data)
        seen = {
            "code": code,
            "sentence": sentence,
            "cause": cause,
            "seconds": time.process_time() - began,
            "mebibytes": _peak() - before,
            "drew": states != _random_states(),
            "events": events,
        }
        print(json.dumps(seen), flush=True)
    refused = [data for data in files[start:] if _answer(data)[0] != ACCEPTED][:200]
    first = _resident()
    for data in refused:
        _answer(data)
    print(json.dumps({"refused": len(refused), "grown": _resident() - first}), flush=True)


def _answer(data: bytes) -> tuple[str, str, str]:
    """ACCEPTED or the code; the sentence; and what raised it, if that was no refusal itself."""
    try:
        checkpoint.load(data)
    except ToytrainError as error:
        cause = error.__cause__
        return error.code, str(error), "" if cause is None or type(cause) is ToytrainError else repr(cause)
    return ACCEPTED, "", ""


def _random_states() -> tuple:
    return bytes(torch.get_rng_state().numpy()), random.getstate(), pickle.dumps(np.random.get_state())


def _forget_peak() -> None:
    """Let the kernel measure the most memory anew: what came before must not hide what comes."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    """The most memory that the process has had since then, in MiB."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


# The parent


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the child saw, by the file's name; "memory" of all of them together."""
    cases = [*HONEST, *HOSTILE]
    path = tmp_path_factory.mktemp("corpus") / "files"
    path.write_bytes(pickle.dumps([case.data for case in cases]))
    found = {}
    start = 0
    while start < len(cases):
        for line in _lines_of_child(path, start):
            if start < len(cases):
                found[cases[start].name] = line
            else:
                found["memory"] = line
            start += 1
        if start < len(cases):
            found[cases[start].name] = {"code": "froze or crashed the process"}
            start += 1
    yield found
    Path(CANARY).rmdir() if Path(CANARY).exists() else None


def _lines_of_child(path, start):
    """What a child says from file number `start` on; it ends with the child or with patience."""
    child = subprocess.Popen(
        [sys.executable, __file__, str(path), str(start)], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    lines: queue.Queue[str] = queue.Queue()

    def read():
        for line in child.stdout:
            lines.put(line)
        lines.put("")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        while line := lines.get(timeout=PATIENCE):
            yield json.loads(line)
    except queue.Empty:
        pass
    finally:
        child.kill()
        child.wait()
        reader.join()
        child.stdout.close()


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


# Every file


@each(HONEST)
def test_an_honest_file_is_accepted(case, seen):
    answer = seen[case.name]
    assert answer["code"] == ACCEPTED, answer.get("sentence")


@each(HOSTILE)
def test_a_hostile_file_is_refused_for_its_cause(case, seen):
    assert seen[case.name]["code"] == case.expected, seen[case.name].get("sentence")


@each([*HONEST, *HOSTILE])
def test_a_file_does_no_harm(case, seen):
    answer = seen[case.name]
    assert answer["events"] == []
    assert not answer["drew"], "random numbers were drawn"
    assert not answer["cause"], "the reader failed on this file"
    assert answer["seconds"] < SECONDS
    assert answer["mebibytes"] < MEBIBYTES


@each(HOSTILE)
def test_a_refusal_is_one_short_sentence_of_our_own(case, seen):
    sentence = seen[case.name]["sentence"]
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert len(sentence) <= 250
    for theirs in ("weights_only", "WeightsUnpickler", "arbitrary code", "Traceback", "Error", "storage"):
        assert theirs not in sentence.replace("torch.storage", "")


def test_no_canary_was_touched(seen):
    assert not Path(CANARY).exists()


def test_what_the_worst_file_takes_is_told(seen):
    files = [(name, answer) for name, answer in seen.items() if "seconds" in answer]
    for unit in ("seconds", "mebibytes"):
        name, answer = max(files, key=lambda entry: entry[1][unit])
        print(f"most {unit}: {answer[unit]:.3f} ({name})")
    honest = sorted(seen[case.name]["seconds"] for case in HONEST)
    print(f"honest: median {1000 * honest[len(honest) // 2]:.1f} ms, most {1000 * honest[-1]:.1f} ms")
    print("grown over 200 refusals:", seen["memory"]["grown"], "MiB")
    assert len(files) == len(HONEST) + len(HOSTILE)


def test_memory_stays_flat_over_200_refusals(seen):
    assert seen["memory"]["refused"] == 200
    assert seen["memory"]["grown"] < 8


def test_the_corpus_is_large_and_every_cause_is_in_it():
    assert len(HONEST) >= 30
    assert len(HOSTILE) >= 120
    assert len({case.name for case in [*HONEST, *HOSTILE]}) == len(HONEST) + len(HOSTILE)
    assert {case.expected for case in HOSTILE} == set(Cause)


def test_the_gadgets_do_run_where_pickle_reads_them(tmp_path):
    """The canary is alive: a gadget of the corpus, given to pickle, makes it."""
    canary = tmp_path / "canary"
    gadgets = {case.name: case.data for case in corpus.hostile(str(canary))}
    pickle.loads(gadgets["gadget in a bare pickle"])
    assert canary.exists()


def test_some_of_these_files_are_loaded_by_torch_without_a_word():
    """Why torch.load with weights_only=True is not enough."""
    loaded = []
    for name in ("leak: older storages never filled", "memory: stride 0 within the storage",
                 "container: a wrong checksum"):  # fmt: skip
        data = next(case.data for case in HOSTILE if case.name == name)
        try:
            torch.load(corpus.io.BytesIO(data), weights_only=True)
        except Exception:
            continue
        loaded.append(name)
    assert loaded


# What is accepted is what was saved


@each([case for case in HONEST if case.model is not None])
def test_a_bare_file_computes_what_its_model_does(case):
    snapshot = checkpoint.load(case.data)
    features = torch.randn(20, len(snapshot.config.features), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(snapshot.logits(features), case.model(features))
    assert all(tensor.is_contiguous() for tensor in snapshot.weights.values())


@each([case for case in HONEST if case.model is None])
def test_a_full_file_goes_on_training(case):
    snapshot = checkpoint.load(case.data)
    with torch.random.fork_rng(devices=[]):
        trainer = Trainer.from_config(Config(**{**snapshot.config.to_dict(), "num_workers": 0}))
        if not snapshot.optimizer_state:
            with pytest.raises(ToytrainError, match="weights only"):
                trainer.restore(snapshot)
            return
        trainer.restore(snapshot)
        assert same(trainer.optimizer.state_dict(), snapshot.optimizer_state)
        after = trainer.advance(steps=2)
    assert after.steps == snapshot.steps + (0 if snapshot.finished or snapshot.diverged else 2)


def test_a_bare_file_is_a_new_run_whatever_the_generator_does():
    book = next(case for case in HONEST if case.name == "the book's model.pth")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        first = checkpoint.load(book.data)
        torch.rand(9)
        second = checkpoint.load(book.data)
        fresh = Trainer.from_config(first.config).snapshot()
    assert same(first.random_state, second.random_state)
    assert same(first.random_state, fresh.random_state)
    assert (first.steps, first.epoch, first.batch, first.batches) == (0, 0, 0, fresh.batches)
    assert first.weights.keys() == fresh.weights.keys()


# What the user is told


def notes_of(name):
    return " ".join(checkpoint.load(next(case.data for case in HONEST if case.name == name)).notes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("the book's model.pth", ["activation", "optimizer", "features", "x1, x2"]),
        ("three inputs", ["x1, x2, x1^2"]),
        ("weights of torch.float16", ["float16", "float32"]),
        ("weights of torch.bfloat16", ["bfloat16", "float32"]),
        ("weights of torch.float64", ["float64", "float32"]),
        ("batch norm", ["before the activation"]),
        ("a training checkpoint", ["optimizer_state_dict"]),
        ("full: made of weights alone", ["no optimizer state"]),
    ],
)
def test_notes_say_what_had_to_be_assumed(name, words):
    for word in words:
        assert word in notes_of(name)


def test_a_full_checkpoint_needs_no_notes():
    assert notes_of("full: adam") == ""


@pytest.mark.parametrize("how", ["deflated", "unpacked and zipped by a file manager"])
def test_a_checkpoint_that_was_packed_again_is_told_so(how):
    data = next(case.data for case in HOSTILE if case.name == f"container: {how}")
    with pytest.raises(ToytrainError, match="packed once more"):
        checkpoint.load(data)


def test_every_cause_has_a_word_and_a_sentence_of_its_own():
    assert set(SENTENCES) == set(Cause)
    assert Counter(SENTENCES.values()).most_common(1)[0][1] == 1
    assert all(cause.isalpha() and len(cause) <= 9 for cause in Cause)


def test_a_refusal_keeps_its_code_from_one_process_to_another():
    error = pickle.loads(pickle.dumps(untrusted.refusal(Cause.SETTINGS, "Too many points.", "points")))
    assert (str(error), error.field, error.code) == ("Too many points.", "points", "settings")


def test_a_sentence_shows_no_more_of_a_file_than_a_short_plain_name():
    from toytrain.untrusted.refusals import quoted

    assert quoted("layers.0.weight") == "'layers.0.weight'"
    assert (
        quoted("<b>\n" * 100)
        == "'" + "?b???b???b???b???b???b???b???b???b???b??"[:37].replace("\n", "?") + "...'"
    )
    assert len(quoted("x" * 5000)) == 42
    assert quoted(7) == "an entry without a name"


def test_the_limit_can_be_raised_for_the_app_s_own_files():
    own = next(case.data for case in HONEST if case.name == "full: adam")
    assert len(own) < MAX_BYTES
    with pytest.raises(ToytrainError) as refused:
        checkpoint.load(own, most_bytes=len(own) - 1)
    assert refused.value.code == "big"
    assert checkpoint.load(own, most_bytes=len(own)).steps == 20


def test_a_failure_of_the_reader_is_a_refusal_and_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(untrusted, "read", lambda *_: 1 / 0)
    with pytest.raises(ToytrainError) as refused:
        checkpoint.load(b"x")
    assert refused.value.code == "damaged"
    assert "reading it failed" in caplog.text


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
