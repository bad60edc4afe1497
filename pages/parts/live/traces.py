"""What the predict page fetches of one point: its way through the network, for the eye and as CSV.

Both ask for the run's stream token, which only lets one watch. Their refusals are for programs, in English:
the page has words of its own.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from toytrain import ToytrainError, engine
from toytrain.engine.frame import encode
from toytrain.engine.run import ANSWER_WITHIN

from ..tables import to_csv
from .base import BASE

TRACE = f"{BASE}/live/trace"
TRACE_CSV = f"{BASE}/live/trace.csv"

MOST_AT_ONCE = 8  # questions about one run that wait for an answer; an honest page asks one at a time

_asking: Counter[str] = Counter()


async def serve_trace(request: Request) -> Response:
    """The trace of a point as one message (see toytrain.engine.predictions.trace, frame.encode)."""
    answer = await _trace(request)
    return answer if isinstance(answer, Response) else Response(encode(*answer))


async def serve_csv(request: Request) -> Response:
    """The same as a table: one row per number."""
    answer = await _trace(request)
    if isinstance(answer, Response):
        return answer
    disposition = {"Content-Disposition": 'attachment; filename="trace.csv"'}
    return Response(to_csv(_rows(*answer)), media_type="text/csv", headers=disposition)


async def _trace(request: Request) -> Response | tuple[dict[str, Any], dict[str, tuple[str, bytes]]]:
    token = request.path_params["token"]
    run = engine.pool().watched(token)
    if run is None:
        return PlainTextResponse("This run has ended.", 404)
    if _asking[token] >= MOST_AT_ONCE:
        return PlainTextResponse("Too many questions about this run at once; try again.", 503)
    _asking[token] += 1
    try:
        question = _question(request)
        return await asyncio.wait_for(asyncio.wrap_future(run.trace(**question)), ANSWER_WITHIN)
    except ToytrainError as error:
        return PlainTextResponse(str(error), 400)
    except TimeoutError:
        return PlainTextResponse("The training process does not answer; try again in a moment.", 503)
    finally:
        _asking[token] -= 1
        if not _asking[token]:
            del _asking[token]


def _question(request: Request) -> dict[str, Any]:
    """The point, the target and the neuron that a query names, as arguments of predictions.trace."""
    query = dict(parse_qsl(request.url.query))
    question: dict[str, Any] = {"target": None, "neuron": None}
    for name in ("x1", "x2", "target"):
        text = query.get(name, "")
        if name == "target" and not text:
            continue
        try:
            question[name] = float(text)
        except ValueError as error:
            raise ToytrainError(f"{name} is not a number; give one such as 0.5.", name) from error
    stage, separator, index = query.get("neuron", "").partition(".")
    if separator and stage.isdecimal() and index.isdecimal() and len(stage + index) < 9:
        question["neuron"] = (int(stage), int(index))
    return question


def _rows(header: dict[str, Any], arrays: dict[str, tuple[str, bytes]]) -> Iterator[tuple]:
    """The words of the columns, then a row per number, in the order in which they are computed."""
    values, probabilities, losses = (
        np.frombuffer(arrays[name][1], "<f4") for name in ("values", "probabilities", "losses")
    )
    step = header["step"]
    yield "step", "stage", "layer", "index", "name", "value"
    yield step, 0, "point", 0, "x1", header["x1"]
    yield step, 0, "point", 1, "x2", header["x2"]
    at = 0
    for stage, (kind, key, width) in enumerate(header["stages"]):
        for index in range(width):
            name = header["features"][index] if stage == 0 else f"{key}{index}"
            yield step, stage, kind, index, name, values[at + index]
        at += width
    stage = len(header["stages"])
    if header["task"] == "classification":
        yield from ((step, stage, "softmax", k, f"class {k}", p) for k, p in enumerate(probabilities))
        yield step, stage + 1, "argmax", 0, "predicted class", int(header["prediction"])
        for label, loss in enumerate(losses):
            yield step, stage + 2, "cross_entropy", label, f"loss if the label is {label}", loss
    elif len(losses):
        yield step, stage, "target", 0, "target", header["target"]
        yield step, stage + 1, "mse_loss", 0, "loss", losses[0]


ROUTES = [
    Route(f"{TRACE}/{{token}}", serve_trace),
    Route(f"{TRACE_CSV}/{{token}}", serve_csv),
]
