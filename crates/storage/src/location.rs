use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use hivecast_run::{Fault, Result};

/// Which kind of store a location is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// A directory of this machine.
    File,
    /// `hdfs://` with the name node's `host:port`, a name service, or nothing for the default one.
    Hdfs,
    /// `s3://bucket`; `s3a` and `s3n` are Hadoop's names for it.
    S3,
}

impl Scheme {
    fn of(text: &str) -> Option<Scheme> {
        match text.to_ascii_lowercase().as_str() {
            "file" => Some(Scheme::File),
            "hdfs" => Some(Scheme::Hdfs),
            "s3" | "s3a" | "s3n" => Some(Scheme::S3),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Scheme::File => "file",
            Scheme::Hdfs => "hdfs",
            Scheme::S3 => "s3",
        }
    }
}

/// How a scheme was written. The place is the same, so that all are equal.
#[derive(Clone, Copy)]
struct Spelling(&'static str);

impl Spelling {
    /// None for what has one spelling.
    fn of(text: &str) -> Option<Spelling> {
        let known = ["s3a", "s3n"].into_iter().find(|known| text.eq_ignore_ascii_case(known));
        known.map(Spelling)
    }
}

impl PartialEq for Spelling {
    fn eq(&self, _: &Spelling) -> bool {
        true
    }
}

impl Eq for Spelling {}

impl PartialOrd for Spelling {
    fn partial_cmp(&self, other: &Spelling) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Spelling {
    fn cmp(&self, _: &Spelling) -> Ordering {
        Ordering::Equal
    }
}

impl Hash for Spelling {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// An absolute place of a file or directory: a path of this machine, or a URL. Shown and compared as
/// text, without a slash at the end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    scheme: Scheme,
    spelling: Spelling,
    authority: String,
    /// Begins with a slash; `/` alone for the root.
    path: String,
}

impl Location {
    /// An absolute path, or a URL with one of the schemes `file`, `hdfs`, `s3`, `s3a`, `s3n`.
    /// `Class::Usage` for anything else; a relative path is for the caller to complete.
    pub fn parse(text: &str) -> Result<Location> {
        let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return Location::local(Path::new(text));
        };
        let spelling = Spelling::of(scheme);
        let Some(scheme) = Scheme::of(scheme) else {
            return Err(Fault::usage(format!("`{scheme}:` names no store that is read"))
                .advise("name a directory, or a URL that begins with hdfs://, s3:// or s3a://"));
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        if authority.contains('@') {
            return Err(Fault::usage(format!(
                "a location {}://… has a user or password in it",
                scheme.name()
            ))
            .advise("take it out: how to log in is no part of a location"));
        }
        if scheme == Scheme::S3 && authority.is_empty() {
            return Err(Fault::usage("a location s3://… names no bucket").advise("write s3://BUCKET/PATH"));
        }
        let authority = if scheme == Scheme::File { "" } else { authority };
        let spelling = spelling.unwrap_or(Spelling(scheme.name()));
        Ok(Location { scheme, spelling, authority: authority.to_owned(), path: clean(path) })
    }

    /// An absolute path of this machine. `Class::Usage` where it is relative or no Unicode text.
    pub fn local(path: &Path) -> Result<Location> {
        match path.to_str() {
            Some(text) if path.is_absolute() => {
                let (scheme, spelling) = (Scheme::File, Spelling(Scheme::File.name()));
                Ok(Location { scheme, spelling, authority: String::new(), path: clean(text) })
            }
            Some(_) => Err(Fault::usage(format!("{} is no absolute path", path.display()))),
            None => Err(Fault::usage(format!("the name of {} is no Unicode text", path.display()))
                .advise("rename it")),
        }
    }

    /// The entry of this name in the directory. A name may hold slashes.
    #[must_use]
    pub fn join(&self, name: &str) -> Location {
        Location { path: clean(&format!("{}/{name}", self.path)), ..self.clone() }
    }

    /// The directory that it lies in; none for the root.
    pub fn parent(&self) -> Option<Location> {
        let (above, last) = self.path.rsplit_once('/')?;
        (!last.is_empty()).then(|| Location { path: clean(above), ..self.clone() })
    }

    /// The last part of the path; empty for the root.
    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// The last part's ending after a point, in lower case; empty where there is none.
    pub fn extension(&self) -> String {
        Path::new(self.name()).extension().and_then(|text| text.to_str()).unwrap_or_default().to_lowercase()
    }

    /// As text with the scheme that it was written with: to Hadoop `s3a` is another one than `s3`, and it may
    /// know only that.
    pub fn as_written(&self) -> String {
        match self.scheme {
            Scheme::File => self.path.clone(),
            _ => format!("{}://{}{}", self.spelling.0, self.authority, self.path),
        }
    }

    /// The kind of store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port, name service or bucket; empty for this machine.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path in its store, which begins with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path, where it is one of this machine.
    pub fn local_path(&self) -> Option<PathBuf> {
        (self.scheme == Scheme::File).then(|| PathBuf::from(&self.path))
    }

    /// Whether it is that place or lies somewhere in it.
    pub fn is_within(&self, other: &Location) -> bool {
        (self.scheme, &self.authority) == (other.scheme, &other.authority)
            && self
                .path
                .strip_prefix(other.path.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Two letters at least, as Windows' drives are no schemes.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// One slash in front, none at the end, no empty parts and no `.`.
fn clean(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 1);
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        out.push('/');
        out.push_str(part);
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::File => f.write_str(&self.path),
            scheme => write!(f, "{}://{}{}", scheme.name(), self.authority, self.path),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls() {
        for (text, shown, authority, path) in [
            ("/data/mdm/", "/data/mdm", "", "/data/mdm"),
            ("file:///data//mdm/./x", "/data/mdm/x", "", "/data/mdm/x"),
            ("file:/data", "/data", "", "/data"),
            ("hdfs://nn:8020/w", "hdfs://nn:8020/w", "nn:8020", "/w"),
            ("HDFS:///w", "hdfs:///w", "", "/w"),
            ("hdfs://ns1", "hdfs://ns1/", "ns1", "/"),
            ("s3a://bucket/a/b=1%3A", "s3://bucket/a/b=1%3A", "bucket", "/a/b=1%3A"),
            ("/odd:name", "/odd:name", "", "/odd:name"),
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!(
                (location.to_string().as_str(), location.authority(), location.path()),
                (shown, authority, path),
                "{text}"
            );
        }
        for wrong in ["relative/path", "gs://bucket/x", "s3:///x", "hdfs://user:secret@nn/x"] {
            let fault = Location::parse(wrong).unwrap_err().chain();
            assert!(!fault.contains("secret"), "{fault}");
        }
    }

    #[test]
    fn the_scheme_is_kept_as_written_and_tells_no_places_apart() {
        let at = Location::parse("S3A://bucket/x").unwrap().join("y");
        assert_eq!(at.as_written(), "s3a://bucket/x/y");
        assert_eq!(at.parent().map(|dir| dir.as_written()).as_deref(), Some("s3a://bucket/x"));
        assert_eq!(at, Location::parse("s3://bucket/x/y").unwrap());
        assert_eq!(Location::parse("hdfs://nn/x").unwrap().as_written(), "hdfs://nn/x");
        assert_eq!(Location::parse("/x").unwrap().as_written(), "/x");
    }

    #[test]
    fn parents_names_and_what_lies_within() {
        let table = Location::parse("hdfs://nn/w/t").unwrap();
        let file = table.join("load_date=2026-11-22").join("part-0.ORC");
        assert_eq!(file.name(), "part-0.ORC");
        assert_eq!(file.extension(), "orc");
        assert_eq!(file.parent().and_then(|dir| dir.parent()), Some(table.clone()));
        assert!(file.is_within(&table) && table.is_within(&table));
        assert!(!Location::parse("hdfs://nn/w/t2").unwrap().is_within(&table));
        assert!(!Location::parse("hdfs://other/w/t/x").unwrap().is_within(&table));
        assert!(table.is_within(&Location::parse("hdfs://nn/").unwrap()));
        assert_eq!(Location::parse("/").unwrap().parent(), None);
    }
}
