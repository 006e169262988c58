"""The base model's folder: a reference to a model that exists, or a small model trained on the catalogue's text."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import pyarrow as pa
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from coresift.foundation.catalogue_text import CatalogueText
from coresift.foundation.limits import bounded_tokenizer
from coresift.foundation.model_checks import check_base_model, is_hub_id
from coresift.foundation.model_parts import SOURCE_FILE, model_folder, without_progress_bars
from coresift.foundation.perplexity import model_perplexity, unigram_perplexity
from coresift.foundation.small_llama import MAX_TOKENS, SmallModelOptions, train_language_model
from coresift.foundation.tokenizer_training import train_tokenizer
from coresift.storage import atomic_folder, disk_errors_named, fingerprint

logger = logging.getLogger(__name__)

SUMMARY_FILE = "training_summary.json"
"""Size of a model that was trained here, and its perplexity on titles it has not seen."""


def build_base_model(
    items: pa.Table,
    target: Path,
    *,
    model: str | None,
    random_state: int,
    revision: str | None = None,
    small_model: SmallModelOptions = SmallModelOptions(),  # noqa: B008 - frozen
) -> Path:
    """Make the folder of the base model, whole or not at all; a model that was trained before is kept.

    Args:
        items: Table ``items``; only read where the model is trained here.
        target: Folder to make, named after all that the training depends on.
        model: Path of a local model or a hub id, to which the folder then refers; None trains a small one.
        random_state: Seed of the training.
        revision: Commit, tag or branch of a hub id.
        small_model: Size and training of the small model.

    Returns:
        ``target``.

    Raises:
        ValueError: If ``model`` is not a model or lacks tokens of its tokenizer, or there are fewer than two distinct
            titles to train on.
        DiskError: If the disk is full.
    """
    if model is None and target.exists():
        return target
    with disk_errors_named(target), atomic_folder(target) as draft:
        if model is None:
            _write_small_model(items, draft, small_model, random_state)
        else:
            _write_source(model, revision, draft)
    return target


def _write_source(model: str, revision: str | None, folder: Path) -> None:
    check_base_model(model)
    found = model_folder(model, revision)
    bounded_tokenizer(found)
    from_hub = is_hub_id(model)
    source = {
        "path": model if from_hub else str(found),
        "revision": found.name if from_hub else None,
        "fingerprint": fingerprint(found),
    }
    _write_json(folder / SOURCE_FILE, source)
    logger.info("The base model is %s, fingerprint %s.", model, source["fingerprint"])


def _write_small_model(items: pa.Table, folder: Path, options: SmallModelOptions, random_state: int) -> None:
    started = time.perf_counter()
    text, held_out = CatalogueText.from_items(items).split(options.held_out_share, random_state)
    tokenizer = train_tokenizer(
        [*text.titles, *text.texts], vocabulary_size=options.vocabulary_size, max_tokens=MAX_TOKENS
    )
    model = train_language_model(text, tokenizer, options, random_state=random_state)
    summary = _summary(model, tokenizer, text.titles, held_out)
    with without_progress_bars():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _write_json(folder / SUMMARY_FILE, summary)
    _report(summary, time.perf_counter() - started)


def _summary(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, training: list[str], held_out: list[str]
) -> dict[str, float]:
    embeddings = model.get_input_embeddings().weight.numel()
    perplexity = model_perplexity(model, tokenizer, held_out)
    unigram = unigram_perplexity(tokenizer, training, held_out)
    return {
        "vocabulary": len(tokenizer),
        "parameters_besides_embeddings": model.num_parameters() - embeddings,
        "training_titles": len(training),
        "held_out_titles": len(held_out),
        "perplexity": round(perplexity, 3),
        "unigram_perplexity": round(unigram, 3),
        "perplexity_ratio": round(perplexity / unigram, 4),
    }


def _report(summary: dict[str, float], seconds: float) -> None:
    logger.info(
        "Trained a base model of %.2f million parameters besides %d embeddings in %.0f s; perplexity on %d held-out "
        "titles %.1f, %.2f of a unigram model's.",
        summary["parameters_besides_embeddings"] / 1e6,
        summary["vocabulary"],
        seconds,
        summary["held_out_titles"],
        summary["perplexity"],
        summary["perplexity_ratio"],
    )


def _write_json(file: Path, content: dict[str, str | None] | dict[str, float]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
