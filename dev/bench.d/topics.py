"""Makes or removes topics: topics.py create|delete BOOTSTRAP TOPIC...

Topics have the example feed's number of partitions."""

import sys

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 6


def main(action, bootstrap, *topics):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    if action == "create":
        asked = admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])
    else:
        asked = admin.delete_topics(list(topics))
    for future in asked.values():
        try:
            future.result()
        except KafkaException as error:
            # Gone already is as good.
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise


if __name__ == "__main__":
    main(*sys.argv[1:])
