"""Cost of attribution beside the passes it needs and beside the released pattern, cell by cell.

    python -m benchmarks.attribution.cost                 # made samples, some minutes on one core
    python -m benchmarks.attribution.cost --quick         # fewer repetitions, the small Llama only
    python -m benchmarks.attribution.cost --data data     # also the influence stage of a finished run, and its norms

Every cell does the same work on the same batches: a small Llama (4 layers of width 192) with the token loss, and an
encoder of the shape of all-MiniLM-L6-v2 (6 layers of width 384) with a softmax over fixed vectors; LoRA of rank 8 on
query and value; prompts of 10 to 90 tokens, responses of 5 to 20, grouped by length. Seconds are CPU time of one
thread, the median of repetitions in which the ways take turns, so that other jobs on the machine disturb them little.

The released pattern is the papers' code: one batched forward, then one backward a sample with the graph retained.
Floor: a pass over all LoRA matrices needs a forward and the backward of the activations, 4 FLOP a parameter and token;
the ordinary pass adds the adapter's own gradients, which are small. A killed run resumes at the next cell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

from benchmarks.cells import Cells, Figures, in_turns, options_of
from benchmarks.finished_run import newest, newest_table, of_split, versions
from benchmarks.shapes import SMALL_LLAMA
from coresift.attribution import gradient_features, gradient_norms, influence_scores, mean_token_loss
from coresift.attribution.gradient_measurement import order_by_length
from coresift.attribution.linear_gradients import LinearProblem, sample_products
from coresift.recommenders import AdapterOptions, build_recommender, with_histories
from coresift.storage import TRAIN, VALID
from coresift.surrogate import SasRec, SasRecConfig, load_surrogate, sample_losses, surrogate_batches

N_SAMPLES = 64
BATCH_SIZES = (8, 16, 64)
VOCABULARY = SMALL_LLAMA["vocab_size"]
Batch = dict[str, Tensor]
Loss = Callable[[nn.Module, Batch], Tensor]


def small_llama() -> tuple[nn.Module, Loss]:
    """The embedded base model's shape, and the mean loss of the response's tokens."""
    return adapted(LlamaForCausalLM(LlamaConfig(**SMALL_LLAMA)), ["q_proj", "v_proj"]), mean_token_loss


def encoder() -> tuple[nn.Module, Loss]:
    """The shape of a pretrained sentence encoder, and a softmax of its mean state over fixed vectors."""
    shape = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12}
    config = BertConfig(vocab_size=VOCABULARY, **shape)
    candidates = functional.normalize(torch.randn(129, 384, generator=torch.Generator().manual_seed(0)), dim=1)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        mask = batch["attention_mask"]
        states = model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state * mask.unsqueeze(-1)
        logits = functional.normalize(states.sum(1), dim=1) @ candidates.T / 0.05
        return functional.cross_entropy(logits, batch["input_ids"][:, 0] % 129, reduction="none")

    return adapted(BertModel(config), ["query", "value"]), loss


def adapted(model: nn.Module, targets: list[str]) -> nn.Module:
    """A model in evaluation mode with LoRA whose B is not zero, so that all matrices have gradients."""
    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=targets))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.02)
    return model.eval()


MODELS: dict[str, Callable[[], tuple[nn.Module, Loss]]] = {"small Llama": small_llama, "encoder": encoder}


def made_batches(batch_size: int) -> list[Batch]:
    """Random prompts with responses, in the order of their length."""
    draw = np.random.default_rng(0)
    prompts, responses = draw.integers(10, 91, N_SAMPLES), draw.integers(5, 21, N_SAMPLES)
    order = np.argsort(prompts + responses)
    batches = []
    for rows in np.array_split(order, range(batch_size, N_SAMPLES, batch_size)):
        lengths = torch.from_numpy(prompts[rows] + responses[rows])
        place = torch.arange(int(lengths.max()))
        ids = torch.from_numpy(draw.integers(1, VOCABULARY, (len(rows), len(place))))
        mask = (place < lengths[:, None]).long()
        scored = mask.bool() & (place >= torch.from_numpy(prompts[rows])[:, None])
        batches.append({"input_ids": ids * mask, "attention_mask": mask, "labels": ids.where(scored, -100)})
    return batches


def ordinary(model: nn.Module, batches: list[Batch], loss: Loss) -> None:
    """One batched forward and backward, as training does it."""
    for batch in batches:
        loss(model, batch).mean().backward()
        model.zero_grad(set_to_none=True)


def released(model: nn.Module, batches: list[Batch], loss: Loss) -> Tensor:
    """One batched forward, then one backward a sample."""
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    norms = []
    for batch in batches:
        for value in loss(model, batch):
            value.backward(retain_graph=True)
            norms.append(torch.stack([weight.grad.square().sum() for weight in weights]).sum().sqrt())
            model.zero_grad(set_to_none=True)
    return torch.stack(norms)


def norms_cell(kind: str, batch_size: int, repetitions: int) -> Figures:
    """All ways to the norms on one model and batch size, checked against each other."""
    torch.manual_seed(0)
    model, loss = MODELS[kind]()
    batches = made_batches(batch_size)
    ways: dict[str, Callable[[], object]] = {
        "ordinary": lambda: ordinary(model, batches, loss),
        "all LoRA": lambda: gradient_norms(model, batches, "lora", loss),
        "with features": lambda: gradient_features(model, batches, 512, "lora", loss),
        "last matrix": lambda: gradient_norms(model, batches, "last_lora_b", loss),
    }
    cell = in_turns(ways, repetitions)
    if batch_size <= 16:
        torch.testing.assert_close(
            gradient_norms(model, batches, "lora", loss), released(model, batches, loss), rtol=1e-4, atol=0
        )
        cell |= in_turns({"released": lambda: released(model, batches, loss)}, max(1, repetitions // 3))
    return cell


def influence_cell(repetitions: int) -> Figures:
    """Scoring against a known direction beside a forward pass, on the surrogate's default shape."""
    draw = torch.Generator().manual_seed(0)
    model = SasRec(SasRecConfig(n_items=17_332))
    model.initialize(draw)
    model.eval()
    batches = [
        {
            "history": torch.randint(17_332, (500, 50), generator=draw),
            "target": torch.randint(17_332, (500,), generator=draw),
        }
        for _ in range(4)
    ]
    problem = LinearProblem(model, model.influence_module, sample_losses)
    direction = torch.randn(problem.n_parameters, generator=draw)

    @torch.no_grad()
    def forward() -> None:
        for batch in batches:
            sample_losses(model, batch)

    def scoring() -> None:
        for calls in problem.calls(batches):
            sample_products(calls, direction)

    return in_turns({"forward": forward, "scoring": scoring}, repetitions)


