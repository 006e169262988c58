"""What methods and metrics are called in front of people."""

from __future__ import annotations

METHOD_LABELS = {
    "tuned": "Tuned model",
    "untuned": "Untuned model",
    "surrogate": "Surrogate",
    "most_popular": "Most popular",
    "popular_recently": "Popular recently",
    "item_knn": "Item neighbours",
}

METHOD_NOTES = {
    "tuned": "The language model after LoRA fine-tuning on the coreset.",
    "untuned": "The same language model before fine-tuning: what the coreset has to add to.",
    "surrogate": "SASRec trained on every training interaction.",
    "most_popular": "Items by their count in the training split; the same list for everybody.",
    "popular_recently": "Items by their count in the validation split, the window just before the test period. "
    "It sees interactions that models trained on the training split do not.",
    "item_knn": "Cosine similarity to the latest items of a user, from training interactions only.",
}


def method_label(method: str) -> str:
    """Return the name of a method for people; unknown names are returned as they are."""
    return METHOD_LABELS.get(method, method)
