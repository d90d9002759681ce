"""Invented names: artists of a scene sound alike, and none is meant to be anybody."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

__all__ = ["SceneWords", "artist_names", "scenes", "title"]


@dataclass(frozen=True)
class SceneWords:
    """A scene's name, and the words that its artists call themselves by."""

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]


def scenes() -> list[SceneWords]:
    """Return the scenes of ``scenes.txt``.

    Examples
    --------
    >>> [scene.name for scene in scenes()][:2]
    ['desert blues', 'dungeon synth']
    """
    parts = [line.split("|") for line in _lines("scenes.txt")]
    return [SceneWords(name.strip(), tuple(a.split()), tuple(b.split())) for name, a, b in parts]


def artist_names(scene: SceneWords, count: int, rng: np.random.Generator) -> list[str]:
    """Return different names of a scene's artists, at most as many as its words make pairs.

    Examples
    --------
    >>> len(set(artist_names(scenes()[0], 64, np.random.default_rng(1))))
    64
    """
    pairs = rng.choice(len(scene.first) * len(scene.second), size=count, replace=False)
    return [
        f"{scene.first[pair // len(scene.second)]} {scene.second[pair % len(scene.second)]}" for pair in pairs
    ]


def title(rng: np.random.Generator) -> str:
    """Return the title of a song.

    Examples
    --------
    >>> len(title(np.random.default_rng(3)).split())
    2
    """
    return " ".join(str(rng.choice(words.split())) for words in _lines("titles.txt"))


@cache
def _lines(name: str) -> list[str]:
    return files("consumers.demo").joinpath(name).read_text(encoding="utf-8").splitlines()
