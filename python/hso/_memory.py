"""Batches that are cut smaller where memory runs out."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

# torch raises a class of its own for GPUs of CUDA and XPU; on CPUs, Apple's GPUs and in cuBLAS it is a RuntimeError.
_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


class Parts:
    """Slices of a batch in order, each of at most `limit` samples (None: any number), which may fall on the way."""

    def __init__(self, count: int, limit: int | None) -> None:
        self.limit = limit
        self._count = count
        self._first = 0
        self._size = 0

    def __iter__(self) -> Iterator[slice]:
        while self._first < self._count:
            left = self._count - self._first
            self._size = left if self.limit is None else min(left, self.limit)
            self._first += self._size
            yield slice(self._first - self._size, self._first)

    def halve(self, error: BaseException, what: str) -> None:
        """Take the newest slice back, and continue with half its size; MemoryError if it was one sample."""
        if self._size <= 1:
            raise MemoryError(f"{what} runs out of memory on a single sample: {error}") from error
        self._first -= self._size
        self.limit = (self._size + 1) // 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, in NumPy or in torch, on any device."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)


def free_memory() -> None:
    """Give back what torch keeps of a failed call, where CUDA is in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()
