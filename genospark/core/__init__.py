"""What every stage stands on: environment, Spark session, configuration, Delta storage, run log and progress.

Knows the dictionary (``schema``) and nothing of genomics. The only room that makes a SparkSession and touches Delta.
"""
