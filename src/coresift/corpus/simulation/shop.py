"""The embedded corpus: raw tables of a small simulated shop, with the dirt of real data and the truth about it."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from coresift.corpus.simulation.catalogue import Catalogue, build_catalogue
from coresift.corpus.simulation.customers import Customer, Purchase, Shop, invent_customers
from coresift.corpus.simulation.vocabulary import PLATFORMS

_FIRST_DAY = datetime(2024, 1, 8, tzinfo=UTC)
_MILLISECONDS_PER_DAY = 86_400_000
_MIRRORED_ACCOUNT_SHARE = 0.06
_MIRRORED_PURCHASE_SHARE = 0.85
_REPEATED_SHARE = 0.02
_BROKEN_SHARE = 0.001
_ID_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class EmbeddedCorpus:
    """Raw tables of the simulated shop.

    Attributes:
        interactions: user_id, item_id, rating, timestamp (int64 ms); in time order.
        items: item_id, title, category (list, root first), description.
        users: user_id, favourite_platform, signup_month.
        truth: Table row (int64, of ``interactions``), kind: why the row exists. ``series``, ``complement`` and
            ``taste`` are genuine; ``noise`` is a gift or a slip; ``mirrored`` comes from a second account that copies
            another; ``repeated`` is the same purchase logged again; ``broken`` cannot be used. For tests only.
    """

    interactions: pa.Table
    items: pa.Table
    users: pa.Table
    truth: pa.Table


def embedded_corpus(seed: int = 0, n_users: int = 2000, n_items: int = 600) -> EmbeddedCorpus:
    """Simulate 18 months of a small shop for games and gadgets.

    Customers follow series, buy what goes with their last purchase, keep to their platform and change tastes slowly;
    products arrive during the whole period and lose their novelty. The same arguments give the same tables.

    Args:
        seed: Seed of every draw.
        n_users: Number of accounts, at least 20.
        n_items: Number of products, at least 40.

    Raises:
        ValueError: If the shop would be too small to have sequences.
    """
    if n_users < 20 or n_items < 40:
        raise ValueError(f"embedded_corpus needs n_users >= 20 and n_items >= 40, but got {n_users} and {n_items}.")
    generator = np.random.default_rng(seed)
    catalogue = build_catalogue(n_items, generator)
    item_ids = _item_ids(n_items, generator)
    n_mirrors = int(n_users * _MIRRORED_ACCOUNT_SHARE)
    customers = invent_customers(n_users - n_mirrors, generator)
    shop = Shop(catalogue, generator)
    baskets = [shop.purchases(number, customer) for number, customer in enumerate(customers)]
    originals = generator.choice(len(customers), size=n_mirrors, replace=False)
    for original in originals:
        baskets.append(_mirrored(baskets[original], len(baskets), generator))
    accounts = customers + [customers[original] for original in originals]
    log = _with_repeats([purchase for basket in baskets for purchase in basket], generator)
    user_ids = [f"u{number:05d}" for number in generator.permutation(n_users)]
    interactions, truth = _log_tables(log, user_ids, item_ids, generator)
    items = _item_table(catalogue, item_ids, generator)
    return EmbeddedCorpus(interactions, items, _user_table(accounts, user_ids), truth)


def _item_ids(n_items: int, generator: np.random.Generator) -> list[str]:
    """Return distinct article numbers of ten characters."""
    numbers = generator.choice(len(_ID_ALPHABET) ** 4, size=n_items, replace=False)
    characters = (numbers[:, None] // len(_ID_ALPHABET) ** np.arange(4)) % len(_ID_ALPHABET)
    return ["B0SHOP" + "".join(_ID_ALPHABET[character] for character in row) for row in characters]


def _mirrored(basket: list[Purchase], number: int, generator: np.random.Generator) -> list[Purchase]:
    """Return what a second account of the same household logs: most purchases again, minutes later."""
    return [
        purchase._replace(customer=number, day=purchase.day + generator.uniform(1, 30) / 1440, kind="mirrored")
        for purchase in basket
        if generator.random() < _MIRRORED_PURCHASE_SHARE
    ]


def _with_repeats(log: list[Purchase], generator: np.random.Generator) -> list[Purchase]:
    """Add purchases that were logged again, at once or seconds later, and sort by time."""
    again = np.flatnonzero(generator.random(len(log)) < _REPEATED_SHARE)
    seconds = generator.integers(0, 40, len(again))
    log = log + [
        log[row]._replace(day=log[row].day + int(delay) / 86_400, kind="repeated")
        for row, delay in zip(again, seconds, strict=True)
    ]
    return sorted(log, key=lambda purchase: (purchase.day, purchase.customer, purchase.kind == "repeated"))


def _log_tables(
    log: list[Purchase], user_ids: list[str], item_ids: list[str], generator: np.random.Generator
) -> tuple[pa.Table, pa.Table]:
    """Return the raw interactions and the truth about each row; a few rows lack an id or name an unknown article."""
    users: list[str | None] = [user_ids[purchase.customer] for purchase in log]
    items: list[str | None] = [item_ids[purchase.product] for purchase in log]
    kinds = [purchase.kind for purchase in log]
    for row in np.flatnonzero(generator.random(len(log)) < _BROKEN_SHARE):
        kinds[row] = "broken"
        if generator.random() < 0.5:
            users[row] = None
        else:
            items[row] = "B0DELETED0"
    first = int(_FIRST_DAY.timestamp() * 1000)
    interactions = pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "item_id": pa.array(items, pa.string()),
            "rating": pa.array([purchase.rating for purchase in log], pa.float64()),
            "timestamp": pa.array([first + int(purchase.day * _MILLISECONDS_PER_DAY) for purchase in log], pa.int64()),
        }
    )
    truth = pa.table({"row": pa.array(range(len(log)), pa.int64()), "kind": pa.array(kinds, pa.string())})
    return interactions, truth


def _item_table(catalogue: Catalogue, item_ids: list[str], generator: np.random.Generator) -> pa.Table:
    """Return the raw items, some titles escaped as HTML or spaced badly, one in three hundred missing."""
    return pa.table(
        {
            "item_id": pa.array(item_ids, pa.string()),
            "title": pa.array([_dirty(product.title, generator) for product in catalogue.products], pa.string()),
            "category": pa.array([product.categories for product in catalogue.products], pa.list_(pa.string())),
            "description": pa.array([product.description for product in catalogue.products], pa.string()),
        }
    )


def _dirty(title: str, generator: np.random.Generator) -> str | None:
    """Return a title as a careless export writes it."""
    missing, escaped, spaced = generator.random(3)
    if missing < 1 / 300:
        return None
    if escaped < 0.5:
        title = html.escape(title)
    if spaced < 0.08:
        title = f" {title.replace(' ', '  ', 1)} "
    return title


def _user_table(accounts: list[Customer], user_ids: list[str]) -> pa.Table:
    """Return the raw users."""
    months = [(_FIRST_DAY + timedelta(days=account.signup_day)).strftime("%Y-%m") for account in accounts]
    return pa.table(
        {
            "user_id": pa.array(user_ids, pa.string()),
            "favourite_platform": pa.array([PLATFORMS[account.platform] for account in accounts], pa.string()),
            "signup_month": pa.array(months, pa.string()),
        }
    )
