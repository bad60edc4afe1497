"""Two languages: that no word is left out, and that a sentence of the core is recognised by its form."""

import re
import string

import messages
import pytest
from babel.messages.pofile import read_po

from pages.parts import words
from pages.parts.words import CORE, ENGLISH, FOLDER, LANGUAGES, _, said
from toytrain import Config, ToytrainError
from toytrain.mistakes import MISTAKES
from toytrain.mistakes.probes import PROBES

OTHERS = [code for code in LANGUAGES if code != ENGLISH]
KANA = re.compile(r"[ぁ-ヿ一-鿿]")


@pytest.fixture
def speaking():
    """Lets the words be those of a language."""
    before = words._Reader.language

    def speak(code):
        words.speak(lambda: code)

    yield speak
    words.speak(before)


def catalog(code):
    with (FOLDER / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code, abort_invalid=True)


def fields(text):
    return sorted(name for _literal, name, _spec, _how in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("code", OTHERS)
def test_no_text_is_left_out(code):
    known = catalog(code)
    missing = [
        f"{places[0]}: {text}"
        for (context, text), places in messages.messages().items()
        if not ((message := known.get(text, context)) and message.string)
    ]
    assert missing == []


@pytest.mark.parametrize("code", OTHERS)
def test_every_word_of_the_mistake_lab_is_known(code):
    texts = [text for one in MISTAKES.values() for text in (one.title, one.happens, one.look, one.find)]
    texts += [text for one in PROBES.values() for text in (one.title, one.about, *one.curves)]
    known = catalog(code)
    assert [text for text in texts if not ((found := known.get(text, CORE)) and found.string)] == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_fills_in_what_the_text_fills_in(code):
    wrong = [
        message.id
        for message in catalog(code)
        if message.id and message.string and "{" in message.id
        if not message.id.startswith("A Config in JSON") and fields(message.id) != fields(message.string)
    ]
    assert wrong == []


@pytest.mark.parametrize("code", OTHERS)
def test_nothing_is_translated_that_nobody_says(code):
    said_somewhere = {text for _context, text in messages.messages()}
    assert [message.id for message in catalog(code) if message.id and message.id not in said_somewhere] == []


def test_every_japanese_letter_is_in_the_font_that_is_sent_along():
    lessons = [path.read_text(encoding="utf-8") for path in (messages.ROOT / "lessons/ja").glob("*.md")]
    texts = [str(message.string) for message in catalog("ja")] + lessons
    letters = {letter for text in texts for letter in text if ord(letter) >= 0x3000}
    beyond_level_1 = {letter for letter in letters if letter.encode("euc_jp")[0] - 0xA0 > 47}
    assert letters
    assert beyond_level_1 == set()


def test_english_is_what_the_source_says(speaking):
    speaking(ENGLISH)
    assert _("Play") == "Play"
    assert said("epochs = -1 is not permitted; permitted is 0 to 100000.").startswith("epochs = -1")


def test_japanese_comes_from_its_file(speaking):
    speaking("ja")
    assert _("Play") == "再生"
    assert _("") == ""


def test_a_sentence_of_the_core_is_recognised_with_what_was_filled_in(speaking):
    speaking("ja")
    with pytest.raises(ToytrainError) as refused:
        Config(epochs=-1)
    text = said(str(refused.value))
    assert KANA.search(text)
    assert all(part in text for part in ("epochs", "-1", "0", "100000"))
    assert "permitted" not in text
    assert " to " not in text  # the range within the sentence is a sentence of its own


def test_an_unknown_sentence_stays_as_it_is(speaking):
    speaking("ja")
    assert said("Nobody has ever said this") == "Nobody has ever said this"


def test_a_sentence_of_any_length_takes_no_time(speaking):
    speaking("ja")
    long = "x = " + "is not permitted; " * 10_000
    assert said(long) == long


def test_a_language_is_one_file_and_one_line(tmp_path, monkeypatch, speaking):
    (tmp_path / "xx.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Play"\nmsgstr "Ludi"\n\n'
        f'msgctxt "{CORE}"\nmsgid "{{0}} to {{1}}"\nmsgstr "de {{0}} ĝis {{1}}"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(words, "FOLDER", tmp_path)
    monkeypatch.setitem(LANGUAGES, "xx", "Ekzemplo")
    speaking("xx")
    assert _("Play") == "Ludi"
    assert _("Pause") == "Pause"
    assert said("1 to 8") == "de 1 ĝis 8"
