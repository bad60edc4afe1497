"""The book (appendix A), step by step: its printed figures, and the code that computes them again.

`figures` holds what is printed, `settings` what may be changed, `sections` the order of the steps:
plain values that a page may import. `steps/` holds the code of each section, which is PyTorch and
knows none of the printed figures; `run` runs it, here or (`__main__`) in a process of its own.
"""

from .figures import FIGURES, Figure
from .sections import SECTIONS, Section
from .settings import EVALUATIONS, Settings

__all__ = ["EVALUATIONS", "FIGURES", "SECTIONS", "Figure", "Section", "Settings"]
