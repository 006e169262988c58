"""How fast the surrogate trains, and how good it is beside other libraries."""
