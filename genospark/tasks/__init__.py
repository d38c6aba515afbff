"""One file a task: what a prediction is made of and how it becomes a column of rows."""
