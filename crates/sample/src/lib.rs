//! A realistic MDM export in Hive layout
