"""For those who write adapters: a new one's folder, what real traffic looks like, what each can do."""
