"""What every stage stands on: environment, Spark session, configuration, Delta storage, run log and progress.

Knows the dictionary (``schema``) and of genomics only the 2-bit format of calls. The only room that makes a SparkSession and touches Delta.
"""
