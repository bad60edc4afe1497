"""Driven: one visitor's pages without a browser, by Streamlit's AppTest over pages/main.py.

The engine behind them is the fixture `pool` of conftest.py.
"""

import re

from places import ROOT
from streamlit.testing.v1 import AppTest

from pages.parts.session import MEMORY


class Driven:
    """The app as somebody opens it at an address. No run of its script may end in an exception."""

    timeout = 30

    def __init__(self, **query):
        self.app = AppTest.from_file(str(ROOT / "pages/main.py"), default_timeout=self.timeout)
        for name, text in query.items():
            self.app.query_params[name] = text
        self.look()

    def look(self):
        self.app.run()
        assert not self.app.exception, [error.message for error in self.app.exception]

    def turn_to(self, page):
        self.app.switch_page(page)
        self.look()

    def click(self, label):
        next(button for button in self.app.button if button.label == label).click()
        self.look()

    def choose(self, label, value):
        next(box for box in self.app.selectbox if box.label == label).set_value(value)
        self.look()

    @property
    def session(self):
        return self.app.session_state[MEMORY]

    @property
    def run(self):
        return self.session.run

    @property
    def address(self):
        """The address as somebody else would open it, or the same person after a reload."""
        texts = dict(self.app.query_params.items())
        return {name: text if isinstance(text, str) else text[0] for name, text in texts.items()}

    def sentences(self):
        """What stands in boxes, as it is read: without the backslashes that keep Markdown away."""
        boxes = (*self.app.error, *self.app.warning, *self.app.info)
        return [re.sub(r"\\(.)", r"\1", box.value) for box in boxes]
