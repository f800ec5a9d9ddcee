//! The letters that motifs are held against: one zero-order background for both strands.

use std::path::Path;

use crate::error::{Error, Result};
use crate::genome::text::{self, Lines};

/// Probabilities of A, C, G and T. Both strands are scanned against the same background, so A and T
/// have the same probability, and C and G: frequencies of one strand are averaged with those of its
/// reverse complement, as FIMO does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Background([f64; 4]);

impl Background {
    /// A quarter each.
    pub const UNIFORM: Background = Background([0.25; 4]);

    /// That of a fraction of G and C, between 0 and 1.
    pub fn from_gc(gc: f64) -> Background {
        Background([(1.0 - gc) / 2.0, gc / 2.0, gc / 2.0, (1.0 - gc) / 2.0])
    }

    /// Probabilities of A, C, G and T, in this order.
    pub fn probabilities(&self) -> [f64; 4] {
        self.0
    }

    /// Reads the zero-order lines of a file in the format of MEME's `fasta-get-markov`: a letter
    /// and its frequency a line, `#` comments; higher orders are passed over.
    ///
    /// # Errors
    /// An unreadable file; a line that is not of this form; a letter missing or twice; a frequency
    /// that is not above 0; frequencies that add up to 1 no better than within 0.01.
    pub fn open(path: &Path) -> Result<Background> {
        let mut lines = Lines::new(path, text::open(path)?);
        let mut found = [None; 4];
        while let Some((number, line)) = lines.advance()? {
            let wrong = |message: String| Error::Parse {
                path: path.into(),
                line: number,
                message,
            };
            let line = String::from_utf8_lossy(line);
            let fields: Vec<&str> = line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            let [word, value] = fields[..] else {
                if fields.is_empty() {
                    continue;
                }
                return Err(wrong(format!(
                    "expected a letter and its frequency, found '{}'",
                    line.trim()
                )));
            };
            if word.len() > 1 && word.bytes().all(|b| super::read::letter_index(b).is_some()) {
                continue;
            }
            let letter = word
                .bytes()
                .next()
                .filter(|_| word.len() == 1)
                .and_then(super::read::letter_index);
            let letter =
                letter.ok_or_else(|| wrong(format!("'{word}' is none of A, C, G and T")))?;
            let value: f64 = value
                .parse()
                .map_err(|_| wrong(format!("'{value}' is no frequency")))?;
            if !(value > 0.0 && value <= 1.0) {
                return Err(wrong(format!(
                    "the frequency {value} does not lie above 0 and up to 1"
                )));
            }
            if found[letter].replace(value).is_some() {
                return Err(wrong(format!("a second frequency of {word}")));
            }
        }
        let [Some(a), Some(c), Some(g), Some(t)] = found else {
            return Err(Error::file(
                path,
                "a background needs a line for each of A, C, G and T",
            ));
        };
        let sum = a + c + g + t;
        if (sum - 1.0f64).abs() > 0.01 {
            return Err(Error::file(
                path,
                format!("the frequencies add up to {sum}, not to 1"),
            ));
        }
        Ok(Background::from_gc((c + g) / sum))
    }
}

/// Counts letters for a background.
#[derive(Clone, Copy, Debug, Default)]
pub struct Letters {
    at: u64,
    gc: u64,
}

impl Letters {
    /// Adds the A, C, G and T of a sequence, in either case; other letters are not counted.
    pub fn add(&mut self, sequence: &[u8]) {
        for base in sequence {
            match base.to_ascii_uppercase() {
                b'A' | b'T' => self.at += 1,
                b'C' | b'G' => self.gc += 1,
                _ => {}
            }
        }
    }

    /// The background of all that was counted, with one more of each letter so that none has the
    /// probability 0.
    pub fn background(&self) -> Background {
        Background::from_gc((self.gc + 2) as f64 / (self.at + self.gc + 4) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_strands_and_both_cases_count() {
        let mut letters = Letters::default();
        assert_eq!(letters.background(), Background::UNIFORM);
        letters.add(b"AAAAcgNNRaa");
        assert_eq!(letters.background(), Background::from_gc(4.0 / 12.0));
    }

    #[test]
    fn a_file_is_read_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bg");
        std::fs::write(&path, "# order 0\r\nA 3.0e-01\r\nC 0.2 # c\r\ng 0.25\r\nT 0.25\r\n# order 1\nAA 0.5\nAC 0.5\n").unwrap();
        assert_eq!(
            Background::open(&path).unwrap().probabilities(),
            [0.275, 0.225, 0.225, 0.275]
        );
        for (text, part) in [
            ("A 0.3\nC 0.3\n", "each of"),
            ("A 0.3\nC 0.3\nG 0.3\nT 0.3\n", "add up"),
            ("A 0.3\nA 0.3\n", "bg:2: a second"),
            ("A 0\n", "above 0"),
            ("N 1\n", "none of"),
            ("A x\n", "bg:1: 'x' is no frequency"),
            ("A\n", "expected"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = Background::open(&path).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
