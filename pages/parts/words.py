"""Every word on the screen goes through `_`, so that a second language is a file, not a rewrite."""

import gettext

_ = gettext.translation("toytrain", localedir="locale", fallback=True).gettext
