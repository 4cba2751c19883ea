//! Which feed a command is about, and its file.

use std::fs;
use std::path::{Path, PathBuf};

use hivecast_feed::{Draft, Feed, draft, parse};
use hivecast_publish::TopicSpec;
use hivecast_run::{Fault, Result};

use crate::project::unreadable;

/// Endings of feed files.
const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// A feed's file, read and not yet understood.
pub(crate) struct FeedText {
    name: String,
    file: String,
    text: String,
}

/// A feed whose file holds no mistake that the text alone shows.
pub(crate) struct FeedFile {
    text: FeedText,
    pub(crate) feed: Feed,
}

impl FeedText {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|error| unreadable(format!("failed to read the feed {}", path.display()), error))?;
        let file = path.display().to_string();
        let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // A file with mistakes still has to be found, so that they can be told.
        let name = draft(&file, &text)
            .feed
            .map(|feed| feed.name)
            .filter(|name| !name.is_empty())
            .unwrap_or_else(stem);
        Ok(FeedText { name, file, text })
    }

    /// The feed's name, or its file's where that cannot be read.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As far as it can be read.
    pub(crate) fn draft(&self) -> Draft {
        draft(&self.file, &self.text)
    }

    /// The feed, or every mistake that its text shows.
    pub(crate) fn parse(self) -> Result<FeedFile> {
        let (feed, _) = parse(&self.file, &self.text)?;
        Ok(FeedFile { text: self, feed })
    }
}

impl FeedFile {
    pub(crate) fn name(&self) -> &str {
        &self.feed.name
    }

    /// See [`FeedText::draft`].
    pub(crate) fn draft(&self) -> Draft {
        self.text.draft()
    }

    /// The topic as the feed wants it.
    pub(crate) fn topic(&self) -> TopicSpec {
        TopicSpec {
            feed: self.feed.name.clone(),
            topic: self.feed.topic.clone(),
            partitions: self.feed.partitions,
            settings: self.feed.topic_settings.clone(),
        }
    }
}

/// Every feed in a directory, by file name.
pub(crate) fn all(dir: &Path) -> Result<Vec<FeedText>> {
    files(dir)?.iter().map(|path| FeedText::read(path)).collect()
}

/// The feed of this name in a directory, or the only one there is.
pub(crate) fn choose(dir: &Path, name: Option<&str>) -> Result<FeedText> {
    let mut feeds = all(dir)?;
    let all: Vec<String> = feeds.iter().map(|feed| feed.name.clone()).collect();
    let all = all.join(", ");
    if feeds.is_empty() {
        return Err(Fault::usage(format!("there is no feed in {}", dir.display())).advise(
            "a feed is a file there whose name ends in .yaml; `hivecast init DIR` writes an example",
        ));
    }
    let wanted = |feed: &&FeedText| name.is_none_or(|name| feed.name == name);
    if let Some((first, second)) = same_name(&feeds.iter().filter(wanted).collect::<Vec<_>>()) {
        return Err(Fault::usage(format!("{} and {} are both feed {}", first.file, second.file, first.name))
            .advise("give one of them another name"));
    }
    match name {
        Some(name) => {
            feeds.retain(|feed| feed.name == name);
            if feeds.is_empty() {
                return Err(Fault::usage(format!("there is no feed {name} in {}", dir.display()))
                    .advise(format!("there are {all}")));
            }
        }
        None if feeds.len() > 1 => {
            return Err(Fault::usage(format!("there are {} feeds in {}", feeds.len(), dir.display()))
                .advise(format!("choose one with --feed: {all}")));
        }
        None => {}
    }
    feeds.pop().ok_or_else(|| Fault::bug("a feed was found and lost"))
}

/// Two files that say they are the same feed.
fn same_name<'f>(feeds: &[&'f FeedText]) -> Option<(&'f FeedText, &'f FeedText)> {
    let pairs = feeds
        .iter()
        .enumerate()
        .flat_map(|(at, first)| feeds[at + 1..].iter().map(move |other| (first, other)));
    pairs.into_iter().find(|(first, other)| first.name == other.name).map(|(first, other)| (*first, *other))
}

/// The feed files of a directory, sorted.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| {
        unreadable(format!("failed to list the feeds in {}", dir.display()), error)
            .advise("`feeds` in the project file names the directory of the feed files, for example feeds/")
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_feed = path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
        if is_feed && !hidden && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feeds(files: &[(&str, &str)], name: Option<&str>) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in files {
            fs::write(dir.path().join(file), text).unwrap();
        }
        let told = |fault: Fault| {
            assert_eq!(fault.class().exit_code(), 2, "{}", fault.chain());
            let text = format!("{}; {}", fault.chain(), fault.advice().unwrap_or_default());
            text.replace(&*dir.path().to_string_lossy(), "feeds")
        };
        choose(dir.path(), name).map(|feed| feed.name).map_err(told)
    }

    const BROKEN: &str = "feed: [";

    #[test]
    fn the_only_feed_is_the_one() {
        assert_eq!(
            feeds(&[("a.yaml", BROKEN), ("notes.txt", ""), (".a.yaml", "")], None),
            Ok("a".to_owned())
        );
        assert!(feeds(&[], None).unwrap_err().starts_with("there is no feed in feeds;"));
    }

    #[test]
    fn several_feeds_ask_for_a_name() {
        let files = [("a.yaml", BROKEN), ("b.yml", BROKEN)];
        assert_eq!(
            feeds(&files, None),
            Err("there are 2 feeds in feeds; choose one with --feed: a, b".to_owned())
        );
        assert_eq!(feeds(&files, Some("b")), Ok("b".to_owned()));
        assert_eq!(feeds(&files, Some("c")), Err("there is no feed c in feeds; there are a, b".to_owned()));
    }

    #[test]
    fn two_files_of_one_feed_are_refused() {
        let twice = [("a.yaml", BROKEN), ("a.yml", BROKEN), ("b.yaml", BROKEN)];
        let told = "feeds/a.yaml and feeds/a.yml are both feed a; give one of them another name";
        assert_eq!(feeds(&twice, Some("a")), Err(told.to_owned()));
        assert_eq!(feeds(&twice, None), Err(told.to_owned()));
        assert_eq!(feeds(&twice, Some("b")), Ok("b".to_owned()), "another feed is not stopped by them");
    }
}
