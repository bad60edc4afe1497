"""The rules of the house, read off the source with `ast`, so that no reviewer has to hold them."""

import ast
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

# Who may import whom within toytrain. A new module is one line here; the engine counts as one.
ALLOWED = {
    "__init__": set(),  # it imports by name, when a name is first used
    "errors": set(),
    "random_state": set(),
    "child_process": set(),
    "task": set(),
    "rows": {"errors"},
    "table": {"errors", "rows"},
    "datasets": {"errors", "rows"},
    "config": {"datasets", "errors", "rows"},
    "classroom": {"config", "datasets", "errors", "rows"},
    "devices": {"errors"},
    "history": set(),
    "edits": {"errors"},
    "optimizers": {"config"},
    "schedules": {"config"},
    "stopping": {"config", "task"},
    "model": {"config", "task"},
    "data": {"config", "datasets", "errors", "rows", "task"},
    "snapshot": {"config", "data", "edits", "errors", "history", "model", "random_state", "task"},
    "rate_finder": {"devices", "errors", "random_state", "snapshot", "trainer"},
    "trace": {"config", "data", "errors", "model", "snapshot"},
    "evaluation": {"errors", "snapshot"},
    "diagnostics": {"config", "schedules", "snapshot"},
    "fast_step": {"data", "fast_step", "random_state", "schedules", "task"},
    "half_step": {"snapshot"},
    "trainer": {
        "config",
        "data",
        "devices",
        "edits",
        "errors",
        "fast_step",
        "history",
        "half_step",
        "model",
        "optimizers",
        "random_state",
        "schedules",
        "snapshot",
        "stopping",
        "task",
    },
    "untrusted": {
        "config",
        "edits",
        "errors",
        "model",
        "optimizers",
        "random_state",
        "schedules",
        "untrusted",
    },
    "checkpoint": {
        "config",
        "data",
        "errors",
        "model",
        "random_state",
        "snapshot",
        "stopping",
        "task",
        "untrusted",
    },
    "script": {"config", "data", "datasets", "edits", "model", "optimizers", "rows", "schedules", "task"},
    "mistakes": {"config", "errors", "mistakes", "script"},
    "book": {"book", "config", "data", "datasets", "distributed", "errors", "model"},
    "engine": {
        "book",
        "checkpoint",
        "child_process",
        "classroom",
        "config",
        "data",
        "datasets",
        "devices",
        "diagnostics",
        "edits",
        "engine",
        "errors",
        "history",
        "evaluation",
        "half_step",
        "mistakes",
        "random_state",
        "rate_finder",
        "rows",
        "script",
        "snapshot",
        "table",
        "task",
        "trace",
        "trainer",
    },
    "distributed": {
        "checkpoint",
        "child_process",
        "classroom",
        "config",
        "data",
        "devices",
        "distributed",
        "edits",
        "errors",
        "model",
        "random_state",
        "schedules",
        "script",
        "snapshot",
        "task",
        "trainer",
    },
    "__main__": {
        "checkpoint",
        "config",
        "datasets",
        "distributed",
        "errors",
        "rows",
        "script",
        "table",
        "trainer",
    },
}
SESSION = ROOT / "pages/parts/session.py"


