"""The simulated shop's catalogue: series of games and lines of accessories, with titles a person would believe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coresift.corpus.simulation.vocabulary import (
    ACCESSORIES,
    BRANDS,
    COLORS,
    EDITIONS,
    FIRST_WORDS,
    GENRE_NOUNS,
    NUMERALS,
    PLATFORMS,
    PUBLISHERS,
    SUBTITLES,
    SUCCESSOR_PLATFORM,
    TOPICS,
)

N_DAYS = 546
"""Length of the simulated period in days, about 18 months."""

NEW_PLATFORM_DAY = 150
"""Day on which Orion 5 arrives."""

_ACCESSORY_SHARE = 0.3
_DEARER_EDITION_SHARE = 0.15
_OLD_SHARE = 0.6


@dataclass(frozen=True)
class Product:
    """One article of the shop.

    Attributes:
        title: Title as a person would write it.
        categories: Path in the category tree, root first.
        description: One or two sentences, or None.
        platform: Position in ``PLATFORMS``.
        topic: Position in ``TOPICS``: the genre of a game or the kind of an accessory.
        family: Number of the series; accessories are families of their own.
        place: Place in the series, from 0.
        release_day: First day on sale; negative if older than the simulated period.
        appeal: Popularity besides time and taste, positive.
    """

    title: str
    categories: tuple[str, ...]
    description: str | None
    platform: int
    topic: int
    family: int
    place: int
    release_day: float
    appeal: float


@dataclass(frozen=True)
class Catalogue:
    """All products, with their properties as arrays in the same order."""

    products: tuple[Product, ...]

    @cached_property
    def platform(self) -> NDArray[np.int64]:
        """Platform of each product, (M,)."""
        return np.array([product.platform for product in self.products])

    @cached_property
    def topic(self) -> NDArray[np.int64]:
        """Topic of each product, (M,)."""
        return np.array([product.topic for product in self.products])

    @cached_property
    def family(self) -> NDArray[np.int64]:
        """Series of each product, (M,)."""
        return np.array([product.family for product in self.products])

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """Place of each product in its series, (M,)."""
        return np.array([product.place for product in self.products])

    @cached_property
    def release_day(self) -> NDArray[np.float64]:
        """First day on sale of each product, (M,)."""
        return np.array([product.release_day for product in self.products])

    @cached_property
    def appeal(self) -> NDArray[np.float64]:
        """Lasting popularity of each product, (M,)."""
        return np.array([product.appeal for product in self.products])


def build_catalogue(n_items: int, generator: np.random.Generator) -> Catalogue:
    """Invent ``n_items`` products: about 70 % games in series, the rest accessories, in random order."""
    n_accessories = round(n_items * _ACCESSORY_SHARE)
    products = list(_distinct(_games(generator), n_items - n_accessories))
    products += _distinct(_accessories(generator), n_accessories)
    order = generator.permutation(n_items)
    return Catalogue(tuple(products[position] for position in order))


def _distinct(products: Iterator[Product], n_items: int) -> Iterator[Product]:
    """Yield the first ``n_items`` products whose titles differ."""
    titles: set[str] = set()
    while len(titles) < n_items:
        product = next(products)
        if product.title not in titles:
            titles.add(product.title)
            yield product


def _games(generator: np.random.Generator) -> Iterator[Product]:
    """Yield games series by series, without end."""
    genres = list(GENRE_NOUNS)
    names = [(first, genre) for genre in genres for first in FIRST_WORDS]
    family = 0
    while True:
        for choice in generator.permutation(len(names)):
            first, genre = names[choice]
            series = f"{first} {generator.choice(GENRE_NOUNS[genre])}"
            yield from _series(series, genre, family, generator)
            family += 1


def _series(name: str, genre: str, family: int, generator: np.random.Generator) -> Iterator[Product]:
    """Yield every entry of one series on its platforms, older entries first."""
    publisher = str(generator.choice(PUBLISHERS))
    platforms = generator.choice(len(PLATFORMS), size=int(generator.integers(1, 3)), replace=False)
    appeal = generator.lognormal(0.0, 0.8)
    release = -generator.uniform(0, 700) if generator.random() < _OLD_SHARE else generator.uniform(0, N_DAYS - 120)
    for place in range(int(generator.integers(2, 7))):
        subtitle = f": {generator.choice(SUBTITLES)}" if place and generator.random() < 0.5 else ""
        for platform in platforms:
            plain = Product(
                title=f"{name}{NUMERALS[place]}{subtitle}",
                categories=(),
                description=f"{genre} game by {publisher}." if generator.random() < 0.6 else None,
                platform=_platform_on_sale(int(platform), release),
                topic=TOPICS.index(genre),
                family=family,
                place=place,
                release_day=release,
                appeal=appeal * generator.lognormal(0.0, 0.4),
            )
            yield from _editions(plain, generator)
        release += generator.uniform(40, 170)


def _editions(game: Product, generator: np.random.Generator) -> Iterator[Product]:
    """Yield a game as it is sold on its platform, and sometimes a dearer edition of it."""
    platform = PLATFORMS[game.platform]
    categories = ("Video Games", platform, "Games", TOPICS[game.topic])
    yield replace(game, title=f"{game.title} - {platform}", categories=categories)
    if generator.random() < _DEARER_EDITION_SHARE:
        title = f"{game.title}{generator.choice(EDITIONS)} - {platform}"
        yield replace(game, title=title, categories=categories, appeal=game.appeal * 0.4)


def _platform_on_sale(platform: int, release: float) -> int:
    """Return the platform a product of that day is made for: late products move to the successor, early ones back."""
    for old, new in SUCCESSOR_PLATFORM.items():
        if PLATFORMS[platform] == old and release >= NEW_PLATFORM_DAY:
            return PLATFORMS.index(new)
        if PLATFORMS[platform] == new and release < NEW_PLATFORM_DAY:
            return PLATFORMS.index(old)
    return platform


def _accessories(generator: np.random.Generator) -> Iterator[Product]:
    """Yield accessories, without end."""
    kinds = list(ACCESSORIES)
    family = -1
    while True:
        kind = str(generator.choice(kinds))
        brand, color = generator.choice(BRANDS), generator.choice(COLORS)
        name = generator.choice(ACCESSORIES[kind])
        release = -generator.uniform(0, 700) if generator.random() < _OLD_SHARE else generator.uniform(0, N_DAYS - 90)
        platform = _platform_on_sale(int(generator.integers(len(PLATFORMS))), release)
        yield Product(
            title=f"{brand} {name} for {PLATFORMS[platform]}, {color}",
            categories=("Video Games", PLATFORMS[platform], "Accessories", kind),
            description=f"{name} by {brand}. Fits {PLATFORMS[platform]}." if generator.random() < 0.6 else None,
            platform=platform,
            topic=TOPICS.index(kind),
            family=family,
            place=0,
            release_day=release,
            appeal=generator.lognormal(-0.3, 0.6),
        )
        family -= 1
