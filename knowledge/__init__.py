"""The private product knowledge: articles, retrieval, answers."""
