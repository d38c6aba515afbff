"""Feature specifications, Keras networks and the model bundle. Imports no Spark; TensorFlow only inside the networks' files."""
