"""The server: Streamlit over pages/main.py, the training engine beside it, and the live stream.

`streamlit run app.py` starts it. The engine lives as long as the server does.
"""

import asyncio
import contextlib
import gc
import importlib
import sys

import streamlit as st
from starlette.middleware import Middleware

from pages.parts.live.routes import ROUTES
from pages.parts.uploads import UploadLimit
from toytrain import ToytrainError, distributed, engine
from toytrain.classroom import Classroom

COLLECT_EVERY = 60.0  # seconds


try:
    classroom = Classroom.read()
except ToytrainError as error:
    sys.exit(f"toytrain does not start: {error}")


@contextlib.asynccontextmanager
async def lifespan(app: st.App):
    engine.start(classroom=classroom)
    collecting = asyncio.create_task(_collect_now_and_then())
    try:
        yield {}
    finally:
        collecting.cancel()
        await asyncio.to_thread(engine.stop)
        await asyncio.to_thread(distributed.stop)


async def _collect_now_and_then() -> None:
    # Streamlit imports pandas when the first component is drawn. Done here, it is there before the first
    # browser has loaded Streamlit's scripts.
    await asyncio.to_thread(importlib.import_module, "pandas")
    # Streamlit's own collection after every rerun holds the interpreter for 50 ms or more and is
    # switched off in config.toml. What is imported by now stays; the rest is collected now and then.
    gc.freeze()
    while True:
        await asyncio.sleep(COLLECT_EVERY)
        gc.collect()


app = st.App("pages/main.py", lifespan=lifespan, routes=ROUTES, middleware=[Middleware(UploadLimit)])
