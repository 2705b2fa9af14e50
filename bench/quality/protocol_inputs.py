"""What a protocol run is given: prompts with their seeds, and real images."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from protocol_store import digest

_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})


@dataclass(frozen=True)
class Job:
    """One image to sample: the number tells the images of one prompt apart."""

    prompt: str
    number: int
    seed: int

    @property
    def key(self) -> str:
        """The image's name within its set."""
        return digest([self.prompt, self.number, self.seed])

    @property
    def noise_seed(self) -> int:
        """Seed of the noise: of this image alone, whoever samples it, and the same under every schedule."""
        content = f"{self.seed}\n{self.number}\n{self.prompt}".encode()
        # manual_seed takes up to 64 bits
        return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") >> 1


def read_prompts(path: Path) -> list[str]:
    """The lines of a UTF-8 file that are not blank. ValueError where there are none, or no such file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"prompts file {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"prompts file {path} must be UTF-8 text: {error}") from error
    prompts = [line.strip() for line in text.splitlines() if line.strip()]
    if not prompts:
        raise ValueError(f"prompts file {path} must have at least one line that is not blank")
    return prompts


def jobs(prompts: list[str], *, images_per_prompt: int, seed: int) -> list[Job]:
    """`images_per_prompt` images for every prompt; a prompt that occurs again gets further ones."""
    seen: Counter[str] = Counter()
    planned = []
    for prompt in prompts:
        for _ in range(images_per_prompt):
            planned.append(Job(prompt, seen[prompt], seed))
            seen[prompt] += 1
    return planned


def find_images(folder: Path) -> list[Path]:
    """The image files of a folder and the folders in it, sorted. ValueError for fewer than two."""
    if not folder.is_dir():
        raise ValueError(f"folder of real images {folder} does not exist, or is no folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    if len(found) < 2:
        raise ValueError(
            f"folder of real images {folder} must have at least 2 images ({', '.join(sorted(_SUFFIXES))}), "
            f"got {len(found)}"
        )
    return found


def file_key(path: Path) -> str:
    """A name for a real image as it is now: one that was replaced has another."""
    state = path.stat()
    return digest([str(path.resolve()), state.st_size, state.st_mtime_ns])
