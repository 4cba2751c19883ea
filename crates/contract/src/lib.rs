//! What a consumer of a Hivecast topic needs and no more
