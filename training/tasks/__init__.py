"""What can be trained: one file a kind of task, the batches it reads, its evaluation."""
