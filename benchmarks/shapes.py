"""Shapes of models and adapters that several benchmarks share, so that their figures speak of the same thing."""

SMALL_LLAMA = {
    "vocab_size": 4096,
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
}
"""The embedded base model, where none is read from a finished run."""
EVERY_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
"""Targets of an adapter on every Linear layer of a Llama."""
RANK, N_ADAPTERS, ALPHA = 8, 4, 16
"""A mixture per user: rank and number of its adapters, and the numerator of their scale."""
