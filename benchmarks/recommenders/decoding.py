"""Users per second of writing titles: our tree beside the prefix_allowed_tokens_fn of transformers, and grounding.

    kedro run --pipelines=ingestion,foundation,prompting --params recommender.name=title_generation,data_dir=data
    python -m benchmarks.recommenders.decoding --data data           # 64 users, 20 beams, three rounds
    python -m benchmarks.recommenders.decoding --data data --quick   # 8 users, 8 beams, one round

The same model, prompts, batches, beams and titles on both sides; only the constraint differs, and both sides must
write the same titles. Rounds alternate, and each side's fastest one counts. The floor is the same beam search without
any constraint. Grounding writes freely and then finds the nearest of all titles.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from transformers import LogitsProcessorList

from benchmarks.cells import Cells, Figures, Table, options_of
from benchmarks.finished_run import newest, newest_table, of_split, versions
from coresift.recommenders import TitleGenerationRecommender, build_recommender
from coresift.recommenders.batches import SampleRows
from coresift.recommenders.tokens import prompt_tokens
from coresift.recommenders.writing.constrained_beams import TrieConstraint, beam_settings
from coresift.storage import TEST

AT_ONCE = 8


class Race:
    """One model and some users.

    Args:
        data: Data folder of a finished run.
        n_users: Test users.
        beams: Beams of all sides but grounding.
    """

    def __init__(self, data: Path, n_users: int, beams: int) -> None:
        items = newest_table(data, "intermediate/items.parquet")
        prompts = newest_table(data, "primary/prompts.parquet")
        model = build_recommender(
            "title_generation",
            base_model=newest(data, "primary/base_model"),
            items=items,
            beams=beams,
        )
        assert isinstance(model, TitleGenerationRecommender)
        self.recommender = model
        self.prompts = of_split(prompts, TEST).slice(0, n_users)
        self.rows = SampleRows(self.prompts, prompt_tokens(self.prompts, padding=model.padding), left=True)
        self.allowed = plain_tree(model)
        self.settings = beam_settings(
            beams, returned=beams, longest=model.trie.longest, end=model.end, padding=model.padding
        )

    def write(self, constraint: Callable[[int], dict[str, object]]) -> Tensor:
        """Write titles for all users with a constraint made for a prompt's width; return the tokens written."""
        longest, parts = self.recommender.trie.longest, []
        for start in range(0, len(self.rows), AT_ONCE):
            batch = self.rows.__getitems__(list(range(start, min(start + AT_ONCE, len(self.rows)))))
            inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
            width = inputs["input_ids"].shape[1]
            with torch.no_grad():
                output = self.recommender.model.generate(**inputs, generation_config=self.settings, **constraint(width))
            written = output.sequences[:, width:]
            padded = torch.full((len(written), longest), self.recommender.padding)
            padded[:, : written.shape[1]] = written
            parts.append(padded.masked_fill(~output.sequences_scores.isfinite()[:, None], -1))
        return torch.cat(parts)

    def ours(self) -> Tensor:
        """All rows of a step are constrained together."""
        trie = self.recommender.trie
        return self.write(lambda width: {"logits_processor": LogitsProcessorList([TrieConstraint(trie, width)])})

    def prefix_function(self) -> Tensor:
        """A Python call for every row of every step, as transformers documents it."""
        allowed = self.allowed

        def constraint(width: int) -> dict[str, object]:
            return {"prefix_allowed_tokens_fn": lambda _, tokens: allowed[tuple(tokens[width:].tolist())]}

        return self.write(constraint)

    def free(self) -> Tensor:
        """No constraint: the floor."""
        return self.write(lambda _: {})

    def grounding(self) -> Tensor:
        """Four free beams, one text a user, the nearest of all titles; their vectors are made once before."""
        self.recommender.beams = 4
        return self.recommender.rank(self.prompts, 50)[0]


def plain_tree(recommender: TitleGenerationRecommender) -> dict[tuple[int, ...], list[int]]:
    """The tokens that may follow every beginning of a title, as a dictionary; others may only be padded."""
    allowed: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [recommender.padding])
    trie = recommender.trie
    paths: dict[int, tuple[int, ...]] = {0: ()}
    for node in range(1, len(trie)):
        parent, token = int(trie.parent[node]), int(trie.token[node])
        paths[node] = (*paths[parent], token)
        if paths[parent] not in allowed:
            allowed[paths[parent]] = []
        allowed[paths[parent]].append(token)
    return allowed


def raced(data: Path, users: int, beams: int, rounds: int) -> Figures:
    """Users per second of every side, whose constraints must write the same titles."""
    race = Race(data, users, beams)
    race.recommender.title_vectors  # noqa: B018 - made once, outside the clock
    sides = {"tree": race.ours, "prefix function": race.prefix_function, "no constraint": race.free}
    fastest: dict[str, float] = {}
    written: dict[str, Tensor] = {}
    for _ in range(rounds):
        for name, side in sides.items():
            started = time.perf_counter()
            written[name] = side()
            fastest[name] = min(fastest.get(name, float("inf")), time.perf_counter() - started)
    assert torch.equal(written["tree"], written["prefix function"]), "the two constraints write different titles"
    started = time.perf_counter()
    race.grounding()
    fastest["grounding, 4 beams"] = time.perf_counter() - started
    rates = {name: len(race.rows) / seconds for name, seconds in fastest.items()}
    return {"users": len(race.rows), "beams": beams, "items": len(race.recommender.titles), "users_per_second": rates}


def main() -> None:
    """Race all sides and save users per second."""
    parser = options_of(__doc__, results="decoding", quick="8 users, 8 beams, one round")
    parser.add_argument("--data", type=Path, default=Path("data"), help="data folder of a finished run")
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--beams", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    users, beams, rounds = (8, 8, 1) if options.quick else (options.users, options.beams, options.rounds)
    cells = Cells(options.out, versions(options.data), quick=options.quick)
    found = cells.figures(f"{users}-{beams}-{rounds}", lambda: raced(options.data, users, beams, rounds))
    table, rates = Table(side=20, users_a_second=16, of_the_prefix_function=24), found["users_per_second"]
    for name, rate in rates.items():
        table.row(name, f"{rate:.2f}", f"{rate / rates['prefix function']:.2f}")
    cells.save_table(found)


if __name__ == "__main__":
    main()