def stage_cell(data: Path) -> Figures:
    """The influence stage of a finished run."""
    samples = newest_table(data, "primary/samples.parquet")
    model = load_surrogate(newest(data, "surrogate/surrogate_weights"))
    by_length = samples.take(pc.array_sort_indices(pc.list_value_length(samples["history"])))
    train, valid = (surrogate_batches(by_length, 512, split=split) for split in (TRAIN, VALID))
    wall, cpu = time.perf_counter(), time.process_time()
    result = influence_scores(model, model.influence_module, train, valid, sample_losses)
    return {
        "CPU seconds": time.process_time() - cpu,
        "wall seconds": time.perf_counter() - wall,
        "samples": len(result.scores),
        "residual": result.residual,
    }


def pass_cell(data: Path, dtype: str, parameters: str) -> Figures:
    """The gradient pass of a finished run on batches drawn from it, and what it takes for all samples."""
    prompts = newest_table(data, "primary/prompts.parquet")
    train = of_split(prompts, TRAIN)
    ordered = with_histories(train, newest_table(data, "primary/samples.parquet")).take(order_by_length(train, 64))
    recommender = build_recommender(
        "dense",
        base_model=newest(data, "primary/base_model"),
        items=newest_table(data, "intermediate/items.parquet"),
        adapter=AdapterOptions(),
        device="cpu",
        dtype=dtype,
    )
    drawn = np.random.default_rng(0).choice(len(ordered) // 64, min(8, len(ordered) // 64), replace=False)
    rows = ordered.take((drawn[:, None] * 64 + np.arange(64)).flatten())
    batches = list(recommender.batches(rows, 64))
    gradient_norms(recommender.model, batches[:1], parameters, recommender.sample_loss)
    started = time.process_time()
    gradient_norms(recommender.model, batches, parameters, recommender.sample_loss)
    seconds = (time.process_time() - started) / len(rows)
    return {"CPU ms a sample": 1000 * seconds, "CPU minutes for all": seconds * len(train) / 60, "samples": len(train)}


def made_cells(*, quick: bool) -> Iterator[tuple[str, Callable[[], Figures]]]:
    """Name and measurement of every cell on made samples."""
    repetitions = 3 if quick else 9
    for kind in list(MODELS)[: 1 if quick else None]:
        for size in BATCH_SIZES:
            yield f"{kind}, batch {size}", lambda kind=kind, size=size: norms_cell(kind, size, repetitions)
    yield "influence scoring", lambda: influence_cell(repetitions)


def run_cells(data: Path) -> Iterator[tuple[str, Callable[[], Figures]]]:
    """Name and measurement of every cell on a finished run."""
    yield "influence stage", lambda: stage_cell(data)
    for dtype in ("float32", "bfloat16"):
        for parameters in ("lora", "last_lora_b"):
            name = f"gradient pass, {dtype}, {parameters}"
            yield name, lambda dtype=dtype, parameters=parameters: pass_cell(data, dtype, parameters)


def ratios(cell: Figures) -> str:
    """What the requirements are about, where a cell says it."""
    parts = [f"{name} {value:.4g}" for name, value in cell.items()]
    if "ordinary" in cell:
        parts.append(f"| all LoRA {cell['all LoRA'] / cell['ordinary']:.2f}x ordinary (at most 1.25)")
        parts.append(f"features {cell['with features'] / cell['all LoRA']:.2f}x all LoRA")
        parts.append(f"last {cell['last matrix'] / cell['all LoRA']:.2f}x all LoRA (at most .75)")
    if "released" in cell:
        parts.append(f"released {cell['released'] / cell['all LoRA']:.1f}x all LoRA (at least 5 at batch 16)")
    if "scoring" in cell:
        parts.append(f"| scoring {cell['scoring'] / cell['forward']:.2f}x forward (at most 1.3)")
    return "  ".join(parts)


def main() -> None:
    """Measure every cell that is new, and print all."""
    parser = options_of(__doc__, results="attribution", quick="3 repetitions instead of 9, the small Llama only")
    parser.add_argument("--data", type=Path, help="data folder of a finished run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cells, table = Cells(options.out, quick=options.quick), {}
    for name, measure in made_cells(quick=options.quick):
        table[name] = cells.figures(name, measure)
        print(f"{name}: {ratios(table[name])}", flush=True)
    if options.data:
        of_run = Cells(options.out / "run", versions(options.data))
        for name, measure in run_cells(options.data):
            table[name] = of_run.figures(name, measure)
            print(f"{name}: {ratios(table[name])}", flush=True)
    cells.save_table(table)


if __name__ == "__main__":
    main()
