//! Files of lines as Hadoop's readers cut them: a line ends at a line feed, a carriage return, or both.

use std::collections::VecDeque;
use std::io::Read;

use crate::records::{BYTE_ORDER_MARK, Broken, MAX_RECORD_BYTES, Malformed, READ_BYTES, read_full};

/// Reads lines one after the other.
pub(crate) struct Lines {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// What of the buffer is read but not yet cut.
    start: usize,
    end: usize,
    input_ended: bool,
    /// Lines that were cut off.
    line: u64,
    footer: u32,
    /// The last lines that were read, which may be the footer.
    held: VecDeque<(u64, Vec<u8>)>,
    /// The line that was given last, where some are held.
    given: Vec<u8>,
}

impl Lines {
    /// Without the last `footer` lines.
    pub(crate) fn new(input: Box<dyn Read + Send>, footer: u32) -> Lines {
        Lines {
            input,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            input_ended: false,
            line: 0,
            footer,
            held: VecDeque::new(),
            given: Vec::new(),
        }
    }

    /// Leaves out lines.
    pub(crate) fn skip(&mut self, lines: u32) -> Result<(), Broken> {
        for _ in 0..lines {
            if self.cut()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The next line without its end, and its number, counted from 1; none at the end of the file.
    pub(crate) fn read(&mut self) -> Result<Option<(u64, &[u8])>, Broken> {
        if self.footer == 0 {
            return self.cut();
        }
        while self.held.len() <= self.footer as usize {
            let Some((number, line)) = self.cut()? else { return Ok(None) };
            let line = line.to_vec();
            self.held.push_back((number, line));
        }
        let Some((number, line)) = self.held.pop_front() else { return Ok(None) };
        self.given = line;
        Ok(Some((number, &self.given)))
    }

    /// As [`Lines::read`], the footer included.
    fn cut(&mut self) -> Result<Option<(u64, &[u8])>, Broken> {
        let mut looked_at = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            let found = unread[looked_at..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let length = match found {
                // Whether a line feed follows shows only with the next byte.
                Some(at) if looked_at + at + 1 < unread.len() || self.input_ended => looked_at + at,
                None if self.input_ended && unread.is_empty() => return Ok(None),
                None if self.input_ended => unread.len(),
                found => {
                    looked_at = found.map_or(unread.len(), |at| looked_at + at);
                    self.fill()?;
                    continue;
                }
            };
            let both = unread[length..].starts_with(b"\r\n");
            let step = length + if both { 2 } else { usize::from(length < unread.len()) };
            let line = self.start..self.start + length;
            self.start += step;
            self.line += 1;
            return Ok(Some((self.line, &self.buffer[line])));
        }
    }

    /// Reads on, behind what is not yet cut.
    fn fill(&mut self) -> Result<(), Broken> {
        let first = self.buffer.is_empty();
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end >= MAX_RECORD_BYTES {
            return Err(Broken::Text { line: self.line + 1, why: Malformed::TooLong });
        }
        let room = READ_BYTES.max(self.end);
        self.buffer.resize(self.end + room, 0);
        let got = read_full(&mut self.input, &mut self.buffer[self.end..]).map_err(Broken::Input)?;
        self.input_ended = got < room;
        self.end += got;
        if first && self.buffer[..self.end].starts_with(&BYTE_ORDER_MARK) {
            self.start = BYTE_ORDER_MARK.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &'static [u8], skip: u32) -> Vec<(u64, String)> {
        between(text, skip, 0)
    }

    fn between(text: &'static [u8], skip: u32, footer: u32) -> Vec<(u64, String)> {
        let mut lines = Lines::new(Box::new(text), footer);
        lines.skip(skip).unwrap();
        let mut all = Vec::new();
        while let Some((number, line)) = lines.read().unwrap() {
            all.push((number, String::from_utf8_lossy(line).into_owned()));
        }
        all
    }

    #[test]
    fn every_line_end_ends_a_line() {
        let expected: Vec<(u64, String)> =
            ["a", "", "b", "c", "d"].iter().zip(1..).map(|(line, at)| (at, (*line).to_owned())).collect();
        assert_eq!(lines(b"\xef\xbb\xbfa\n\r\nb\rc\r\nd", 0), expected);
        assert_eq!(lines(b"a\n\r\nb\rc\r\nd\n", 0), expected);
        assert_eq!(lines(b"a\n\r\nb\rc\r\nd\r", 3), expected[3..]);
        assert_eq!(lines(b"a\n", 3), []);
        assert_eq!(lines(b"", 0), []);
        assert_eq!(between(b"a\n\r\nb\rc\r\nd\r", 1, 2), expected[1..3]);
        assert_eq!(between(b"a\nb\n", 1, 2), []);
    }
}
