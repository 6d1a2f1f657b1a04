"""The StateFun suites: Kafka and Kinesis, through the functions and back, from a pod inside."""
