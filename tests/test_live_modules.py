"""The JavaScript modules of the live views that need no browser: run by Node, against Python.

The tests themselves are in live_modules/*.test.mjs. What Python writes for the browser (frames, the
bytes of a picture) is written here by the real code and handed to them in a file.
"""

import base64
import json
import re
import shutil
import struct
import subprocess

import pytest
import torch
from conftest import ENVIRONMENT, ROOT

from pages.parts.live import words as live_words
from toytrain.engine.frame import ITEM_SIZES, decode, encode
from toytrain.task import CLASSIFICATION

STATIC = ROOT / "pages/parts/live/static"
TESTS = ROOT / "tests/live_modules"
STATUSES = ("starting", "paused", "playing", "finished", "diverged", "failed")


def some_frames():
    """Headers with arrays of every length modulo four, in every order of types."""
    generator = torch.Generator().manual_seed(1)
    frames = []
    for length in range(9):
        bytes_ = torch.randint(0, 256, (length,), generator=generator, dtype=torch.uint8)
        floats = torch.randn(length, generator=generator)
        header = {"step": length, "message": "ü" * length, "test_loss": None, "run": {"extent": [-1.5, 2.0]}}
        frames.append(
            (header, {"picture": ("u1", bytes_), "losses": ("f4", floats), "wrong": ("u1", bytes_)})
        )
    frames.append(({}, {}))
    extremes = torch.tensor([torch.inf, 3.4e38, 1e-45, -0.0]).nan_to_num(posinf=1.0)
    frames.append(({"step": 2**40}, {"losses": ("f4", extremes), "none": ("u1", torch.tensor([]).byte())}))
    return frames


def encoded(header, arrays):
    return encode(header, {name: (type_, data.numpy().tobytes()) for name, (type_, data) in arrays.items()})


def some_shades():
    """For 2 to 10 classes: bytes of Task.shades, with what the model meant by them."""
    generator = torch.Generator().manual_seed(2)
    for classes in range(2, 11):
        scale = torch.logspace(-2, 2, 400)[:, None]
        logits = scale * torch.randn(400, classes, generator=generator)
        probabilities, labels = torch.softmax(logits, dim=1).max(dim=1)
        yield {
            "classes": classes,
            "bytes": CLASSIFICATION.shades(logits, 0.0, 1.0).tolist(),
            "labels": labels.tolist(),
            "probabilities": probabilities.tolist(),
        }


def some_logits():
    """Logits of 2 to 10 classes, small and large, with what PyTorch makes of them."""
    generator = torch.Generator().manual_seed(3)
    for classes in range(2, 11):
        for scale in (0.1, 3.0, 300.0):
            logits = scale * torch.randn(classes, generator=generator, dtype=torch.float64)
            yield {
                "logits": logits.tolist(),
                "probabilities": torch.softmax(logits, dim=0).tolist(),
                "losses": (-torch.log_softmax(logits, dim=0)).tolist(),
                "predicted": logits.argmax().item(),
            }


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Runs one of the JavaScript test files."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("NO NODE: it is not installed, so no JavaScript module was tested outside the browser")
    folder = tmp_path_factory.mktemp("modules")
    # A copy, with the word that these .js files are modules: a browser is told so, Node looks for it.
    shutil.copytree(STATIC, folder / STATIC.relative_to(ROOT))
    shutil.copytree(TESTS, folder / TESTS.relative_to(ROOT))
    (folder / "package.json").write_text('{"type": "module"}')
    frames = [
        {
            "bytes": base64.b64encode(encoded(header, arrays)).decode(),
            "header": header,
            "arrays": {
                name: {"type": kind, "values": data.tolist()} for name, (kind, data) in arrays.items()
            },
        }
        for header, arrays in some_frames()
    ]
    from_python = folder / "from_python.json"
    from_python.write_text(
        json.dumps({"frames": frames, "shades": list(some_shades()), "dragged": list(some_logits())})
    )

    def run(name):
        return subprocess.run(
            [path, "--test", str(folder / TESTS.relative_to(ROOT) / name)],
            env={**ENVIRONMENT, "FROM_PYTHON": str(from_python)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.mark.parametrize("name", sorted(path.name for path in TESTS.glob("*.test.mjs")))
def test_the_module_passes_its_own_tests(node, name):
    finished = node(name)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.search(r"^. pass [1-9]", finished.stdout, re.MULTILINE)


@pytest.mark.parametrize(("header", "arrays"), some_frames())
def test_a_message_decodes_to_what_was_encoded(header, arrays):
    told, received = decode(encoded(header, arrays))
    assert told == header
    assert received == {name: data.numpy().tobytes() for name, (_, data) in arrays.items()}


def test_the_arrays_of_a_message_begin_at_multiples_of_four():
    for header, arrays in some_frames():
        message = encoded(header, arrays)
        (length,) = struct.unpack_from("<I", message)
        at = 4 + length + -length % 4
        for _, (kind, data) in arrays.items():
            assert message[at : at + len(data) * ITEM_SIZES[kind]] == data.numpy().tobytes()
            at += len(data) * ITEM_SIZES[kind]
            at += -at % 4
        assert at == len(message)


# Words


def words():
    return live_words.words() | live_words.prediction_words()


def used_keys():
    """The keys that the modules ask for, and patterns of those they put together."""
    paths = [path for path in sorted(STATIC.glob("*.js")) if path.name != "graph.js"]  # its words are its own
    source = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    arguments = re.findall(r"\bword\(((?:[^()]|\([^()]*\))*)\)", source)
    keys = {key for argument in arguments for key in re.findall(r'"(\w+)"', argument.split(", {")[0])}
    templates = {key for argument in arguments for key in re.findall(r"`([^`]*)`", argument)}
    templates |= set(re.findall(r"const scoreWord = .*?`([^`]*)`", source))
    keys |= set(re.findall(r'^  \["\w+", \(\w*\) => "(\w+)"', source, re.MULTILINE))  # numbers.js: FIGURES
    keys |= set(re.findall(r'#pointsButton\("(\w+)"\)', source))
    patterns = [re.sub(r"\\\$\\\{.*?\\\}", r"[\\w ]+", re.escape(template)) for template in templates]
    return keys - {"regression"}, patterns


def test_every_word_that_the_views_ask_for_is_there():
    keys, patterns = used_keys()
    assert len(keys) > 20
    assert sorted(keys - words().keys()) == []
    for pattern in patterns:
        assert any(re.fullmatch(pattern, key) for key in words()), pattern
    assert {f"status_{status}" for status in STATUSES} <= words().keys()


def test_every_word_that_is_there_is_asked_for():
    keys, patterns = used_keys()
    asked = {key for key in words() if any(re.fullmatch(pattern, key) for pattern in patterns)}
    assert sorted(words().keys() - keys - asked) == []
