"""The simulated shop's customers: what each buys, when, why and how much it pleases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coresift.corpus.simulation.catalogue import N_DAYS, NEW_PLATFORM_DAY, Catalogue, Product
from coresift.corpus.simulation.vocabulary import (
    COMPLEMENTS,
    PLATFORM_SHARES,
    PLATFORMS,
    SUCCESSOR_PLATFORM,
    TOPICS,
)

_SERIES_SHARE = 0.4
_COMPLEMENT_SHARE = 0.2
_NOISE_SHARE = 0.06
_FOREIGN_PLATFORM_WEIGHT = 0.03
_MEAN_PURCHASES = 10.0
_HYPE_DAYS = 45.0


class Purchase(NamedTuple):
    """One purchase: customer and product numbers, day (with fraction), rating or None, and why it happened."""

    customer: int
    product: int
    day: float
    rating: float | None
    kind: str


@dataclass(frozen=True)
class Customer:
    """One customer; tastes and platform drift over the simulated months.

    Attributes:
        signup_day: Day of the first visit.
        platform: Platform owned first.
        next_platform: Platform owned from ``switch_day`` on.
        switch_day: Day of the change, beyond the simulated period if it never happens.
        first_taste: Weight of every topic at the beginning of the period, (K,).
        last_taste: Weight of every topic at its end, (K,).
    """

    signup_day: float
    platform: int
    next_platform: int
    switch_day: float
    first_taste: NDArray[np.float64]
    last_taste: NDArray[np.float64]

    def platform_on(self, day: float) -> int:
        """Return the platform owned on a day."""
        return self.next_platform if day >= self.switch_day else self.platform

    def taste_on(self, day: float) -> NDArray[np.float64]:
        """Return the weight of every topic on a day, (K,)."""
        late = day / N_DAYS
        return (1.0 - late) * self.first_taste + late * self.last_taste


def invent_customers(n_users: int, generator: np.random.Generator) -> list[Customer]:
    """Draw customers in order of their first visit; a third were customers before the period begins."""
    signup = np.sort(np.maximum(generator.uniform(-0.5 * N_DAYS, 0.97 * N_DAYS, n_users), 0.0))
    return [_invent_customer(float(day), generator) for day in signup]


def _invent_customer(signup_day: float, generator: np.random.Generator) -> Customer:
    """Draw one customer; owners of a replaced platform mostly follow, a few others change sides."""
    platform = int(generator.choice(len(PLATFORMS), p=PLATFORM_SHARES))
    successor = SUCCESSOR_PLATFORM.get(PLATFORMS[platform])
    follows = successor is not None and generator.random() < 0.75
    changes = follows or generator.random() < 0.12
    target = PLATFORMS.index(successor) if follows and successor else int(generator.integers(len(PLATFORMS)))
    earliest = max(signup_day, NEW_PLATFORM_DAY) if follows else signup_day
    return Customer(
        signup_day=signup_day,
        platform=platform,
        next_platform=target,
        switch_day=generator.uniform(earliest, N_DAYS) if changes else np.inf,
        first_taste=generator.dirichlet(np.full(len(TOPICS), 0.25)),
        last_taste=generator.dirichlet(np.full(len(TOPICS), 0.25)),
    )


class Shop:
    """Draws purchases: the next in a series, something that goes with the last one, what is liked, or noise."""

    def __init__(self, catalogue: Catalogue, generator: np.random.Generator) -> None:
        """Prepare the popularity of every product on every day."""
        self.catalogue = catalogue
        self.generator = generator
        self.popularity = _popularity_by_day(catalogue, generator)
        self.complement = np.array([TOPICS.index(COMPLEMENTS[name]) if name in COMPLEMENTS else -1 for name in TOPICS])
        self.sequels = [_sequels(catalogue, product) for product in catalogue.products]
        self.quality = generator.normal(3.9, 0.4, len(catalogue.products))

    def purchases(self, number: int, customer: Customer) -> list[Purchase]:
        """Draw everything one customer buys, in time order; nothing twice."""
        available = np.ones(len(self.catalogue.products), dtype=bool)
        purchases: list[Purchase] = []
        for day in self._visits(customer.signup_day):
            weights = self.popularity[int(day)] * available
            if not weights.any():
                break
            product, kind = self._choose(weights, purchases, customer, day)
            available[product] = False
            purchases.append(Purchase(number, product, day, self._rating(product, kind), kind))
        return purchases

    def _visits(self, signup_day: float) -> NDArray[np.float64]:
        """Draw the days of purchases: an individual number over an individual span, partly in bursts of minutes."""
        n_purchases = min(1 + int(self.generator.lognormal(np.log(_MEAN_PURCHASES) - 0.32, 0.8)), 60)
        span = min(self.generator.gamma(2.0, 130.0), N_DAYS - signup_day)
        days = signup_day + np.sort(self.generator.random(n_purchases)) * span
        same_visit = self.generator.random(n_purchases) < 0.25
        for purchase in np.flatnonzero(same_visit[1:]) + 1:
            days[purchase] = days[purchase - 1] + self.generator.uniform(1, 20) / 1440
        return np.sort(days[days < N_DAYS])

    def _choose(
        self, weights: NDArray[np.float64], purchases: list[Purchase], customer: Customer, day: float
    ) -> tuple[int, str]:
        """Choose one product and say why."""
        motive = self.generator.random()
        if motive < _NOISE_SHARE:
            return self._draw((weights > 0).astype(float)), "noise"
        motive -= _NOISE_SHARE
        owned_platform = self.catalogue.platform == customer.platform_on(day)
        if motive < _SERIES_SHARE:
            following = weights * self._next_in_series(purchases)
            if following.any():
                return self._draw(following), "series"
        elif purchases and motive < _SERIES_SHARE + _COMPLEMENT_SHARE:
            wanted = self.complement[self.catalogue.topic[purchases[-1].product]]
            fitting = weights * (self.catalogue.topic == wanted) * owned_platform
            if fitting.any():
                return self._draw(fitting), "complement"
        liking = customer.taste_on(day)[self.catalogue.topic] + 0.01
        return self._draw(weights * liking * np.where(owned_platform, 1.0, _FOREIGN_PLATFORM_WEIGHT)), "taste"

    def _next_in_series(self, purchases: list[Purchase]) -> NDArray[np.bool_]:
        """Mark the sequels of the last three purchases, (M,)."""
        wanted = np.zeros(len(self.sequels), dtype=bool)
        for purchase in purchases[-3:]:
            wanted[self.sequels[purchase.product]] = True
        return wanted

    def _draw(self, weights: NDArray[np.float64]) -> int:
        """Draw a product in proportion to the weights."""
        cumulative = np.cumsum(weights)
        return int(np.searchsorted(cumulative, self.generator.random() * cumulative[-1], side="right"))

    def _rating(self, product: int, kind: str) -> float | None:
        """Draw a rating from 1 to 5, lower for what was bought by mistake; some customers give none."""
        if self.generator.random() < 0.04:
            return None
        pleasure = self.quality[product] + (-1.2 if kind == "noise" else 0.3) + self.generator.normal(0.0, 0.7)
        return float(np.clip(np.rint(pleasure), 1, 5))


def _sequels(catalogue: Catalogue, game: Product) -> NDArray[np.int64]:
    """Return the next entries of a series on the game's platform or its successor."""
    successor = SUCCESSOR_PLATFORM.get(PLATFORMS[game.platform], PLATFORMS[game.platform])
    platforms = [game.platform, PLATFORMS.index(successor)]
    is_next = (catalogue.family == game.family) & (catalogue.place == game.place + 1)
    return np.flatnonzero(is_next & np.isin(catalogue.platform, platforms))


def _popularity_by_day(catalogue: Catalogue, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return the popularity of every product on every day, (days, M): hype after release, slow waves, 0 before."""
    age = np.arange(N_DAYS)[:, None] - np.floor(catalogue.release_day)[None, :]
    hype = 0.35 + 2.5 * np.exp(-np.maximum(age, 0.0) / _HYPE_DAYS)
    period = generator.uniform(120, 400, len(catalogue.products))
    phase = generator.uniform(0, 2 * np.pi, len(catalogue.products))
    wave = 1.0 + 0.6 * np.sin(2 * np.pi * np.arange(N_DAYS)[:, None] / period + phase)
    return np.where(age >= 0, catalogue.appeal * hype * wave, 0.0)
