"""What methods and metrics are called in front of people."""

from __future__ import annotations

PRIOR_SUFFIX, SURROGATE_SUFFIX = "+prior", "+surrogate"
"""What the name of a method ends with, where other terms are added to its scores."""

METHOD_LABELS = {
    "tuned": "Tuned model",
    "untuned": "Untuned model",
    "surrogate": "Surrogate",
    "most_popular": "Most popular",
    "popular_recently": "Popular recently",
    "item_knn": "Item neighbours",
    "item_click_rate": "Click rate of the item",
    "user_click_rate": "Click rate of the user",
}

METHOD_NOTES = {
    "tuned": "The language model after LoRA fine-tuning on the coreset.",
    "untuned": "The same language model before fine-tuning: what the coreset has to add to.",
    "surrogate": "The small recommender trained on everything: SASRec, or DIN for clicks.",
    "most_popular": "Items by their count in the training split; the same list for everybody.",
    "popular_recently": "Items by their count in the validation split: the window just before the test period, or no "
    "window of time where each user's own latest interactions are held out. "
    "It sees interactions that models trained on the training split do not.",
    "item_knn": "Cosine similarity to the latest items of a user, from training interactions only.",
    "item_click_rate": "Share of clicks among the item's training impressions, drawn towards the overall share.",
    "user_click_rate": "Share of clicks among the user's training impressions, drawn towards the overall share.",
}


SUFFIX_LABELS = {"": "", "prior": ", prior", "prior+surrogate": ", prior, surrogate"}

SUFFIX_NOTES = {
    "": "",
    "prior": " Plus the logarithm of how often each item was bought in the latest window, weighted as validation users "
    "want it.",
    "prior+surrogate": " Plus recent popularity and the surrogate's scores, weighted as validation users want them.",
}


def method_label(method: str) -> str:
    """Return the name of a method for people; unknown names are returned as they are."""
    name, _, suffix = method.partition("+")
    return METHOD_LABELS.get(name, name) + SUFFIX_LABELS.get(suffix, suffix)


def method_note(method: str) -> str:
    """Return what a method is, in a sentence or two; empty for an unknown one."""
    name, _, suffix = method.partition("+")
    return METHOD_NOTES.get(name, "") + SUFFIX_NOTES.get(suffix, "")
