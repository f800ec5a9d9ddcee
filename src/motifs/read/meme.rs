//! MEME's text formats: the minimal one, and the full output of MEME, DREME and STREME.

use std::str::FromStr;

use super::Lines;
use crate::error::Result;
use crate::motifs::{Motif, NOMINAL_SITES};

pub(super) fn read(lines: &Lines) -> Result<Vec<Motif>> {
    let (mut motifs, mut header): (Vec<Motif>, Option<(u64, &str, &str)>) = (Vec::new(), None);
    let mut at = 0;
    while let Some(&(line, text)) = lines.lines.get(at) {
        at += 1;
        if let Some(rest) = text.strip_prefix("ALPHABET") {
            at = alphabet(lines, line, rest, at)?;
        } else if let Some(rest) = text
            .strip_prefix("MOTIF")
            .filter(|rest| rest.starts_with(char::is_whitespace))
        {
            if let Some((line, id, _)) = header {
                return Err(lines.wrong(
                    line,
                    format!("the motif '{id}' has no letter-probability matrix"),
                ));
            }
            let mut words = rest.split_whitespace();
            let id = words
                .next()
                .ok_or_else(|| lines.wrong(line, "a MOTIF line without a name"))?;
            // Full output of old versions goes on with "width = 9".
            header = Some((
                line,
                id,
                words
                    .next()
                    .filter(|word| *word != "width")
                    .unwrap_or_default(),
            ));
        } else if let Some(rest) = text.strip_prefix("letter-probability matrix:") {
            let (_, id, name) = header
                .take()
                .ok_or_else(|| lines.wrong(line, "a matrix without a MOTIF line before it"))?;
            let columns = columns(lines, line, rest, at)?;
            at += columns.len();
            let sites = match key::<f64>(lines, line, rest, "nsites=")? {
                Some(sites) if !sites.is_finite() => {
                    return Err(
                        lines.wrong(line, format!("'nsites= {sites}' is no number of sites"))
                    );
                }
                Some(sites) if sites > 0.0 => sites,
                _ => NOMINAL_SITES,
            };
            motifs.push(
                Motif::new(id, name, columns, sites)
                    .map_err(|message| lines.wrong(line, message))?,
            );
        }
    }
    match header {
        Some((line, id, _)) => Err(lines.wrong(
            line,
            format!("the motif '{id}' has no letter-probability matrix"),
        )),
        None => Ok(motifs),
    }
}

/// Refuses what is not DNA or RNA. Gives the index of the line after the alphabet.
fn alphabet(lines: &Lines, line: u64, rest: &str, mut at: usize) -> Result<usize> {
    let mut letters: Vec<char> = Vec::new();
    match rest.trim().strip_prefix('=') {
        Some(given) => letters.extend(given.trim().chars()),
        // A block of lines: `A "Adenine" CC0000 ~ T "Thymine" 0000CC`; those with `=` are codes for
        // several letters.
        None => {
            while let Some((_, text)) = lines.lines.get(at) {
                at += 1;
                if text.starts_with("END ALPHABET") {
                    break;
                }
                if !text.contains('=') {
                    letters.extend(
                        text.split('~')
                            .filter_map(|side| side.trim().chars().next()),
                    );
                }
            }
        }
    }
    letters.sort_unstable();
    letters.dedup();
    match letters[..] {
        ['A', 'C', 'G', 'T' | 'U'] => Ok(at),
        _ => Err(lines.wrong(
            line,
            format!(
                "the alphabet is not ACGT but {}",
                letters.iter().collect::<String>()
            ),
        )),
    }
}

/// The number after `name` in `alength= 4 w= 19 nsites= 17 E= 4.1e-009`.
fn key<T: FromStr>(lines: &Lines, line: u64, text: &str, name: &str) -> Result<Option<T>> {
    let padded = format!(" {text}");
    let Some((_, after)) = padded.split_once(&format!(" {name}")) else {
        return Ok(None);
    };
    let word = after.split_whitespace().next().unwrap_or_default();
    word.parse()
        .map(Some)
        .map_err(|_| lines.wrong(line, format!("'{name} {word}' is no number")))
}

fn columns(lines: &Lines, line: u64, rest: &str, at: usize) -> Result<Vec<[f64; 4]>> {
    if key::<usize>(lines, line, rest, "alength=")?.is_some_and(|letters| letters != 4) {
        return Err(lines.wrong(line, "the matrix is not of four letters"));
    }
    let width: Option<usize> = key(lines, line, rest, "w=")?;
    let starts_with_number = |text: &str| {
        text.split_whitespace()
            .next()
            .is_some_and(|word| word.parse::<f64>().is_ok())
    };
    let mut columns = Vec::new();
    for &(line, text) in &lines.lines[at..] {
        match width {
            Some(width) if columns.len() < width => {}
            Some(width) if starts_with_number(text) => {
                return Err(lines.wrong(line, format!("the matrix has more than its {width} rows")));
            }
            None if starts_with_number(text) => {}
            _ => break,
        }
        match lines.numbers(line, text.split_whitespace())?[..] {
            [a, c, g, t] if (a + c + g + t - 1.0).abs() <= 0.02 => columns.push([a, c, g, t]),
            _ => return Err(lines.wrong(line, "expected four probabilities that add up to 1")),
        }
    }
    match width {
        Some(width) if columns.len() < width => Err(lines.wrong(
            line,
            format!("the matrix has {} of its {width} rows", columns.len()),
        )),
        _ => Ok(columns),
    }
}
