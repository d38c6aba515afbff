"""One file a task: what an example is, its network and loss, and how a prediction becomes a column of rows.

``problem`` says what every task tells the training, ``predict`` runs any bundle on Spark's executors.
"""
