"""How the world writes ids, numbers, times and texts, and what they mean here."""
