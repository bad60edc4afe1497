"""A visitor's uploads are bounded in number, whatever is sent and in whatever order."""

import asyncio

import pytest

from pages.parts.uploads import MOST_FILES, UploadLimit


class Streamlit:
    """Keeps files as Streamlit does. A file of the name "bad" is refused; `gate` holds what is on its way."""

    def __init__(self):
        self.files = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, scope, receive, send):
        file = scope["path"].rpartition("/")[2]
        await self.gate.wait()
        status = 204
        if scope["method"] == "PUT" and file.startswith("bad"):
            status = 400
        elif scope["method"] == "PUT":
            self.files.append(file)
        elif scope["method"] == "DELETE" and file in self.files:
            self.files.remove(file)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Browser:
    """Sends requests of one session through the middleware."""

    def __init__(self):
        self.server = Streamlit()
        self.limit = UploadLimit(self.server)

    async def ask(self, method, file):
        """The status of the answer."""
        answers = []

        async def send(message):
            answers.append(message)

        path = f"/_stcore/upload_file/session/{file}"
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        await self.limit(scope, None, send)
        return answers[0]["status"]

    async def put(self, *files):
        return [await self.ask("PUT", file) for file in files]


@pytest.fixture
def browser():
    return Browser()


def names(count):
    return [str(number) for number in range(count)]


def test_a_fifth_file_takes_the_place_of_the_oldest(browser):
    assert asyncio.run(browser.put(*names(60))) == [204] * 60
    assert browser.server.files == names(60)[-MOST_FILES:]


def test_a_file_that_was_taken_away_does_not_count(browser):
    async def visit():
        await browser.put(*names(MOST_FILES))
        await browser.ask("DELETE", "2")
        await browser.put("new")

    asyncio.run(visit())
    assert browser.server.files == ["0", "1", "3", "new"]


def test_files_on_their_way_count_too(browser):
    async def visit():
        browser.server.gate.clear()
        sent = [asyncio.create_task(browser.ask("PUT", file)) for file in names(60)]
        await asyncio.sleep(0)
        browser.server.gate.set()
        return await asyncio.gather(*sent)

    assert sorted(asyncio.run(visit())) == [204] * MOST_FILES + [429] * (60 - MOST_FILES)
    assert len(browser.server.files) == MOST_FILES


def test_a_file_on_its_way_cannot_be_made_uncounted(browser):
    """By taking it away before it has arrived, or by sending it twice."""

    async def visit():
        browser.server.gate.clear()
        sent = []
        for file in names(20):
            sent += [asyncio.create_task(browser.ask(method, file)) for method in ("PUT", "DELETE", "PUT")]
            await asyncio.sleep(0)
        browser.server.gate.set()
        await asyncio.gather(*sent)

    asyncio.run(visit())
    assert len(browser.server.files) <= MOST_FILES


def test_a_refused_file_does_not_count(browser):
    async def visit():
        await browser.put(*[f"bad{number}" for number in range(9)])
        return await browser.put(*names(MOST_FILES))

    assert asyncio.run(visit()) == [204] * MOST_FILES
    assert browser.server.files == names(MOST_FILES)


def test_other_requests_pass(browser):
    assert asyncio.run(browser.ask("OPTIONS", "0")) == 204