def sources(*patterns):
    """The Python files that match, as test parameters named by their paths."""
    paths = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """The full names of everything a file imports, wherever in it: `from a import b` is a.b."""
    package = path.relative_to(ROOT).parent.parts
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def belongs(name, *packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


# Who may import whom


def test_imports_are_found_wherever_and_however_they_are_written(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "house/room/corner.py"
    path.parent.mkdir(parents=True)
    path.write_text("import a.b\ndef f():\n    from c import d\n    from . import e\n    from ..g import h\n")
    assert imported(path) == {"a.b", "c.d", "house.room.e", "house.g.h"}


@pytest.mark.parametrize("path", sources("toytrain/**/*.py"))
def test_toytrain_never_imports_streamlit_or_the_pages(path):
    assert not [name for name in imported(path) if belongs(name, "streamlit", "pages", "app")]


@pytest.mark.parametrize("path", sources("toytrain/**/*.py"))
def test_a_module_of_toytrain_imports_only_the_modules_below_it(path):
    module = path.relative_to(ROOT / "toytrain").parts[0].removesuffix(".py")
    names = {name.split(".")[1] for name in imported(path) if belongs(name, "toytrain")}
    assert names <= ALLOWED[module]


@pytest.mark.parametrize("path", sources("app.py", "pages/**/*.py"))
def test_pages_never_import_torch(path):
    assert not [name for name in imported(path) if belongs(name, "torch", "sklearn")]


@pytest.mark.parametrize("path", sources("app.py"))
def test_the_server_imports_only_its_routes_the_upload_limit_and_the_engine(path):
    names = [name for name in imported(path) if belongs(name, "pages", "toytrain")]
    permitted = ("pages.parts.live", "pages.parts.uploads", "toytrain.ToytrainError", "toytrain.classroom",
                 "toytrain.distributed", "toytrain.engine")  # fmt: skip
    assert [name for name in names if not belongs(name, *permitted)] == []


@pytest.mark.parametrize("path", sources("pages/**/*.py"))
def test_a_page_imports_only_its_parts_and_toytrain(path):
    names = [name for name in imported(path) if belongs(name, "pages", "app")]
    assert [name for name in names if not belongs(name, "pages.parts")] == []


@pytest.mark.parametrize("path", [p for p in sources("app.py", "pages/**/*.py") if p.values[0] != SESSION])
def test_only_the_session_touches_the_state_and_the_address(path):
    touched = {"session_state", "query_params"}
    attributes = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    names = {name.split(".")[-1] for name in imported(path)}
    assert not touched & (attributes | names)


# What need not be waited for


def test_a_config_needs_no_torch_and_no_scikit_learn(python, tmp_path):
    code = "import sys, toytrain; toytrain.Config(); print({'torch', 'sklearn'} & sys.modules.keys())"
    assert python("-c", code, cwd=tmp_path).stdout == "set()\n"


def test_what_the_pages_take_from_toytrain_needs_no_torch_and_no_scikit_learn(python, tmp_path):
    lines = {
        ast.unparse(node)
        for parameter in sources("app.py", "pages/**/*.py")
        for node in ast.walk(tree(parameter.values[0]))
        if isinstance(node, ast.ImportFrom) and belongs(node.module or "", "toytrain")
    }
    code = "\n".join([*sorted(lines), "import sys; print({'torch', 'sklearn'} & sys.modules.keys())"])
    assert python("-c", code, cwd=tmp_path).stdout == "set()\n"


@pytest.mark.parametrize("name", ["ToytrainError", "Config", "Trainer", "Snapshot", "compute_accuracy"])
def test_the_vocabulary_gives_what_its_module_defines(name):
    import toytrain

    assert name in toytrain.__all__
    assert getattr(toytrain, name).__name__ == name


def test_a_word_outside_the_vocabulary_is_an_attribute_error():
    import toytrain

    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = toytrain.colour


# How files are written


@pytest.mark.parametrize("path", sources("app.py", "toytrain/**/*.py", "pages/**/*.py"))
def test_no_code_relies_on_a_bare_assert(path):
    assert not [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize(
    "path", sources("app.py", "toytrain/**/*.py", "pages/**/*.py", "tests/*.py", "benchmarks/**/*.py")
)
def test_a_file_opens_with_what_it_holds(path):
    assert not tree(path).body or ast.get_docstring(tree(path))


def test_no_file_names_a_path_of_one_machine():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    machine = [f"/{folder}/".encode() for folder in ("work", "tmp", "root")]
    files = [path for path in paths if path.is_file()]
    assert Path(__file__) in files
    assert [path for path in files if any(name in path.read_bytes() for name in machine)] == []
