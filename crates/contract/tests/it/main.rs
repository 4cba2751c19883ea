//! What consumers in other languages rely on, in numbers that this crate did not compute.

use hivecast_contract::partition_of;

/// How many partitions the rows below are for.
const PARTITIONS: [u32; 4] = [1, 6, 7, 100];

/// `Utils.toPositive(Utils.murmur2(key)) % partitions`, as Kafka's Java client partitions keys, from the hashes
/// of `UtilsTest#testMurmur2` in Apache Kafka.
const JAVA: [(&str, [u32; 4]); 7] = [
    ("21", [0, 0, 3, 40]),
    ("foobar", [0, 0, 0, 66]),
    ("a-little-bit-long-string", [0, 2, 1, 12]),
    ("a-little-bit-longer-string", [0, 5, 0, 19]),
    ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", [0, 5, 3, 77]),
    ("abc", [0, 3, 4, 7]),
    ("", [0, 3, 2, 81]),
];

#[test]
fn a_keys_partition_is_the_java_clients() {
    for (key, expected) in JAVA {
        let ours = PARTITIONS.map(|partitions| partition_of(key.as_bytes(), partitions));
        assert_eq!(ours, expected, "key {key:?}");
    }
}
