//! Sequences by their words: where each word of ten letters stands.

use rayon::prelude::*;

use crate::motifs::read::letter_index;

/// Letters of the words that are listed.
pub(super) const CORE: usize = 10;

/// Letters kept with each place of a word: those that follow it.
pub(super) const NEXT: usize = 8;

/// Any other letter than A, C, G and T, and the end of a sequence.
const BREAK: u8 = 4;

/// Places of a block: their lists are built, and stay in the caches, together.
const BLOCK: usize = 1 << 24;

/// Sequences ready to be scanned: some 7 bytes a base. Soft-masked letters count, U is T, and no
/// hit reaches over any other letter.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// Where each sequence starts in `letters`.
    starts: Vec<usize>,
    /// All sequences, each followed by a break: A, C, G, T as 0 to 3, and [`BREAK`].
    letters: Vec<u8>,
    /// The same, four letters a byte, the first on top and a break as A: what most looks need, in a
    /// quarter of the memory.
    packed: Vec<u8>,
    pub(super) blocks: Vec<Block>,
}

/// The words that start in one stretch of the letters. Where a break cuts a word short it goes on
/// with A: who asks must look at the letters.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// `first[w]..first[w + 1]` are the entries of word `w`, two bits a letter, the first on top.
    pub first: Vec<u32>,
    /// The letters that follow the word at each entry, likewise.
    pub next: Vec<u16>,
    /// Where it starts in the block.
    pub at: Vec<u32>,
    /// Where the block starts in the letters.
    pub start: usize,
}

impl Encoded {
    /// Encodes sequences, in order.
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a [u8]>) -> Encoded {
        Encoded::in_blocks(sequences, BLOCK)
    }

    /// With so many places in a block.
    pub(super) fn in_blocks<'a>(
        sequences: impl IntoIterator<Item = &'a [u8]>,
        block: usize,
    ) -> Encoded {
        let (mut starts, mut letters) = (Vec::new(), Vec::new());
        for sequence in sequences {
            starts.push(letters.len());
            letters.reserve(sequence.len() + 1);
            letters.extend(
                sequence
                    .iter()
                    .map(|letter| letter_index(*letter).map_or(BREAK, |index| index as u8)),
            );
            letters.push(BREAK);
        }
        let blocks: Vec<usize> = (0..letters.len()).step_by(block).collect();
        let blocks = blocks
            .into_par_iter()
            .map(|start| Block::new(&letters, start, (start + block).min(letters.len())))
            .collect();
        let pack = |four: &[u8]| {
            (0..4).fold(0, |byte, i| {
                byte << 2 | four.get(i).map_or(0, |letter| letter & 3)
            })
        };
        let packed = letters.chunks(4).map(pack).chain([0; 2]).collect();
        Encoded {
            starts,
            letters,
            packed,
            blocks,
        }
    }

    /// Four letters from a place on, two bits each, the first on top; A in the place of a break and
    /// beyond the end.
    #[inline]
    pub(super) fn four(&self, at: usize) -> usize {
        let Some([high, low]) = self.packed.get(at / 4..at / 4 + 2) else {
            return 0;
        };
        usize::from(u16::from_be_bytes([*high, *low]) >> (8 - 2 * (at % 4)) & 255)
    }

    /// The letters of a word, 0 to 3; `None` where it has a break.
    pub(super) fn word(&self, start: usize, width: usize) -> Option<&[u8]> {
        self.letters
            .get(start..start + width)
            .filter(|word| !word.contains(&BREAK))
    }

    /// The sequence that holds a place of the letters, and the place in it.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        let sequence = self.starts.partition_point(|start| *start <= at) - 1;
        (sequence, at - self.starts[sequence])
    }
}

impl Block {
    fn new(letters: &[u8], start: usize, end: usize) -> Block {
        let mut first = vec![0u32; (1 << (2 * CORE)) + 1];
        words(letters, start, end, |word, _, _| first[word + 1] += 1);
        let mut sum = 0;
        for count in &mut first {
            sum += *count;
            *count = sum;
        }
        // Filled from behind, as the words come: within a word, places rise.
        let mut free = first[1..].to_vec();
        let (mut next, mut at) = (vec![0; sum as usize], vec![0; sum as usize]);
        words(letters, start, end, |word, following, place| {
            free[word] -= 1;
            let entry = free[word] as usize;
            (next[entry], at[entry]) = (following, (place - start) as u32);
        });
        Block {
            first,
            next,
            at,
            start,
        }
    }
}

/// Calls with the word, what follows it and its place for each letter of `start..end` that is none
/// of a break, the last first.
fn words(letters: &[u8], start: usize, end: usize, mut call: impl FnMut(usize, u16, usize)) {
    let mut code = 0u64;
    for at in (start..(end + CORE + NEXT).min(letters.len())).rev() {
        if letters[at] == BREAK {
            code = 0;
            continue;
        }
        code = code >> 2 | u64::from(letters[at]) << (2 * (CORE + NEXT - 1));
        if at < end {
            call((code >> (2 * NEXT)) as usize, code as u16, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_stands_under_its_word() {
        let sequences: [&[u8]; 4] = [
            b"TTacgNGG",
            b"",
            b"ACGTACGTACGTACGTACGTACGTACGTTTTTTT",
            b"u",
        ];
        let encoded = Encoded::new(sequences);
        let total: usize = sequences.iter().map(|s| s.len() + 1).sum();
        assert_eq!(encoded.letters.len(), total);
        for (start, end) in [(0, total), (3, 20), (9, 10), (12, 31)] {
            let block = Block::new(&encoded.letters, start, end);
            let mut places = Vec::new();
            for word in 0..1 << (2 * CORE) {
                let entries = block.first[word] as usize..block.first[word + 1] as usize;
                assert!(block.at[entries.clone()].is_sorted());
                for entry in entries {
                    let at = start + block.at[entry] as usize;
                    places.push(at);
                    let code = (word << (2 * NEXT)) | usize::from(block.next[entry]);
                    let run = encoded.letters[at..]
                        .iter()
                        .take_while(|letter| **letter != BREAK)
                        .chain(std::iter::repeat(&0));
                    let expected = run
                        .take(CORE + NEXT)
                        .fold(0, |code, letter| code << 2 | usize::from(*letter));
                    assert_eq!(code, expected, "{at}");
                }
            }
            places.sort_unstable();
            assert_eq!(
                places,
                (start..end)
                    .filter(|at| encoded.letters[*at] != BREAK)
                    .collect::<Vec<_>>()
            );
        }
        for at in 0..total + 9 {
            let expected = (at..at + 4).fold(0, |code, i| {
                code << 2
                    | encoded
                        .letters
                        .get(i)
                        .map_or(0, |letter| usize::from(letter & 3))
            });
            assert_eq!(encoded.four(at), expected, "{at}");
        }
        assert_eq!(encoded.word(2, 3), Some(&[0, 1, 2][..]));
        assert_eq!(
            (
                encoded.word(2, 4),
                encoded.word(total - 1, 1),
                encoded.word(total - 2, 1)
            ),
            (None, None, Some(&[3][..]))
        );
        assert_eq!(encoded.place(0), (0, 0));
        assert_eq!(encoded.place(7), (0, 7));
        assert_eq!(encoded.place(10), (2, 0));
        assert_eq!(encoded.place(total - 2), (3, 0));
    }
}
