"""Schedules over HTTP: every request is optimized, none is remembered.

    uvicorn --app-dir examples/service schedule_service:app --port 8000 --workers 2
    curl localhost:8000/schedule --json '{"preset": "flux-dev", "width": 1024, "height": 768, "nfe": 6}'

A search for few network calls takes less time than to hand it to another thread and back, so it runs on the event loop.
Longer ones run on as many threads as there are processors, and the event loop goes on meanwhile. README.md says more.
"""

import functools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

import hso

MOST_CALLS = 100
SHORT = 12
"""Network calls up to which a search is too short to hand it to a thread."""

Side = Annotated[int, Field(ge=16, le=8192)]


class ScheduleRequest(BaseModel):
    """What is asked: a known model, the size or a shift of one's own, and how many network calls it may cost."""

    model_config = ConfigDict(extra="forbid", strict=True)

    preset: Annotated[str, Field(max_length=64)] = "flux-dev"
    shift: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    width: Side | None = None
    height: Side | None = None
    num_frames: Annotated[int, Field(ge=1, le=1000)] | None = None
    nfe: Annotated[int, Field(ge=1, le=MOST_CALLS)]
    terminal: Literal["zero", "t_min", "skip"] = "zero"
    certificate: bool = True


class ScheduleAnswer(BaseModel):
    """N network calls: N+1 noise levels and the N timesteps that the network is told."""

    sigmas: list[float]
    timesteps: list[float]
    family: str
    shift: float
    fitness: float
    gap: float | None
    status: str


class Health(BaseModel):
    """That the service runs, and which hso it runs."""

    status: Literal["ok"] = "ok"
    hso: str = hso.__version__


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """More threads than processors only wait for each other."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = os.cpu_count() or 1
    yield


app = FastAPI(title="hso schedules", version=hso.__version__, lifespan=lifespan)


@app.exception_handler(RequestValidationError)
async def refuse(request: Request, error: RequestValidationError) -> JSONResponse:
    """422 with the fields that are wrong, but not their values: those may be long, or none that JSON has (NaN)."""
    return JSONResponse({"detail": [{"loc": fault["loc"], "msg": fault["msg"]} for fault in error.errors()]}, 422)


@app.get("/health")
async def health() -> Health:
    """Says that the service runs."""
    return Health()


@app.post("/schedule")
async def schedule(request: ScheduleRequest) -> ScheduleAnswer:
    """The optimal schedule of this request; 422 with what is wrong where it makes no sense."""
    try:
        return find(request) if request.nfe <= SHORT else await run_in_threadpool(find, request)
    except ValueError as error:  # hso names the argument, its value and the limit
        raise HTTPException(422, detail=str(error)) from None


def find(request: ScheduleRequest) -> ScheduleAnswer:
    """Searches. To remember answers, put functools.lru_cache here, on a frozen request: few users ask in many sizes."""
    noise = noise_schedule(request.preset, request.shift, request.width, request.height, request.num_frames)
    gap = 1e-6 if request.certificate else None
    found = hso.optimize(noise, request.nfe, terminal=request.terminal, gap=gap)
    return ScheduleAnswer(
        sigmas=found.sigmas.tolist(),
        timesteps=found.timesteps.tolist(),
        family=found.family,
        shift=noise.shift,
        fitness=found.fitness,
        gap=found.gap,
        status=found.status,
    )


@functools.lru_cache(maxsize=64)
def noise_schedule(
    preset: str, shift: float | None, width: int | None, height: int | None, num_frames: int | None
) -> hso.NoiseSchedule:
    """A model's noise schedule, shared by all threads: a table of 1000 entries is not made for every request."""
    return hso.NoiseSchedule.preset(preset, shift=shift, width=width, height=height, num_frames=num_frames)
