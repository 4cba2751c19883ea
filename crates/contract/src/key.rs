/// The leading part of the edition's order: CRC-32 (IEEE 802.3, as in zlib and Spark's `crc32`) of
/// the key's UTF-8 bytes.
pub fn key_hash(key: &[u8]) -> u32 {
    crc32fast::hash(key)
}

/// The topic partition of a key among `partitions` (at least 1): `toPositive(murmur2(key)) %
/// partitions`, as the Java client's default partitioner does for records with a key
/// (`org.apache.kafka.clients.producer.internals.BuiltInPartitioner#partitionForKey`).
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// MurmurHash2, 32 bits, with the seed of Kafka's Java client
/// (`org.apache.kafka.common.utils.Utils#murmur2`).
pub fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    // The Java client hashes the length as a 32-bit int; no key is longer than that.
    let mut h = SEED ^ (data.len() as u32);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        k = k.wrapping_mul(M);
        k ^= k >> R;
        k = k.wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * index);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of `UtilsTest#testMurmur2` in Apache Kafka.
    #[test]
    fn murmur2_gives_the_java_clients_values() {
        let vectors: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
        ];
        for (key, expected) in vectors {
            assert_eq!(murmur2(key) as i32, expected, "key {:?}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn key_hash_is_zlibs_crc32() {
        assert_eq!(key_hash(b"123456789"), 0xcbf4_3926);
    }
}
