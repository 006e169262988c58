"""What personalized adapters bring, and what they cost."""
