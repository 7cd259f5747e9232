"""Runs the whole platform on one Linux machine without Docker; `python -m localrun` is what `make run` calls.

`localrun.platform.Platform` starts everything and is what the end-to-end tests hold; `localrun.mongodb.running_mongod`,
`localrun.kafka.running_tansu` and `localrun.kafka.running_apache_kafka` start one part alone, for narrower tests.
"""
