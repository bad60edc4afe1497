"""Bench: what a visitor has before them in the mistake lab, as the address keeps it.

A mystery is a number: what is hidden follows from it, so that a class can look at the same case.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, replace

from toytrain import Config, ToytrainError, engine
from toytrain.engine import LabRun
from toytrain.mistakes import MISTAKES, Mistake

from .words import _, said

BOOK = Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5, seed=123, epochs=3)
NO_MISTAKE = "none"
MOST_CASES = 9999
OPEN_WITHIN = 60.0  # seconds, in which the engine may have to warm up first
SEEDS = 1000
SPEEDS = (2, 10, 50, 0)  # batches per second; 0: as fast as it goes
DEFAULT_SPEED = 50


@dataclass(eq=False)  # two visitors are two, whatever they look at
class Bench:
    """The mistake that is made, or the case that is looked at (0: none), and the score so far.

    `guess` is the mistake that was guessed, "" as long as none was; `found` of `tried` guesses were right.
    """

    name: str = next(iter(MISTAKES))
    on_book: bool = False
    seed: int = Config().seed
    case: int = 0
    guess: str = ""
    found: int = 0
    tried: int = 0
    run: LabRun | None = None
    run_id: str = ""
    speed: int = DEFAULT_SPEED

    # The address

    @classmethod
    def from_texts(cls, texts: dict[str, str], notices: list[str]) -> "Bench":
        """The bench of an address, whose texts are taken out; what is not permitted is named."""
        bench = cls(run_id=texts.pop("lab", ""))
        for key, take in {
            "mistake": bench._take_mistake,
            "mistake_data": bench._take_data,
            "mistake_seed": bench._take_seed,
            "case": bench._take_case,
            "guess": bench._take_guess,
            "score": bench._take_score,
        }.items():
            text = texts.pop(key, None)
            if text is not None and not take(text):
                notices.append(
                    _("In the address: {name} = {text} is not permitted. It was left out.").format(
                        name=key, text=text[:60]
                    )
                )
        return bench

    def to_texts(self) -> dict[str, str]:
        """The texts of the address: nothing as long as the lab has not been used."""
        texts = {}
        if self.run is not None:
            texts = {"mistake": self.name, "lab": self.run.id}
            if self.on_book:
                texts["mistake_data"] = "book"
            if self.seed != Config().seed:
                texts["mistake_seed"] = str(self.seed)
        if self.case:
            texts = {"case": str(self.case), **({"lab": self.run.id} if self.run else {})}
            if self.guess:
                texts["guess"] = self.guess
        if self.tried:
            texts["score"] = f"{self.found}of{self.tried}"
        return texts

    def _take_mistake(self, text: str) -> bool:
        self.name = text if text in MISTAKES else self.name
        return text in MISTAKES

    def _take_data(self, text: str) -> bool:
        self.on_book = text == "book" and MISTAKES[self.name].in_book
        return self.on_book

    def _take_seed(self, text: str) -> bool:
        permitted = text.isdecimal() and len(text) <= 10 and int(text) < 2**32
        self.seed = int(text) if permitted else self.seed
        return permitted

    def _take_case(self, text: str) -> bool:
        permitted = text.isdecimal() and len(text) <= 4 and int(text) > 0
        self.case = int(text) if permitted else 0
        return permitted

    def _take_guess(self, text: str) -> bool:
        permitted = bool(self.case) and text in guesses()
        self.guess = text if permitted else ""
        return permitted

    def _take_score(self, text: str) -> bool:
        match = re.fullmatch(r"(\d{1,4})of(\d{1,4})", text)
        if match is None or int(match[1]) > int(match[2]):
            return False
        self.found, self.tried = int(match[1]), int(match[2])
        return True

    # What is made

    @property
    def mistake(self) -> Mistake:
        return MISTAKES[self.made]

    @property
    def made(self) -> str:
        """The name of the mistake whose two scripts run."""
        return hidden(self.case)[0] if self.case else self.name

    @property
    def answer(self) -> str:
        """What a guess of this case should be."""
        name, is_wrong, _seed = hidden(self.case)
        return name if is_wrong else NO_MISTAKE

    @property
    def config(self) -> Config:
        """The settings of both scripts."""
        if self.case:
            return replace(self.mistake.config, seed=hidden(self.case)[2])
        if self.on_book and self.mistake.in_book:
            return BOOK if self.seed == Config().seed else replace(BOOK, seed=self.seed)
        return replace(self.mistake.config, seed=self.seed)

    def experiment(self, owner: str) -> LabRun:
        """The experiment of what is chosen: the one that goes on, or a new one in its place."""
        had = self.run.id if self.run else self.run_id
        known = engine.pool().experiment(had)
        if known and (known.mistake, known.config) == (self.made, self.config):
            self._turn_to(known)
            return known
        new = self.start_again(owner)
        if had and known is None:
            new.note = _("This experiment was closed; here it is again from its seed.")
        return new

    def start_again(self, owner: str) -> LabRun:
        """A new experiment from the seed. A ToytrainError tells why there can be none."""
        pool = engine.pool()
        new = pool.open_lab(self.made, self.config, self.speed, owner)
        try:
            if not new.wait_until_open(OPEN_WITHIN):
                raise ToytrainError(_("The training engine does not answer; try again in a moment."))
        except ToytrainError:
            pool.close(new)
            raise
        self._turn_to(new)
        return new

    def _turn_to(self, run: LabRun) -> None:
        """Look at this experiment. The one before is closed, unless somebody else has it before them too."""
        if self.run is not None and self.run is not run:
            self.run.shared_by.discard(self)
            if not self.run.shared_by:
                engine.pool().close(self.run)
        run.shared_by.add(self)
        self.run = run

    def new_seed(self) -> None:
        """The same mistake from other weights."""
        self.seed = (self.seed + 1) % 2**32

    # Mysteries

    def open_case(self, case: int = 0) -> None:
        """Look at a case; without a number at any."""
        self.case = case or 1 + secrets.randbelow(MOST_CASES)
        self.guess = ""

    def take_guess(self, guess: str) -> None:
        """Note what the visitor takes the mistake for, once per case."""
        if not self.guess:
            self.guess = guess
            self.tried += 1
            self.found += guess == self.answer


def guesses() -> dict[str, str]:
    """What can be guessed: name -> title."""
    titles = {name: said(mistake.title) for name, mistake in MISTAKES.items() if mistake.hides}
    return {**titles, NO_MISTAKE: _("No mistake")}


def hidden(case: int) -> tuple[str, bool, int]:
    """Of a case: a mistake, whether it is made at all, and the seed. Nobody reads it off the number."""
    names = [name for name, mistake in MISTAKES.items() if mistake.hides]
    digest = hashlib.blake2b(f"toytrain case {case}".encode(), digest_size=12).digest()
    which, whether, seed = (int.from_bytes(digest[at : at + 4], "big") for at in (0, 4, 8))
    return names[which % len(names)], whether % 8 > 0, seed % SEEDS
