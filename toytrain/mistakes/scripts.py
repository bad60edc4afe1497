"""The two scripts of a mistake: the plain script of a Config, and the same with one line wrong.

Both come from `write_script`; a mistake replaces lines of it and marks the last of them.
"""

import textwrap
from dataclasses import replace
from string import Template

from ..config import Config
from ..script import write_script
from .mistake import Lines, Mistake

MARK = "  # <- the mistake"

# The plain script evaluates at its end; here it does so after every epoch.
LOSSES = "losses = []  # the loss of every batch"
EVALUATE = """
scores = []  # after every epoch: loss and accuracy of the training data, then of the test data


@torch.no_grad()
def evaluate(ds):
    model.eval()
    logits, labels = model(ds.features), ds.labels
    return F.cross_entropy(logits, labels), accuracy(logits, labels)"""
TRAIN = "\n\n\ntrain()\n"
SCORE = """
        scores.append((*evaluate(train_ds), *evaluate(test_ds)))"""
FINISH = """
for epoch, numbers in enumerate(scores):
    print(f"Epoch {epoch + 1:03d} | " + " ".join(f"{number:.4f}" for number in numbers))
print("losses =", losses)
torch.save(model.state_dict(), "model.pth")
"""


def write_scripts(mistake: Mistake, config: Config) -> tuple[str, str]:
    """The right script and the wrong one. Both evaluate after each epoch, on the CPU, in one process."""
    config = replace(config, device="cpu", num_workers=0)
    loop, _, _ = write_script(config).partition(TRAIN)
    right = loop.replace(LOSSES, LOSSES + EVALUATE, 1) + SCORE + TRAIN + FINISH
    for lines in mistake.given:
        right = replace_lines(right, lines, config)
    wrong = replace_lines(right, (mistake.right, mistake.wrong), config, mark=MARK)
    for lines in mistake.also:
        wrong = replace_lines(wrong, lines, config)
    return right, wrong


def replace_lines(script: str, lines: Lines, config: Config, mark: str = "") -> str:
    """The script with other lines in place of those that are given, which must stand in it exactly once.

    Indentation does not count and is kept. "..." at the end of a line stands for its rest. One line may be
    given in part. $name stands for a setting of the Config, $width for the last hidden layer's neurons,
    $more for one more than there are classes. `mark` is put behind the last new line.
    """
    settings = config.to_dict() | {"width": config.hidden[-1], "more": config.classes + 1}
    old, new = (
        textwrap.dedent(Template(text).substitute(settings)).strip("\n").split("\n") for text in lines
    )
    there = script.split("\n")
    at = [start for start in range(len(there)) if _fits(there[start : start + len(old)], old)]
    if not at and len(old) == len(new) == 1:
        at = [start for start, line in enumerate(there) if old[0] in line]
        new = [there[start].strip().replace(old[0], new[0]) for start in at[:1]]
    if len(at) != 1:
        raise ValueError(f"these lines stand {len(at)} times in the script, not once: {old}")
    place = slice(at[0], at[0] + len(old))
    indents = [line[: len(line) - len(line.lstrip())] for line in there[place]]
    if len(old) != len(new):
        indents = indents[:1] * len(new)  # what is indented further brings that along
    rest = _rest(there[place], old)
    written = [indent + line.replace("...", rest) for indent, line in zip(indents, new, strict=True)]
    written[-1] += mark
    there[place] = written
    return "\n".join(there)


def _fits(there: list[str], old: list[str]) -> bool:
    return len(there) == len(old) and all(
        line.strip().startswith(wanted.strip().removesuffix("..."))
        if wanted.endswith("...")
        else line.strip() == wanted.strip()
        for line, wanted in zip(there, old, strict=True)
    )


def _rest(there: list[str], old: list[str]) -> str:
    """What "..." stands for, in the last line that has one."""
    rests = [
        line.strip().removeprefix(wanted.strip().removesuffix("..."))
        for line, wanted in zip(there, old, strict=True)
        if wanted.endswith("...")
    ]
    return rests[-1] if rests else ""
