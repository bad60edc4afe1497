"""What there is to translate: every text of the pages, every sentence of the core, read off the source.

python tests/messages.py ja     adds what languages/ja.po lacks, and takes out what nobody says any more
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from babel.messages.catalog import Catalog  # noqa: E402
from babel.messages.pofile import read_po, write_po  # noqa: E402

from pages.parts.words import CORE, FOLDER  # noqa: E402

# Of these nothing reaches a page: the command line, torchrun, and code that is written out.
UNSEEN = {"__main__.py", "script.py", "source.py", "updates.py", "compiled.py", "torchrun.py", "__init__.py"}
# What is printed in every language alike: the book's figures, and the code that computes them.
UNTRANSLATED = {"book/figures.py", "book/steps"}
# Raised at those who write code, not shown on a page.
FOR_PROGRAMMERS = {
    "ValueError",
    "TypeError",
    "RuntimeError",
    "AttributeError",
    "KeyError",
    "NotImplementedError",
}
# What is shown whatever it looks like: of such a call all that stands in its place, and these by name.
SHOWN = {"Mistake": {"title", "happens", "look", "find"}, "Probe": {"title", "about", "curves"}}

Message = tuple[str | None, str]  # context, text


def messages() -> dict[Message, list[str]]:
    """Each message with the places where it is said."""
    found: dict[Message, list[str]] = {}
    for path in sorted(ROOT.glob("pages/**/*.py")):
        for line, text in texts_of_a_page(path):
            found.setdefault((None, text), []).append(f"{path.relative_to(ROOT)}:{line}")
    for path in sorted(ROOT.glob("toytrain/**/*.py")):
        within = path.relative_to(ROOT / "toytrain").as_posix()
        if path.name not in UNSEEN and not within.startswith(tuple(UNTRANSLATED)):
            for line, text in sentences_of_the_core(path):
                found.setdefault((CORE, text), []).append(f"{path.relative_to(ROOT)}:{line}")
    for name in field_names():
        found.setdefault((CORE, name), []).append("toytrain/config.py:1")
    return found


def texts_of_a_page(path: Path) -> Iterator[tuple[int, str]]:
    """The texts that a page hands to `_`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            (text,) = node.args
            if not isinstance(text, ast.Constant):
                raise SystemExit(f"{path}:{node.lineno}: _ takes one literal text, so that it can be found")
            yield node.lineno, text.value


def sentences_of_the_core(path: Path) -> Iterator[tuple[int, str]]:
    """Every text of words in a module of the core, the open places of an f-string as {0}, {1}."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out, shown = set(), set()
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef() if node.body:
                left_out.add(id(getattr(node.body[0], "value", None)))  # a docstring
            case ast.JoinedStr():
                left_out |= {id(part) for part in ast.walk(node) if part is not node}
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name))) if name in FOR_PROGRAMMERS:
                left_out |= {id(part) for part in ast.walk(node)}
            case ast.Call(func=ast.Name(id=name)) if name in SHOWN:
                given = [*node.args, *(word.value for word in node.keywords if word.arg in SHOWN[name])]
                shown |= {id(part) for one in given for part in ast.walk(one)}
    for node in ast.walk(tree):
        text = None if id(node) in left_out else form(node)
        if text is not None and (is_prose(text) or id(node) in shown):
            yield node.lineno, text


def form(node: ast.AST) -> str | None:
    """A literal as `words.said` recognises what it becomes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    parts, number = [], 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(part.value.replace("{", "{{").replace("}", "}}"))
        else:
            parts.append(f"{{{number}}}")
            number += 1
    return "".join(parts)


def is_prose(text: str) -> bool:
    """Whether a text is made of words for people, not a key, a path or a line of code."""
    words = [word for word in text.split() if word.strip("(),.;:").isalpha()]
    is_code = "\n" in text or " | " in text or text.startswith(("torch.", "F.", "queue.", "<", "-", "["))
    return bool(words) and len(text.split()) > 1 and not is_code


def field_names() -> list[str]:
    """What the controls are called: the names of the Config's fields, in words."""
    from toytrain.config import FIELDS

    return [name.replace("_", " ") for name in FIELDS]


def catalog_of(code: str) -> Catalog:
    path = FOLDER / f"{code}.po"
    if not path.exists():
        return Catalog(locale=code, project="toytrain", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=code)


def update(code: str) -> None:
    """Bring languages/<code>.po up to date: what is new has no translation yet."""
    old = catalog_of(code)
    new = Catalog(locale=code, project="toytrain", charset="utf-8")
    wanted = messages()
    for context, text in sorted(wanted, key=lambda message: wanted[message]):
        known = old.get(text, context)
        places = sorted({place.rpartition(":")[0] for place in wanted[context, text]})
        new.add(text, known.string if known else "", context=context, locations=[(p, None) for p in places])
    with (FOLDER / f"{code}.po").open("wb") as file:
        write_po(file, new, width=110, sort_output=False, omit_header=False)
    print(sum(not message.string for message in new if message.id), "of", len(new), "to be translated")


if __name__ == "__main__":
    update(sys.argv[1])
