"""The example feed's job as a script: DuckDB reads, joins and nests one day of the sample export,
and confluent-kafka sends the documents, without transactions, a ledger, gates or verifying.

usage: duckdb_job.py WAREHOUSE LOAD_DATE MASK_KEY BOOTSTRAP TOPIC
       duckdb_job.py WAREHOUSE LOAD_DATE MASK_KEY --write FILE

The documents are Hivecast's, byte for byte, except for their order; `--write` leaves KEY TAB VALUE
lines to compare. Prints one JSON object: records, query_s, fetch_and_send_s.
"""

import json
import pathlib
import sys
import time
import uuid

import confluent_kafka
import duckdb

FEED = "contracts"
EVENT_TYPE = "MDM-Contract"
EVENT_TIME = "04:00:00.000+00:00"
EVENT_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hivecast:event")
# Rows that cross from DuckDB to Python, and from there to librdkafka, at a time.
BATCH_ROWS = 10_000
# librdkafka's queue: no more than these wait to be sent.
QUEUE_MESSAGES = 200_000
FLUSH_SECONDS = 300
# RFC 2104: HMAC over SHA-256 works on blocks of this many bytes.
HMAC_BLOCK_BYTES = 64

# `concat` leaves out what is null, `||` is null where a part is: together they leave fields out.
MACROS = r"""
create macro wrapped(name, json) as ',"' || name || '":{"operation":"INSERT","newValue":' || json || '}';
create macro member(name, text) as '"' || name || '":' || to_json(text);
create macro object(members) as '{' || nullif(members, '') || '}';
create macro array_of(elements) as '[' || nullif(elements, '') || ']';
create macro title(line, text) as
    '{"contractTitleLineType":"' || line || '","contractTitleLine":' || to_json(text) || '}';
create macro hmac(text) as
    sha256(unhex(getvariable('outer_pad')) || unhex(sha256(unhex(getvariable('inner_pad')) || encode(text))));
create macro uuid_of(hex) as
    hex[1:8] || '-' || hex[9:12] || '-5' || hex[14:16] || '-'
    || '89ab'[(instr('0123456789abcdef', hex[17]) - 1) % 4 + 1] || hex[18:20] || '-' || hex[21:32];
"""

QUERY = r"""
with relations as (
    select account_id, string_agg(concat(
        '{"partyIdentifier":{"operation":"INSERT","newValue":', to_json(p.party_id), '}',
        wrapped('partyRelationshipType', to_json(relation_type)),
        wrapped('partyRelationStartDateTime', to_json(relation_start_date::varchar)),
        wrapped('partyAddress', object(concat_ws(',',
            member('addressLine1', address_line_1),
            member('addressLine2', address_line_2),
            member('addressCity', city),
            member('addressPostalCode', postal_code),
            member('addressCountry', country_of_address),
            member('addressStartDate', address_start_date::varchar)))),
        '}'), ',' order by p.party_id) as elements
    from read_parquet(getvariable('parties')) p
    left join read_parquet(getvariable('addresses')) a on a.party_id = p.party_id
    group by account_id
), accounts as (
    select *, sha1(unhex(getvariable('namespace')) || encode(getvariable('event_prefix') || account_id)) as digest
    from read_parquet(getvariable('accounts'))
    where active_ind = 1
)
select accounts.account_id, concat(
    '{"eventHeader":{"eventIdentifier":"', uuid_of(digest), getvariable('header'),
    '"keys":[{"keyField":"contractIdentifier","keyValue":', to_json(accounts.account_id),
    '}],"payload":{"contractIdentifier":{"operation":"INSERT","newValue":', to_json(accounts.account_id), '}',
    wrapped('sourceSystemIdentifier', to_json(source_sys)),
    wrapped('contractStartDateTime', strftime(account_start_date, '"%Y-%m-%dT%H:%M:%S.%g+00:00"')),
    wrapped('contractTitle', array_of(concat_ws(',',
        title('lgl_ttl_ln_1', legal_title_1), title('lgl_ttl_ln_2', legal_title_2)))),
    wrapped('taxIdentifier', object(concat_ws(',',
        member('taxIdType', tax_id_type), member('taxId', hmac(tax_id))))),
    wrapped('contractBranchCode', to_json(branch_code)),
    wrapped('contractCountry', to_json(country)),
    ',"partyRelations":[' || elements || ']',
    '}}')
from accounts left join relations on relations.account_id = accounts.account_id
"""


def documents(warehouse, load_date, mask_key):
    """The day's keys and documents, as a cursor whose query has begun."""
    key = mask_key.encode()
    assert len(key) <= HMAC_BLOCK_BYTES, "a longer key would have to be hashed first"
    key = key.ljust(HMAC_BLOCK_BYTES, b"\0")
    header = (f'","eventType":"{EVENT_TYPE}","majorSchemaVersion":1,"minorSchemaVersion":0,'
              f'"eventDateTime":"{load_date}T{EVENT_TIME}"}},')
    variables = {
        "inner_pad": bytes(byte ^ 0x36 for byte in key).hex(),
        "outer_pad": bytes(byte ^ 0x5C for byte in key).hex(),
        "namespace": EVENT_NAMESPACE.hex,
        "event_prefix": f"{FEED}/{load_date}/",
        "header": header,
        "accounts": files(warehouse, "accounts", load_date),
        "parties": files(warehouse, "parties", load_date),
        "addresses": files(warehouse, "party_address", load_date),
    }
    connection = duckdb.connect()
    # Consumers are promised no order between keys.
    connection.execute("set preserve_insertion_order = false")
    for name, value in variables.items():
        connection.execute(f"set variable {name} = ?", [value])
    connection.execute(MACROS)
    return connection.execute(QUERY)


def files(warehouse, table, load_date):
    return str(pathlib.Path(warehouse) / "mdm.db" / table / f"load_date={load_date}" / "*.parquet")


def batches(cursor):
    while batch := cursor.fetchmany(BATCH_ROWS):
        yield batch


def write(cursor, path):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for batch in batches(cursor):
            out.writelines(f"{key}\t{value}\n" for key, value in batch)


def send(cursor, bootstrap, topic):
    """Sends every document, and returns how many were delivered."""
    failed = []
    producer = confluent_kafka.Producer({
        "bootstrap.servers": bootstrap,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 5,
        "queue.buffering.max.messages": QUEUE_MESSAGES,
        # A call into Python for each delivery would cost it a second for a million.
        "delivery.report.only.error": True,
        "on_delivery": lambda error, _message: failed.append(error),
    })
    sent = 0
    for batch in batches(cursor):
        for key, value in batch:
            while True:
                try:
                    producer.produce(topic, value, key)
                    break
                except BufferError:
                    producer.poll(0.01)
        sent += len(batch)
        producer.poll(0)
    left = producer.flush(FLUSH_SECONDS)
    if left or failed:
        sys.exit(f"{left} records were not sent, {len(failed)} failed: {failed[:1]}")
    return sent


def main(arguments):
    if len(arguments) != 5:
        sys.exit(__doc__)
    warehouse, load_date, mask_key, where, name = arguments
    started = time.monotonic()
    cursor = documents(warehouse, load_date, mask_key)
    begun = time.monotonic()
    if where == "--write":
        return write(cursor, name)
    records = send(cursor, where, name)
    print(json.dumps({"records": records, "query_s": round(begun - started, 3),
                      "fetch_and_send_s": round(time.monotonic() - begun, 3)}))


if __name__ == "__main__":
    main(sys.argv[1:])
